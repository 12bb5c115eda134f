"""An InferenceService's predictor as the template of a revision, from which its Pods are made.

A model gets the container of its ServingRuntime, overlaid by its own fields; a custom predictor brings its containers. Every
field is used, or echoed because it has no meaning on one machine, or refused by name, as Knative refuses many of a Pod's.
Spec: https://kserve.github.io/website/0.15/reference/api/
Knative: https://knative.dev/docs/serving/configuration/feature-flags/
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from minipdk.controller.objects import Object
from minipdk.services.kserve.container import filled_in, overlaid, serves_requests, tagged, with_variables
from minipdk.services.kserve.errors import InvalidSpecError, NotSupportedError, ReconcileError, StorageUriError
from minipdk.services.kserve.hosts import PREDICTOR_SUFFIX, VISIBILITY
from minipdk.services.kserve.probes import default_probes
from minipdk.services.kserve.runtimes import IMAGES
from minipdk.services.kserve.servingruntime import PROTOCOLS, TORCHSERVE, ServingRuntime
from minipdk.services.kserve.storage import SOURCE_ANNOTATION, check_uri

SERVICE_LABEL = "serving.kserve.io/inferenceservice"
DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
KNATIVE = "Knative"
FORMER_NAMES = {"Standard": "RawDeployment"}
AUTOSCALING = "autoscaling.knative.dev/"
MIN_SCALE, MAX_SCALE, SCALER = f"{AUTOSCALING}min-scale", f"{AUTOSCALING}max-scale", f"{AUTOSCALING}class"
KNATIVE_SCALER = f"kpa.{AUTOSCALING.rstrip('/')}"
NOT_PROPAGATED = (
    *(MIN_SCALE, MAX_SCALE, SOURCE_ANNOTATION, "kubectl.kubernetes.io/last-applied-configuration", "modelFormat"),
)
KSERVE_CONTAINER, TRANSFORMER_CONTAINER = "kserve-container", "transformer-container"
SERVICE_NAME = "INFERENCE_SERVICE_NAME"
"""The variable of every container since KServe 0.17."""
STORAGE_URI = "STORAGE_URI"
DEFAULT_PORT = 8080
PORT_OPTIONS = ("--http_port", "--grpc_port")
"""The arguments by which a model server listens on other ports than its runtime's."""
DEFAULT_TIMEOUT, LONGEST_TIMEOUT = 300, 600
"""Knative's seconds for a request."""
LONGEST_NAME = 63

CONTAINER_FIELDS = frozenset(
    {"name", "image", "imagePullPolicy", "command", "args", "workingDir", "env", "envFrom", "ports", "resources"}
    | {"volumeMounts", "securityContext", "readinessProbe", "livenessProbe", "startupProbe"}
    | {"terminationMessagePath", "terminationMessagePolicy"}
)
MODEL_FIELDS = CONTAINER_FIELDS | {"modelFormat", "runtime", "runtimeVersion", "protocolVersion", "storageUri"}
"""The API server has made a model of the older field of a framework."""
POD_FIELDS = frozenset({"volumes", "tolerations", "imagePullSecrets"})
PREDICTOR_FIELDS = POD_FIELDS | {
    *("model", "containers", "serviceAccountName", "annotations", "labels", "timeout", "minReplicas", "canaryTrafficPercent")
}
RUNTIME_FIELDS = POD_FIELDS | {
    *("containers", "annotations", "labels", "supportedModelFormats", "protocolVersions", "disabled", "multiModel")
}
ECHOED = frozenset({"maxReplicas", "scaleMetric", "scaleTarget"})
"""Fields of a predictor that have no meaning without an autoscaler."""
RUNTIME_ECHOED = frozenset(
    {"builtInAdapter", "grpcDataEndpoint", "grpcEndpoint", "httpDataEndpoint", "replicas", "storageHelper"}
)
"""Fields of a ServingRuntime that only ModelMesh reads."""


@dataclass(frozen=True)
class Template:
    """A Knative RevisionTemplateSpec. Equal templates make the same revision, whichever ``runtime`` serves its model."""

    labels: dict[str, str]
    annotations: dict[str, str]
    spec: Object
    runtime: ServingRuntime | None = field(default=None, compare=False)

    def hash(self) -> str:
        """Ten hexadecimal digits of a hash, like a Deployment's pod-template-hash."""
        content = {"labels": self.labels, "annotations": self.annotations, "spec": self.spec}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]


