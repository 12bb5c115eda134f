"""Which fields of an InferenceService and of a ServingRuntime are used, which are echoed, and that any other is refused.

Knative refuses many of a Pod's fields as well: https://knative.dev/docs/serving/configuration/feature-flags/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minipdk.controller.api import Object
from minipdk.services.kserve.errors import NotSupportedError

CONTAINER_FIELDS = frozenset(
    {"name", "image", "imagePullPolicy", "command", "args", "workingDir", "env", "envFrom", "ports", "resources"}
    | {"volumeMounts", "securityContext", "readinessProbe", "livenessProbe", "startupProbe"}
    | {"terminationMessagePath", "terminationMessagePolicy"}
)
MODEL_FIELDS = CONTAINER_FIELDS | {"modelFormat", "runtime", "runtimeVersion", "protocolVersion", "storageUri"}
FRAMEWORKS = ("sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm", "paddle")
"""The predictor's fields that are short for a model of that format."""
POD_FIELDS = frozenset({"volumes", "tolerations", "imagePullSecrets"})
PREDICTOR_FIELDS = POD_FIELDS | {
    *("model", "containers", "serviceAccountName", "annotations", "labels", "timeout", "minReplicas", "canaryTrafficPercent")
}
RUNTIME_FIELDS = POD_FIELDS | {
    *("containers", "annotations", "labels", "supportedModelFormats", "protocolVersions", "disabled", "multiModel")
}
ECHOED = frozenset({"maxReplicas", "scaleMetric", "scaleTarget"})
"""What has no meaning without an autoscaler."""
RUNTIME_ECHOED = frozenset(
    {"builtInAdapter", "grpcDataEndpoint", "grpcEndpoint", "httpDataEndpoint", "replicas", "storageHelper"}
)
"""What ModelMesh alone reads of a ServingRuntime."""


def used(found: Object, known: Iterable[str], where: str) -> Object:
    """The fields of ``found`` that are set. Raises NotSupportedError for one that is not ``known``."""
    fields = {name: value for name, value in found.items() if is_set(value)}
    for name in fields:
        if name not in known:
            raise NotSupportedError(f"{where}.{name}")
    return fields


def is_set(value: Any) -> bool:
    """Whether a field says anything: clients send some empty ones that nobody asked for."""
    return value not in (None, "", [], {}) and value is not False
