"""Check the learner's manifest, packages/sklearn/sklearnserver.yaml, against the InferenceService of the task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from course import check
from course.checks import CheckError

API_VERSION, KIND = "serving.kserve.io/v1beta1", "InferenceService"
ARGUMENT = "--grpc_max_receive_message_length=104857600"


def read(path: Path) -> dict[str, Any]:
    """The manifest. Raises CheckError if it is not YAML or not an object."""
    try:
        content = yaml.safe_load(path.read_text(errors="replace"))
    except FileNotFoundError:
        raise CheckError(f"Not yet: there is a manifest. Hint: {path} is gone: copy it from solutions/") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise CheckError(f"Not yet: {path} can be read as YAML. Hint: {where}{error.problem}") from None
    except yaml.YAMLError as error:
        raise CheckError(f"Not yet: {path} can be read as YAML. Hint: {' '.join(str(error).split())}") from None
    check(f"{path.name} holds one object", isinstance(content, dict), f"it holds {_kind(content)}")
    return dict(content)


def expect(manifest: dict[str, Any], *, name: str, namespace: str, image: str, uri: str, account: str) -> None:
    """Check the manifest field by field. Raises CheckError that names the first wrong field."""
    version, kind = manifest.get("apiVersion"), manifest.get("kind")
    hint = f"it is {version} {kind}: write apiVersion: {API_VERSION} and kind: {KIND}"
    check(f"it is an {KIND}", (version, kind) == (API_VERSION, KIND), hint)
    metadata = _object(manifest, "metadata", "the manifest")
    check(f"it is called {name}", metadata.get("name") == name, f"metadata.name is {metadata.get('name')}")
    hint = f"metadata.namespace is {metadata.get('namespace')}: leave it out, or write {namespace}"
    check(f"it is for the namespace {namespace}", metadata.get("namespace") in (None, namespace), hint)
    spec = _object(manifest, "spec", "the manifest")
    predictor = _object(spec, "predictor", "spec")
    _expect_container(_container(manifest, predictor), name=name, image=image, uri=uri)
    given = predictor.get("serviceAccountName")
    check("it may read the model", given == account, f"serviceAccountName is {given}: {account} has the credentials")


def _container(manifest: dict[str, Any], predictor: dict[str, Any]) -> dict[str, Any]:
    containers = predictor.get("containers")
    if containers is None:
        elsewhere = [place for place in (manifest, manifest["spec"]) if "containers" in place or "container" in place]
        problem = "it stands further to the left than it should" if elsewhere else "there is none yet"
        if "container" in predictor:
            problem = "it is called `container`, without its s"
        raise CheckError(f"Not yet: `predictor` has `containers`. Hint: {problem}: indent it below `predictor`")
    is_single = isinstance(containers, list) and len(containers) == 1 and isinstance(containers[0], dict)
    hint = f"`containers` is {_kind(containers)}: write a list of one object, which begins with `- name: kserve-container`"
    check("there is one container", is_single, hint)
    return dict(containers[0])


def _expect_container(container: dict[str, Any], *, name: str, image: str, uri: str) -> None:
    container_name, container_image = container.get("name"), container.get("image")
    check("it is called kserve-container", container_name == "kserve-container", f"it is called {container_name}")
    is_built = str(container_image).split("/")[-1] == image
    check(f"its image is {image}", is_built, f"it is {container_image}: write the image that step 7 builds")
    variables = container.get("env") or []
    is_list = isinstance(variables, list) and all(isinstance(entry, dict) and "name" in entry for entry in variables)
    hint = f"`env` is {_kind(variables)}: each entry is an object with `name` and `value`, as `- name: MODEL_NAME`"
    check("its env is a list of names and values", is_list, hint)
    values = {entry["name"]: str(entry.get("value", "")) for entry in variables}
    for key, expected in {"MODEL_NAME": name, "STORAGE_URI": uri}.items():
        hint = f"it is {values[key]}" if key in values else f"add an entry {{name: {key}, value: ...}} to env"
        check(f"{key} is {expected}", values.get(key) == expected, hint)
    arguments = container.get("args") or []
    is_raised = isinstance(arguments, list) and ARGUMENT in arguments
    check("gRPC messages may have 100 MiB", is_raised, f"`args` is {arguments}: write a list with {ARGUMENT}")


def _object(inside: dict[str, Any], field: str, of: str) -> dict[str, Any]:
    value = inside.get(field)
    if not isinstance(value, dict):
        raise CheckError(f"Not yet: {of} has `{field}`. Hint: `{field}` is {_kind(value)}: indent its fields below it")
    return value


def _kind(value: Any) -> str:
    """A description of ``value`` for the learner."""
    if value is None or value == "":
        return "empty"
    if isinstance(value, dict):
        return f"an object with {', '.join(map(str, value))}"
    return f"a list of {len(value)}" if isinstance(value, list) else f"the text {value!r}"
