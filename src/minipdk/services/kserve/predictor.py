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
from dataclasses import asdict, dataclass
from typing import Any

from minipdk.controller.objects import Object
from minipdk.services.kserve.container import filled_in, overlaid, serves_requests, tagged
from minipdk.services.kserve.errors import InvalidSpecError, NotSupportedError
from minipdk.services.kserve.runtimes import IMAGES
from minipdk.services.kserve.servingruntime import PROTOCOLS, ServingRuntime
from minipdk.services.kserve.storage import SOURCE_ANNOTATION, check_uri

SERVICE_LABEL = "serving.kserve.io/inferenceservice"
DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
SERVERLESS = ("Serverless", "Knative")
MIN_SCALE, MAX_SCALE = "autoscaling.knative.dev/min-scale", "autoscaling.knative.dev/max-scale"
NOT_PROPAGATED = (MIN_SCALE, MAX_SCALE, SOURCE_ANNOTATION, "kubectl.kubernetes.io/last-applied-configuration")
KSERVE_CONTAINER, TRANSFORMER_CONTAINER = "kserve-container", "transformer-container"
TORCHSERVE = "kserve-torchserve"
V2_FRAMEWORKS = ("triton", "onnx", "huggingface")
STORAGE_URI = "STORAGE_URI"
DEFAULT_PORT = 8080
DEFAULT_TIMEOUT = 300

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
"""Fields of a predictor that have no meaning without an autoscaler."""
RUNTIME_ECHOED = frozenset(
    {"builtInAdapter", "grpcDataEndpoint", "grpcEndpoint", "httpDataEndpoint", "replicas", "storageHelper"}
)
"""Fields of a ServingRuntime that only ModelMesh reads."""


@dataclass(frozen=True)
class Template:
    """A Knative RevisionTemplateSpec. Equal templates make the same revision."""

    labels: dict[str, str]
    annotations: dict[str, str]
    spec: Object

    def hash(self) -> str:
        """Ten hexadecimal digits of a hash, like a Deployment's pod-template-hash."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:10]


def read_predictor(isvc: Object, choose: Callable[[Object, str], ServingRuntime]) -> Template:
    """The template for ``isvc``; ``choose`` maps its model and namespace to a runtime. Raises InvalidSpecError."""
    for component in isvc["spec"]:
        if component != "predictor" and is_set(isvc["spec"][component]):
            raise NotSupportedError(f"spec.{component}")
    mode = (isvc["metadata"].get("annotations") or {}).get(DEPLOYMENT_MODE, SERVERLESS[0])
    if mode not in SERVERLESS:
        raise NotSupportedError(f"annotation {DEPLOYMENT_MODE} {mode}", "leave it out")
    predictor = used(_in_full(isvc["spec"]["predictor"]), PREDICTOR_FIELDS | ECHOED, "spec.predictor")
    metadata = isvc["metadata"]
    if "model" in predictor:
        return _of_model(metadata, predictor, choose)
    source = storage_uri(predictor["containers"])
    if source is not None:
        check_uri(source, f"{STORAGE_URI} of spec.predictor.containers")
    return _template(metadata, predictor, predictor["containers"], source=source)


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


def _in_full(predictor: Object) -> Object:
    """The predictor without its short forms: a framework's field becomes a model, an only container gets its name."""
    framework = next((name for name in FRAMEWORKS if predictor.get(name) is not None), None)
    if framework:
        protocol = {"protocolVersion": "v2"} if framework in V2_FRAMEWORKS else {}
        model = {"modelFormat": {"name": framework}, **protocol, **predictor[framework]}
        return {name: value for name, value in predictor.items() if name != framework} | {"model": model}
    if not predictor.get("model") and len(predictor.get("containers") or ()) == 1:
        return {**predictor, "containers": [{**predictor["containers"][0], "name": KSERVE_CONTAINER}]}
    return predictor


def storage_uri(containers: list[Object]) -> str | None:
    """The location of a custom predictor's model: the variable STORAGE_URI of its kserve-container."""
    for container in containers:
        if container["name"] == KSERVE_CONTAINER:
            values = (variable.get("value") for variable in container.get("env") or [] if variable["name"] == STORAGE_URI)
            return next(values, None)
    return None