def read_predictor(isvc: Object, choose: Callable[[Object, str], ServingRuntime]) -> Template:
    """The template for ``isvc``; ``choose`` maps its model and namespace to a runtime. Raises ServiceError."""
    _check_mode(isvc["metadata"])
    for component in isvc["spec"]:
        if component != "predictor" and is_set(isvc["spec"][component]):
            raise NotSupportedError(f"spec.{component}")
    _check_name(isvc["metadata"]["name"] + PREDICTOR_SUFFIX)
    predictor = used(isvc["spec"]["predictor"], PREDICTOR_FIELDS | ECHOED, "spec.predictor")
    metadata = isvc["metadata"]
    if "model" in predictor:
        return _of_model(metadata, predictor, choose)
    source = storage_uri(predictor["containers"])
    if source is not None:
        check_uri(source, f"{STORAGE_URI} of spec.predictor.containers")
    return _template(metadata, predictor, predictor["containers"], source=source)


def _check_mode(metadata: Object) -> None:
    mode = (metadata.get("annotations") or {}).get(DEPLOYMENT_MODE, KNATIVE)
    if mode != KNATIVE:
        former = f" ({FORMER_NAMES[mode]})" if mode in FORMER_NAMES else ""
        raise NotSupportedError(f"annotation {DEPLOYMENT_MODE} {mode}{former}", "leave it out")


def _check_name(name: str) -> None:
    """A Knative Service's name is part of a host name."""
    if len(name) > LONGEST_NAME:
        raise ReconcileError(
            f"not a DNS 1035 label: [must be no more than {LONGEST_NAME} characters]: metadata.name ({name})"
        )


def used(spec: Object, known: Iterable[str], path: str) -> Object:
    """The fields of ``spec`` that are set. Raises NotSupportedError for a field that is not ``known``."""
    fields = {name: value for name, value in spec.items() if is_set(value)}
    for name in fields:
        if name not in known:
            raise NotSupportedError(f"{path}.{name}")
    return fields


def is_set(value: Any) -> bool:
    """Whether a field has content: clients send some empty fields that the user did not set."""
    return value not in (None, "", [], {}) and value is not False


def storage_uri(containers: list[Object]) -> str | None:
    """The location of a custom predictor's model: the variable STORAGE_URI of its kserve-container."""
    for container in containers:
        if container.get("name") == KSERVE_CONTAINER:
            values = (variable.get("value") for variable in container.get("env") or [] if variable["name"] == STORAGE_URI)
            return next(values, None)
    return None


def _of_model(metadata: Object, predictor: Object, choose: Callable[[Object, str], ServingRuntime]) -> Template:
    source, storage = predictor["model"].get("storageUri"), predictor["model"].get("storage")
    if source is not None and isinstance(storage, dict) and storage.get("path"):
        raise StorageUriError("must provide only one of storageUri and storage.path")
    if source:
        check_uri(source, "spec.predictor.model.storageUri")
    given = {"modelFormat": {"name": ""}, **predictor["model"]}
    runtime = choose(given, metadata["namespace"])
    model = used(given, MODEL_FIELDS, "spec.predictor.model")
    spec = used(runtime.spec, RUNTIME_FIELDS | RUNTIME_ECHOED, f"ServingRuntime {runtime.name}: spec")
    protocol = model.get("protocolVersion") or PROTOCOLS[runtime.preferred_protocol % len(PROTOCOLS)]
    metadata, model = _with_torchserve_defaults(metadata, model, runtime, protocol)
    main, sidecars = _containers_of(spec)
    main = overlaid(main, {name: value for name, value in model.items() if name in CONTAINER_FIELDS})
    if "runtimeVersion" in model:
        main["image"] = tagged(main.get("image", ""), model["runtimeVersion"])
    main = filled_in(main, metadata, runtime.name)
    if main.get("image") in IMAGES and not source:
        raise NotSupportedError(
            "a model without a storageUri", "name the place of its files in spec.predictor.model.storageUri"
        )
    others = predictor.get("containers") or []
    if any(container["name"] == TRANSFORMER_CONTAINER for container in others):
        main.pop("ports", None)  # requests go to the transformer
    containers = [main, *sidecars, *others]
    pod = {name: [*spec.get(name, []), *predictor.get(name, [])] for name in POD_FIELDS}
    pod["volumes"] = list({volume["name"]: volume for volume in pod["volumes"]}.values())
    own = "command" in model or any(argument.startswith(PORT_OPTIONS) for argument in model.get("args") or ())
    return _template(metadata, {**predictor, **pod}, containers, source=source, runtime=runtime, own_command=own)


