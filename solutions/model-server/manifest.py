"""The learner's manifest, packages/sklearn/sklearnserver.yaml: is it the InferenceService that the lab asks for?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from course import check
from course.checks import CheckError

API_VERSION, KIND = "serving.kserve.io/v1beta1", "InferenceService"
ARGUMENT = "--grpc_max_receive_message_length=104857600"


def read(path: Path) -> dict[str, Any]:
    """The manifest. Raises CheckError where it is no YAML, or no object."""
    try:
        found = yaml.safe_load(path.read_text(errors="replace"))
    except FileNotFoundError:
        raise CheckError(f"Not yet: there is a manifest. Hint: {path} is gone: copy it from solutions/") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise CheckError(f"Not yet: {path} can be read as YAML. Hint: {where}{error.problem}") from None
    except yaml.YAMLError as error:
        raise CheckError(f"Not yet: {path} can be read as YAML. Hint: {' '.join(str(error).split())}") from None
    check(f"{path.name} holds one object", isinstance(found, dict), f"it holds {_kind(found)}")
    return dict(found)


def expect(found: dict[str, Any], *, name: str, namespace: str, image: str, uri: str, account: str) -> None:
    """Check the manifest field by field. Raises CheckError with what is wrong."""
    version, kind = found.get("apiVersion"), found.get("kind")
    hint = f"it is {version} {kind}: write apiVersion: {API_VERSION} and kind: {KIND}"
    check(f"it is an {KIND}", (version, kind) == (API_VERSION, KIND), hint)
    metadata = _object(found, "metadata", "the manifest")
    check(f"it is called {name}", metadata.get("name") == name, f"metadata.name is {metadata.get('name')}")
    hint = f"metadata.namespace is {metadata.get('namespace')}: leave it out, or write {namespace}"
    check(f"it is for the namespace {namespace}", metadata.get("namespace") in (None, namespace), hint)
    spec = _object(found, "spec", "the manifest")
    predictor = _object(spec, "predictor", "spec")
    _expect_container(_container(found, predictor), name=name, image=image, uri=uri)
    given = predictor.get("serviceAccountName")
    check("it may read the model", given == account, f"serviceAccountName is {given}: {account} has the credentials")


def _container(found: dict[str, Any], predictor: dict[str, Any]) -> dict[str, Any]:
    containers = predictor.get("containers")
    if containers is None:
        elsewhere = [place for place in (found, found["spec"]) if "containers" in place or "container" in place]
        misplaced = "it stands further to the left than it should" if elsewhere else "there is none yet"
        if "container" in predictor:
            misplaced = "it is called `container`, without its s"
        raise CheckError(f"Not yet: `predictor` has `containers`. Hint: {misplaced}: indent it below `predictor`")
    one = isinstance(containers, list) and len(containers) == 1 and isinstance(containers[0], dict)
    hint = f"`containers` is {_kind(containers)}: write a list of one object, which begins with `- name: kserve-container`"
    check("there is one container", one, hint)
    return dict(containers[0])


def _expect_container(container: dict[str, Any], *, name: str, image: str, uri: str) -> None:
    called, built = container.get("name"), container.get("image")
    check("it is called kserve-container", called == "kserve-container", f"it is called {called}")
    check(f"its image is {image}", str(built).split("/")[-1] == image, f"it is {built}: write the image that step 7 builds")
    variables = container.get("env") or []
    listed = isinstance(variables, list) and all(isinstance(one, dict) and "name" in one for one in variables)
    hint = f"`env` is {_kind(variables)}: each entry is an object with `name` and `value`, as `- name: MODEL_NAME`"
    check("its env is a list of names and values", listed, hint)
    values = {one["name"]: str(one.get("value", "")) for one in variables}
    for key, wanted in {"MODEL_NAME": name, "STORAGE_URI": uri}.items():
        hint = f"it is {values[key]}" if key in values else f"add an entry {{name: {key}, value: ...}} to env"
        check(f"{key} is {wanted}", values.get(key) == wanted, hint)
    arguments = container.get("args") or []
    right = isinstance(arguments, list) and ARGUMENT in arguments
    check("gRPC messages may have 100 MiB", right, f"`args` is {arguments}: write a list with {ARGUMENT}")


def _object(inside: dict[str, Any], field: str, of: str) -> dict[str, Any]:
    found = inside.get(field)
    if not isinstance(found, dict):
        raise CheckError(f"Not yet: {of} has `{field}`. Hint: `{field}` is {_kind(found)}: indent its fields below it")
    return found


def _kind(found: Any) -> str:
    """What there is instead, in a reader's words."""
    if found is None or found == "":
        return "empty"
    if isinstance(found, dict):
        return f"an object with {', '.join(map(str, found))}"
    return f"a list of {len(found)}" if isinstance(found, list) else f"the text {found!r}"
