"""The rules by which KServe's validating webhook denies an InferenceService, after its defaults have been filled in.

Rules: https://github.com/kserve/kserve/blob/master/pkg/apis/serving/v1beta1/inference_service_validation.go. What passes may
still not be served by this cluster: the service's status says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from minipdk.services.kubernetes.errors import Cause, required, unsupported_value
from minipdk.services.kubernetes.kinds.custom.environment import blocked_variables, variables
from minipdk.services.kubernetes.kinds.custom.inference_service_defaults import (
    COMPONENTS,
    DEPLOYMENT_MODE,
    FORMER_MODES,
    FRAMEWORKS,
    KSERVE_CONTAINER,
    STANDARD,
)
from minipdk.services.kubernetes.model import Object

NAME_PATTERN = "[a-z]([-a-z0-9]*[a-z0-9])?"
IMPLEMENTATIONS = {
    "predictor": (
        *("Name", "SKLearn", "XGBoost", "Tensorflow", "PyTorch", "Triton", "ONNX", "HuggingFace", "PMML", "LightGBM"),
        *("Paddle", "Model", "StorageUris", "StorageContainerName", "WorkerSpec", "PodSpec"),
    ),
    "transformer": ("PodSpec", "ComponentExtensionSpec"),
    "explainer": ("ART", "PodSpec", "ComponentExtensionSpec"),
}
"""The names that KServe lists when a component has none of its implementations, or several."""
TRANSFORMER_CONTAINER = "transformer-container"
AUTOSCALER_CLASS, KNATIVE_CLASS = "serving.kserve.io/autoscalerClass", "autoscaling.knative.dev/class"
KNATIVE_HPA = "hpa.autoscaling.knative.dev"
AUTOSCALERS = ("hpa", "external", "keda", "none")
SCALE_METRICS = ("cpu", "memory", "concurrency", "rps")
HPA_METRICS, KPA_METRICS = SCALE_METRICS[:2], SCALE_METRICS[2:]
LOGGER_MODES = ("all", "request", "response")
PARALLEL_SIZES = {"pipelineParallelSize": "PipelineParallelSize", "tensorParallelSize": "TensorParallelSize"}
PARALLEL_VARIABLES = ("PIPELINE_PARALLEL_SIZE", "TENSOR_PARALLEL_SIZE")
MULTI_NODE_STORAGE = ("pvc", "oci")


def schema_faults(service: Object) -> Iterator[Cause]:
    """The faults that the CustomResourceDefinition finds and the client's models do not declare."""
    model = service.get("spec", {}).get("predictor", {}).get("model") or {}
    if "name" not in model.get("modelFormat", {"name": ""}):
        yield required("spec.predictor.model.modelFormat.name")
    for name in COMPONENTS:
        component = service.get("spec", {}).get(name) or {}
        metric, mode = component.get("scaleMetric"), (component.get("logger") or {}).get("mode")
        if metric is not None and metric not in SCALE_METRICS:
            yield unsupported_value(f"spec.{name}.scaleMetric", metric, SCALE_METRICS)
        if mode is not None and mode not in LOGGER_MODES:
            yield unsupported_value(f"spec.{name}.logger.mode", mode, LOGGER_MODES)


def faults(service: Object, old: Object | None) -> Iterator[str]:
    """Why the webhook denies ``service``, which replaces ``old`` if that is given; the first reason is KServe's answer."""
    spec, annotations = service.get("spec") or {}, service["metadata"].get("annotations") or {}
    if old:
        yield from _another_mode(annotations, old)
    invalid = f'the InferenceService "{service["metadata"]["name"]}" is invalid'
    yield from _name_faults(service["metadata"]["name"], invalid)
    if annotations.get(AUTOSCALER_CLASS, "none") not in AUTOSCALERS:
        yield f"[{annotations[AUTOSCALER_CLASS]}] is not a supported autoscaler class type"
    predictor = spec.get("predictor") or {}
    yield from (f"{invalid}: {reason}" for reason in blocked_variables(_containers(spec)))
    yield from (f"{invalid}: {reason}" for reason in _multi_node_faults(predictor, annotations))
    yield from _predictor_faults(predictor)
    for component in COMPONENTS:
        if spec.get(component) is not None:
            yield from _component_faults(component, spec[component], annotations)
    if spec.get("canary") and annotations.get(DEPLOYMENT_MODE) != STANDARD:
        yield f"canary is only supported in {STANDARD} deployment mode"


def _another_mode(annotations: Object, old: Object) -> Iterator[str]:
    """The mode in which a service runs cannot be changed, since KServe 0.15.2."""
    recorded, mode = (old.get("status") or {}).get("deploymentMode", ""), annotations.get(DEPLOYMENT_MODE)
    known = FORMER_MODES.get(recorded, recorded)
    if known and mode is not None and mode != known:
        yield f"update rejected: deploymentMode cannot be changed from '{known}' to '{mode}'"


def _name_faults(name: str, invalid: str) -> Iterator[str]:
    if not re.fullmatch(NAME_PATTERN, name):
        yield (
            f"{invalid}: a InferenceService name must consist of lower case alphanumeric characters or '-', and must start "
            'with alphabetical character. (e.g. "my-name" or "abc-123", regex used for validation is '
            f"'{NAME_PATTERN}')"
        )


def _containers(spec: Object) -> Iterator[Object]:
    """The containers of every component, models and explainers included."""
    for component in (spec.get(name) or {} for name in COMPONENTS):
        for part in (component, component.get("workerSpec") or {}):
            yield from (*(part.get("containers") or ()), *(part.get("initContainers") or ()))
        yield from (component[name] for name in ("model", *FRAMEWORKS, "art") if component.get(name))