def _with_torchserve_defaults(
    metadata: Object, model: Object, runtime: ServingRuntime, protocol: str
) -> tuple[Object, Object]:
    """The label and variable that KServe adds for TorchServe, whose request envelope depends on the protocol."""
    if runtime.server_type != TORCHSERVE:
        return metadata, model
    envelope = "kserve" if protocol == "v1" else "kservev2"
    variables = [*(model.get("env") or []), {"name": "PROTOCOL_VERSION", "value": protocol}]
    return (
        {**metadata, "labels": {**(metadata.get("labels") or {}), "serviceEnvelope": envelope}},
        {**model, "env": variables},
    )


def _containers_of(spec: Object) -> tuple[Object, list[Object]]:
    """The runtime's container that serves the model, and its others."""
    containers = spec.get("containers") or []
    if not containers:
        raise InvalidSpecError("no container configuration found in selected serving runtime")
    main = next((container for container in containers if container["name"] == KSERVE_CONTAINER), None)
    if main is None:
        raise InvalidSpecError(f"failed to find {KSERVE_CONTAINER} in ServingRuntime containers")
    return main, [container for container in containers if container is not main]


def _template(
    metadata: Object,
    predictor: Object,
    containers: list[Object],
    *,
    source: str | None,
    runtime: ServingRuntime | None = None,
    own_command: bool = True,
) -> Template:
    """The template with the labels and annotations of the runtime, the InferenceService and the predictor."""
    layers = (runtime.spec if runtime else {}, metadata, predictor)
    labels, annotations = (
        {key: value for layer in layers for key, value in (layer.get(kind) or {}).items()}
        for kind in ("labels", "annotations")
    )
    annotations = {key: value for key, value in annotations.items() if key not in NOT_PROPAGATED}
    annotations = {SCALER: KNATIVE_SCALER, **annotations, **_scaling(predictor)}
    if source is not None:
        annotations[SOURCE_ANNOTATION] = source
    containers = [with_variables(container, {SERVICE_NAME: metadata["name"]}) for container in _checked(containers)]
    return Template(
        labels={
            **{key: value for key, value in labels.items() if key != VISIBILITY},
            SERVICE_LABEL: metadata["name"],
            "component": "predictor",
        },
        annotations=annotations,
        spec={
            "containers": containers,
            "serviceAccountName": predictor.get("serviceAccountName", "default"),
            "timeoutSeconds": _timeout(predictor),
            **{name: predictor[name] for name in sorted(POD_FIELDS) if predictor.get(name)},
            **({"hostNetwork": True} if _is_ours(containers, own_command=own_command) else {}),
        },
        runtime=runtime,
    )


def _scaling(predictor: Object) -> dict[str, str]:
    """Knative's annotations for the fields of the autoscaler."""
    fields = {"max-scale": "maxReplicas", "target": "scaleTarget", "metric": "scaleMetric"}
    given = {f"{AUTOSCALING}{name}": str(predictor[key]) for name, key in fields.items() if predictor.get(key) is not None}
    return {MIN_SCALE: str(predictor.get("minReplicas", 1)), **given}


def _is_ours(containers: list[Object], *, own_command: bool) -> bool:
    """Whether the Pod runs only a program of minipdk, which can listen on any port."""
    return len(containers) == 1 and containers[0]["image"] in IMAGES and not own_command


def _checked(containers: list[Object]) -> list[Object]:
    """The containers with Knative's defaults: a port, and a readiness probe of it."""
    checked = [used(spec, CONTAINER_FIELDS, f"spec.predictor.containers[{spec.get('name', '')}]") for spec in containers]
    for index, container in enumerate(checked):
        if missing := [name for name in ("image", "name") if name not in container]:
            where = ", ".join(f"spec.template.spec.containers[{index}].{name}" for name in missing)
            raise ReconcileError(f"missing field(s): {where}")
    serving = serves_requests(checked)
    if all(container["name"] != KSERVE_CONTAINER for container in checked):
        raise InvalidSpecError(f"Invalid configuration: cannot find container: {KSERVE_CONTAINER}")
    serving.setdefault("ports", [{"name": "user-port", "containerPort": DEFAULT_PORT, "protocol": "TCP"}])
    serving.setdefault("readinessProbe", {"tcpSocket": {}, "successThreshold": 1})
    return [default_probes(container, serving["ports"][0]["containerPort"]) for container in checked]


def _timeout(predictor: Object) -> int:
    timeout: int = predictor.get("timeout") or DEFAULT_TIMEOUT
    if not 0 <= timeout <= LONGEST_TIMEOUT:
        raise ReconcileError(f"expected 0 <= {timeout} <= {LONGEST_TIMEOUT}: spec.template.spec.timeoutSeconds")
    return timeout