def _of_model(metadata: Object, predictor: Object, choose: Callable[[Object, str], ServingRuntime]) -> Template:
    model = used(predictor["model"], MODEL_FIELDS, "spec.predictor.model")
    source = model.get("storageUri")
    if source is not None:
        check_uri(source, "spec.predictor.model.storageUri")
    runtime = choose(model, metadata["namespace"])
    spec = used(runtime.spec, RUNTIME_FIELDS | RUNTIME_ECHOED, f"ServingRuntime {runtime.name}: spec")
    protocol = model.get("protocolVersion") or PROTOCOLS[runtime.preferred_protocol % len(PROTOCOLS)]
    metadata, model = _with_torchserve_defaults(metadata, model, runtime, protocol)
    main, sidecars = _containers_of(spec)
    main = overlaid(main, {name: value for name, value in model.items() if name in CONTAINER_FIELDS})
    if "runtimeVersion" in model:
        main["image"] = tagged(main["image"], model["runtimeVersion"])
    main = filled_in(main, metadata, runtime.name)
    if main["image"] in IMAGES and source is None:
        raise InvalidSpecError("spec.predictor.model.storageUri is required")
    others = predictor.get("containers") or []
    if any(container["name"] == TRANSFORMER_CONTAINER for container in others):
        main.pop("ports", None)  # requests go to the transformer
    containers = [main, *sidecars, *others]
    pod = {field: [*spec.get(field, []), *predictor.get(field, [])] for field in POD_FIELDS}
    pod["volumes"] = list({volume["name"]: volume for volume in pod["volumes"]}.values())
    below = {field: spec.get(field) or {} for field in ("labels", "annotations")}
    return _template(metadata, {**predictor, **pod}, containers, source=source, below=below, own_command="command" in model)


def _with_torchserve_defaults(
    metadata: Object, model: Object, runtime: ServingRuntime, protocol: str
) -> tuple[Object, Object]:
    """The label and variable that KServe adds for TorchServe, whose request envelope depends on the protocol."""
    if runtime.name != TORCHSERVE:
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
    below: dict[str, dict[str, str]] | None = None,
    own_command: bool = True,
) -> Template:
    """The template with the labels and annotations of the runtime (``below``), the InferenceService and the predictor."""
    merged = {
        field: {**(below or {}).get(field, {}), **(metadata.get(field) or {}), **(predictor.get(field) or {})}
        for field in ("labels", "annotations")
    }
    annotations = {key: value for key, value in merged["annotations"].items() if key not in NOT_PROPAGATED}
    annotations[MIN_SCALE] = str(predictor.get("minReplicas", 1))
    if predictor.get("maxReplicas"):
        annotations[MAX_SCALE] = str(predictor["maxReplicas"])
    if source is not None:
        annotations[SOURCE_ANNOTATION] = source
    containers = _checked(containers)
    return Template(
        labels={**merged["labels"], SERVICE_LABEL: metadata["name"], "component": "predictor"},
        annotations=annotations,
        spec={
            "containers": containers,
            "serviceAccountName": predictor.get("serviceAccountName", "default"),
            "timeoutSeconds": _timeout(predictor),
            **{field: predictor[field] for field in sorted(POD_FIELDS) if predictor.get(field)},
            **({"hostNetwork": True} if _is_ours(containers, own_command=own_command) else {}),
        },
    )


def _is_ours(containers: list[Object], *, own_command: bool) -> bool:
    """Whether the Pod runs only a program of minipdk, which can listen on any port."""
    return len(containers) == 1 and containers[0]["image"] in IMAGES and not own_command


def _checked(containers: list[Object]) -> list[Object]:
    """The containers with Knative's defaults: a port, and a readiness probe of it."""
    checked = [used(spec, CONTAINER_FIELDS, f"spec.predictor.containers[{spec['name']}]") for spec in containers]
    serving = serves_requests(checked)
    if all(container["name"] != KSERVE_CONTAINER for container in checked):
        raise InvalidSpecError(f"Invalid configuration: cannot find container: {KSERVE_CONTAINER}")
    serving.setdefault("ports", [{"name": "user-port", "containerPort": DEFAULT_PORT, "protocol": "TCP"}])
    serving.setdefault(
        "readinessProbe", {"tcpSocket": {"port": serving["ports"][0]["containerPort"]}, "successThreshold": 1}
    )
    return checked


def _timeout(predictor: Object) -> int:
    timeout = predictor.get("timeout", DEFAULT_TIMEOUT)
    if timeout <= 0:
        raise InvalidSpecError(f"spec.predictor.timeout must be a number of seconds, not {timeout!r}")
    return int(timeout)