def _multi_node_faults(predictor: Object, annotations: Object) -> Iterator[str]:
    """The rules for a predictor with several nodes."""
    if (worker := predictor.get("workerSpec")) is None:
        return
    if len(worker.get("containers") or ()) > 1:
        yield "setting multiple containers in workerSpec is not allowed"
    if model := predictor.get("model"):
        yield from parallel_variables(model)
        scheme = (model.get("storageUri") or "").partition("://")[0]
        if model.get("storageUri") is None:
            yield "StorageURI must be set for multinode enabled"
        elif scheme not in MULTI_NODE_STORAGE:
            yield f"Multinode only supports 'pvc' and 'oci' Storage Protocol({scheme})"
        if (scaler := annotations.get(AUTOSCALER_CLASS, "")) != "none":
            yield f"Multinode only supports 'none' autoscaler({scaler})"
    yield from (f"WorkerSpec.{reason}" for reason in parallel_sizes(worker))


def parallel_variables(container: Object) -> Iterator[str]:
    """The variables that the fields of a workerSpec set instead."""
    for name in PARALLEL_VARIABLES:
        if name in variables(container):
            yield f"setting {name} in environment variables is not allowed"


def parallel_sizes(worker: Object) -> Iterator[str]:
    """The numbers in a workerSpec that are too small."""
    for field, name in PARALLEL_SIZES.items():
        if worker.get(field) is not None and worker[field] < 1:
            yield f"{name} cannot be less than 1({worker[field]})"


def _predictor_faults(predictor: Object) -> Iterator[str]:
    containers = predictor.get("containers") or ()
    transformers = (container for container in containers if container.get("name") == TRANSFORMER_CONTAINER)
    if "STORAGE_URI" in variables(next(transformers, {})):
        yield "storage uri should not be specified in transformer container"
    if any((predictor.get(name) or {}).get("name") for name in ("model", *FRAMEWORKS)):
        yield "the 'name' field is not allowed in standard predictor"


def _component_faults(name: str, component: Object, annotations: Object) -> Iterator[str]:
    count = _implementations(name, component)
    if count != 1:
        kind = f"{name.capitalize()}Spec"
        yield f"exactly one of [{', '.join(IMPLEMENTATIONS[name])}] must be specified in {kind}"
    if name == "predictor" and not any(component.get(field) is not None for field in ("model", *FRAMEWORKS)):
        protocol = variables(next(iter(component.get("containers") or ()), {})).get("PROTOCOL", "v1")
        if protocol not in ("v1", "v2"):
            yield f"invalid protocol {protocol}. Must be one of [v1, v2]"
    yield from _extension_faults(component)
    yield from _scaling_faults(component, annotations)


def _implementations(name: str, component: Object) -> int:
    """How many implementations a component has; containers beside a predictor's model are none."""
    containers = [container.get("name") for container in component.get("containers") or ()]
    if name != "predictor":
        return sum((component.get("art") is not None, bool(containers)))
    models = sum(component.get(field) is not None for field in ("model", *FRAMEWORKS))
    custom = containers.count(KSERVE_CONTAINER)
    return models + custom or int(bool(containers))


def _extension_faults(component: Object) -> Iterator[str]:
    least, most = component.get("minReplicas"), component.get("maxReplicas") or 0
    least = 1 if least is None else least
    if (component.get("containerConcurrency") or 0) < 0:
        yield "parallelism cannot be less than 0"
    if least < 0:
        yield "'MinReplicas' cannot be less than 0"
    if most < 0:
        yield "'MaxReplicas' cannot be less than 0"
    if least > most > 0:
        yield "'MinReplicas' cannot be greater than MaxReplicas"
    if (logger := component.get("logger")) is not None and logger.get("mode") not in LOGGER_MODES:
        yield "invalid logger type"


def _scaling_faults(component: Object, annotations: Object) -> Iterator[str]:
    """The rules of the autoscaler that the deployment mode and the annotations choose."""
    scaler = annotations.get(AUTOSCALER_CLASS)
    if annotations.get(DEPLOYMENT_MODE) != STANDARD:
        hpa = annotations.get(KNATIVE_CLASS) == KNATIVE_HPA
        yield from _hpa_faults(component) if hpa else _kpa_faults(component)
    elif scaler == "hpa":
        yield from _hpa_faults(component)
    elif scaler == "keda" and component.get("scaleMetric") is not None:
        yield "ScaleMetric is not supported for KEDA"


def _hpa_faults(component: Object) -> Iterator[str]:
    """Kubernetes' autoscaler, by CPU and memory."""
    metric, target = component.get("scaleMetric") or HPA_METRICS[0], component.get("scaleTarget")
    if metric not in HPA_METRICS:
        yield f"[{metric}] is not a supported metric"
    if target is not None and (target > 100 or (metric == "cpu" and target < 1)):
        yield "the target utilization percentage should be a [1-100] integer"
    if target is not None and metric == "memory" and target < 1:
        yield "the target memory should be greater than 1 MiB"


def _kpa_faults(component: Object) -> Iterator[str]:
    """Knative's autoscaler, by requests."""
    metric, target = component.get("scaleMetric") or KPA_METRICS[0], component.get("scaleTarget")
    if component.get("deploymentStrategy") is not None:
        yield "customizing deploymentStrategy is only supported for raw deployment mode"
    if metric not in KPA_METRICS:
        yield f"[{metric}] is not a supported metric"
    if metric == "rps" and target is not None and target < 1:
        yield "the target for rps should be greater than 1"
