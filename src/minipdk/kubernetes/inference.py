"""What KServe's admission webhook accepts as an InferenceService.

Rules: https://kserve.github.io/website/latest/reference/api/. Whether this cluster has a runtime for a model format is
the serving controller's to say, in the InferenceService's status.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from minipdk.kubernetes.errors import ForbiddenError, Subject
from minipdk.kubernetes.resources import SERVING, Object

WEBHOOK = "inferenceservice.kserve-webhook-server.validator"
NAME = "[a-z]([-a-z0-9]*[a-z0-9])?"
FRAMEWORKS = (
    "sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm", "paddle", "model",
)  # fmt: skip
COMPONENTS = ("predictor", "transformer", "explainer")
STORAGE_SCHEMES = ("gs://", "s3://", "pvc://", "file://", "https://", "http://", "hdfs://", "webhdfs://", "hf://", "oci://")


def admit(service: Object) -> None:
    """Raise ForbiddenError, worded as the webhook's denial, for an InferenceService that KServe would not take."""
    name = service["metadata"]["name"]
    for reason in _faults(name, service.get("spec") or {}):
        subject = Subject(SERVING, "inferenceservices", name)
        raise ForbiddenError(f'admission webhook "{WEBHOOK}" denied the request: {reason}', subject)


def _faults(name: str, spec: Object) -> Iterator[str]:
    if not re.fullmatch(NAME, name):
        yield (
            f'the InferenceService "{name}" is invalid: a InferenceService name must consist of lower case alphanumeric '
            'characters or \'-\', and must start with alphabetical character. (e.g. "my-name" or "abc-123", regex used '
            f"for validation is '{NAME}')"
        )
    for component in COMPONENTS:
        if component in spec:
            yield from _component_faults(component, spec[component])
    yield from _predictor_faults(spec.get("predictor") or {})


def _predictor_faults(predictor: Object) -> Iterator[str]:
    chosen = [one for one in FRAMEWORKS if one in predictor]
    if predictor.get("containers"):
        chosen.append("containers")
    if len(chosen) != 1:
        found = f"found {', '.join(chosen)}" if chosen else "found none"
        yield f"Exactly one of [{', '.join((*FRAMEWORKS, 'containers'))}] must be specified in spec.predictor: {found}"
        return
    if chosen == ["containers"]:
        return
    model = predictor[chosen[0]]
    if chosen == ["model"] and not (model.get("modelFormat") or {}).get("name"):
        yield "spec.predictor.model.modelFormat.name must be specified"
    yield from _storage_faults(f"spec.predictor.{chosen[0]}", model)


def _storage_faults(path: str, model: Object) -> Iterator[str]:
    uri = model.get("storageUri")
    if uri is None:
        return
    if "storage" in model:
        yield f"{path}.storageUri and {path}.storage cannot both be specified"
    scheme = re.match(r"[a-z0-9]+://", uri)
    if not uri or (scheme and scheme[0] not in STORAGE_SCHEMES):
        yield (
            f"{path}.storageUri must begin with one of [{', '.join(STORAGE_SCHEMES)}] or be an absolute or relative local "
            f"path. StorageUri [{uri}] is not supported"
        )


def _component_faults(name: str, component: Object) -> Iterator[str]:
    least, most = component.get("minReplicas"), component.get("maxReplicas")
    for field in ("minReplicas", "maxReplicas", "containerConcurrency"):
        if (component.get(field) or 0) < 0:
            yield f"spec.{name}.{field} cannot be less than 0"
    if least is not None and most and least > most:
        yield f"spec.{name}.minReplicas ({least}) cannot be greater than spec.{name}.maxReplicas ({most})"
    traffic = component.get("canaryTrafficPercent")
    if traffic is not None and not 0 <= traffic <= 100:
        yield f"spec.{name}.canaryTrafficPercent must be between 0 and 100, not {traffic}"
