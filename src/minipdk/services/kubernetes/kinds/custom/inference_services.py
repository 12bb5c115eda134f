"""InferenceServices, and the rules by which KServe's admission webhook denies them.

Rules: https://kserve.github.io/website/latest/reference/api/. The status, which KServe's controller writes, reports whether
this cluster can serve one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from minipdk.services.kubernetes.errors import ForbiddenError, Subject
from minipdk.services.kubernetes.kinds.columns import CUSTOM_AGE, NAME, at, condition, custom
from minipdk.services.kubernetes.model import Cell, Column, Object, Peers, Resource, Strategy, status_of

SERVING = "serving.kserve.io"
WEBHOOK = "inferenceservice.kserve-webhook-server.validator"
NAME_PATTERN = "[a-z]([-a-z0-9]*[a-z0-9])?"
FRAMEWORKS = {
    "sklearn": "SKLearn",
    "xgboost": "XGBoost",
    "tensorflow": "Tensorflow",
    "pytorch": "PyTorch",
    "triton": "Triton",
    "onnx": "ONNX",
    "huggingface": "HuggingFace",
    "pmml": "PMML",
    "lightgbm": "LightGBM",
    "paddle": "Paddle",
}
"""Fields that abbreviate a model of that format, and the names of their types in KServe."""
PREDICTORS = (*FRAMEWORKS.values(), "Model", "WorkerSpec", "PodSpec")
COMPONENTS = ("predictor", "transformer", "explainer")
KSERVE_CONTAINER, TRANSFORMER_CONTAINER = "kserve-container", "transformer-container"
AUTOSCALER_CLASS = "serving.kserve.io/autoscalerClass"
AUTOSCALERS = ("hpa", "keda", "external")
SCALE_METRICS = ("concurrency", "rps")
LOGGER_MODES = ("all", "request", "response")


def admit(service: Object, _peers: Peers) -> None:
    """Raise ForbiddenError, worded as the webhook's denial, for an InferenceService that KServe would refuse."""
    name = service["metadata"]["name"]
    for reason in _faults(service, service.get("spec") or {}):
        subject = Subject(SERVING, "inferenceservices", name)
        raise ForbiddenError(f'admission webhook "{WEBHOOK}" denied the request: {reason}', subject)


def _faults(service: Object, spec: Object) -> Iterator[str]:
    name = service["metadata"]["name"]
    if not re.fullmatch(NAME_PATTERN, name):
        yield (
            f'the InferenceService "{name}" is invalid: a InferenceService name must consist of lower case alphanumeric '
            'characters or \'-\', and must start with alphabetical character. (e.g. "my-name" or "abc-123", regex used '
            f"for validation is '{NAME_PATTERN}')"
        )
    autoscaler = (service["metadata"].get("annotations") or {}).get(AUTOSCALER_CLASS)
    if autoscaler is not None and autoscaler not in AUTOSCALERS:
        yield f"[{autoscaler}] is not a supported autoscaler class type"
    predictor = spec.get("predictor") or {}
    yield from _predictor_faults(predictor)
    for component in COMPONENTS:
        if component in spec:
            yield from _component_faults(component, spec[component])


def _predictor_faults(predictor: Object) -> Iterator[str]:
    chosen = [f"{name}" for name in (*FRAMEWORKS, "model") if predictor.get(name) is not None]
    containers = {container.get("name", ""): container for container in predictor.get("containers") or ()}
    if containers and (KSERVE_CONTAINER in containers or not chosen):
        chosen.append("containers")
    if len(chosen) != 1:
        given = " and ".join(chosen) or "none of them"
        rule = f"exactly one of [{', '.join(PREDICTORS)}] must be specified in PredictorSpec"
        yield f"{rule}: spec.predictor has {given}"
    if "STORAGE_URI" in _variables(containers.get(TRANSFORMER_CONTAINER, {})):
        yield "storage uri should not be specified in transformer container"
    if chosen == ["containers"]:
        protocol = _variables(next(iter(predictor["containers"]))).get("PROTOCOL", "v1")
        if protocol not in ("v1", "v2"):
            yield f"invalid protocol {protocol}. Must be one of [v1, v2]"
    elif chosen == ["model"] and not (predictor["model"].get("modelFormat") or {}).get("name"):
        yield "spec.predictor.model.modelFormat.name must be specified"


def _variables(container: Object) -> dict[str, str]:
    return {variable["name"]: variable.get("value", "") for variable in container.get("env") or ()}


def _component_faults(name: str, component: Object) -> Iterator[str]:
    least, most = component.get("minReplicas", 1), component.get("maxReplicas") or 0
    if (component.get("containerConcurrency") or 0) < 0:
        yield "parallelism cannot be less than 0"
    if least < 0:
        yield "'MinReplicas' cannot be less than 0"
    if most < 0:
        yield "'MaxReplicas' cannot be less than 0"
    if least > most > 0:
        yield "'MinReplicas' cannot be greater than MaxReplicas"
    if (logger := component.get("logger")) and logger.get("mode") not in LOGGER_MODES:
        yield "invalid logger type"
    if component.get("deploymentStrategy"):
        yield "customizing deploymentStrategy is only supported for raw deployment mode"
    metric, target = component.get("scaleMetric", SCALE_METRICS[0]), component.get("scaleTarget")
    if metric not in SCALE_METRICS:
        yield f"[{metric}] is not a supported metric"
    if metric == "rps" and target is not None and target < 1:
        yield "the target for rps should be greater than 1"
    traffic = component.get("canaryTrafficPercent")
    if traffic is not None and not 0 <= traffic <= 100:  # Knative's rule, which it would report later
        yield f"expected 0 <= {traffic} <= 100: spec.{name}.canaryTrafficPercent"


def _traffic(field: str, is_target: Callable[[Object], bool]) -> Callable[[Object], Cell]:
    """A field of the predictor's traffic target that ``is_target`` chooses, as in KServe's printer columns."""

    def cell(service: Object) -> Cell:
        targets = at(service, "status", "components", "predictor", "traffic", default=())
        return next((target.get(field) for target in targets if is_target(target)), None)

    return cell


def _is_previous(target: Object) -> bool:
    return target.get("tag") == "prev"


def _is_latest(target: Object) -> bool:
    return bool(target.get("latestRevision"))


INFERENCE_SERVICES = Resource(
    *(SERVING, "v1beta1", "InferenceService", "inferenceservices", ("isvc",)),
    subresources=(status_of("InferenceService"),),
    model="V1beta1InferenceService",
    custom=True,
    description="A model behind an HTTP endpoint: where its files are, in which format, and how it is served.",
    strategy=Strategy(admit=admit),
    columns=(
        NAME,
        Column("URL", custom("status", "url")),
        Column("Ready", condition("Ready")),
        Column("Prev", _traffic("percent", _is_previous), kind="integer"),
        Column("Latest", _traffic("percent", _is_latest), kind="integer"),
        Column("PrevRolledoutRevision", _traffic("revisionName", _is_previous)),
        Column("LatestReadyRevision", _traffic("revisionName", _is_latest)),
        CUSTOM_AGE,
    ),
)
