"""The changes that KServe's mutating webhook makes to an InferenceService before its fields are checked.

A framework's field becomes `model`, a custom container gets its name and its resources, and every field that KServe's Go
types always write is there, if only with its zero value.
Rules: https://github.com/kserve/kserve/blob/master/pkg/apis/serving/v1beta1/inference_service_defaults.go
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from minipdk.services.kubernetes.model import Object

DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
KNATIVE, STANDARD, MODEL_MESH = "Knative", "Standard", "ModelMesh"
FORMER_MODES = {"RawDeployment": STANDARD, "Serverless": KNATIVE}
"""The former names of deployment modes, and their names since KServe 0.16."""
MODEL_FORMAT = "modelFormat"
"""A model's field, and the annotation that repeats its name since KServe 0.17."""
FRAMEWORKS = ("sklearn", "tensorflow", "xgboost", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm", "paddle")
"""The older fields for a model of that format, in the order in which KServe looks for them."""
V2_FRAMEWORKS, V2_FORMATS = ("triton", "onnx", "huggingface"), ("triton", "vLLM")
COMPONENTS = ("predictor", "transformer", "explainer")
KSERVE_CONTAINER = "kserve-container"
DEFAULT_RESOURCES = {"cpu": "1", "memory": "2Gi"}
"""The requests and the limits of a custom container without its own, as in KServe's ConfigMap."""
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HANDLERS_WITH_PORT = ("httpGet", "tcpSocket", "grpc")


def default(service: Object) -> None:
    """Change ``service``, which a server-side apply has merged, as `defaulted` does."""
    changed = defaulted(service)
    service["metadata"].update(changed["metadata"])
    service.update({name: value for name, value in changed.items() if name != "metadata"})


def defaulted(service: Object) -> Object:
    """``service`` as the webhook leaves it. It may have wrong values: these are reported later, and stay as they are."""
    changed = copy.deepcopy(service)
    metadata, spec = changed["metadata"], _object(changed.get("spec"))
    annotations = _object(metadata.get("annotations"))
    if mode := FORMER_MODES.get(str(annotations.get(DEPLOYMENT_MODE))):
        annotations[DEPLOYMENT_MODE] = mode
    predictor = _object(spec.get("predictor"))
    if annotations.get(DEPLOYMENT_MODE) != MODEL_MESH:
        _name_format(predictor)
        _default_protocol(_object(predictor.get("model")))
        _annotate(metadata, predictor)
        if not isinstance(predictor.get("model"), dict):
            _default_predictor_container(predictor)
    for component in (_object(spec.get(name)) for name in COMPONENTS[1:]):
        for container in _objects(component.get("containers"))[:1]:
            _default_container(container)
    for container in _containers(spec):
        _write_zeros(container)
    return changed


def _name_format(predictor: Object) -> None:
    """Make a model of the first framework's field, which replaces a model that is there."""
    framework = next((name for name in FRAMEWORKS if isinstance(predictor.get(name), dict)), None)
    if framework:
        protocol = {"protocolVersion": "v2"} if framework in V2_FRAMEWORKS else {}
        predictor["model"] = {MODEL_FORMAT: {"name": framework}, **protocol, **predictor.pop(framework)}
    elif isinstance(model := predictor.get("model"), dict):
        model.setdefault(MODEL_FORMAT, {"name": ""})


def _default_protocol(model: Object) -> None:
    if _object(model.get(MODEL_FORMAT)).get("name") in V2_FORMATS:
        model.setdefault("protocolVersion", "v2")


def _annotate(metadata: Object, predictor: Object) -> None:
    """Repeat the model's format in an annotation, unless the user has set it."""
    name = _object(_object(predictor.get("model")).get(MODEL_FORMAT)).get("name")
    if name and isinstance(name, str):
        metadata["annotations"] = {MODEL_FORMAT: name, **_object(metadata.get("annotations"))}


def _default_predictor_container(predictor: Object) -> None:
    containers = _objects(predictor.get("containers"))
    names = [container.get("name") for container in containers]
    if not containers or names.count(KSERVE_CONTAINER) > 1:
        return
    if len(containers) == 1 or not names[0]:
        containers[0]["name"] = KSERVE_CONTAINER
    _default_resources(containers[0])


def _default_container(container: Object) -> None:
    container["name"] = KSERVE_CONTAINER
    _default_resources(container)


def _default_resources(container: Object) -> None:
    resources = container.setdefault("resources", {})
    if isinstance(resources, dict):
        for kind in ("requests", "limits"):
            resources[kind] = {**DEFAULT_RESOURCES, **_object(resources.get(kind))}


def _containers(spec: Object) -> Iterator[Object]:
    """Everything that is a container in KServe's types: models and explainers are, too."""
    canaries = [_object(canary.get("predictor")) for canary in _objects(spec.get("canary"))]
    for component in (*(_object(spec.get(name)) for name in COMPONENTS), *canaries):
        for name in ("containers", "initContainers"):
            yield from _objects(component.get(name))
        yield from (component[name] for name in (*FRAMEWORKS, "model", "art") if isinstance(component.get(name), dict))


def _write_zeros(container: Object) -> None:
    """Add the fields that Go writes even if they are not set."""
    for name, zero in (("name", ""), ("resources", {})):
        container.setdefault(name, copy.copy(zero))
    for probe in (_object(container.get(name)) for name in PROBES):
        for handler in (probe[name] for name in HANDLERS_WITH_PORT if isinstance(probe.get(name), dict)):
            handler.setdefault("port", 0)


def _object(value: Any) -> Object:
    """``value``, or an empty object if it is none."""
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Object]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
