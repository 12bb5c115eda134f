"""An InferenceService's predictor as the template of a revision: what its Pods are made from, or why it is refused.

A model gets the container of its ServingRuntime, overlaid by its own fields; a custom predictor brings its containers. Every
field is either used, or echoed because it has no meaning on one machine, or refused by name (`fields`).
Spec: https://kserve.github.io/website/0.15/reference/api/
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from minipdk.controller.api import Object
from minipdk.services.kserve.container import filled_in, overlaid, serves_requests, tagged
from minipdk.services.kserve.errors import InvalidSpecError, NotSupportedError
from minipdk.services.kserve.fields import (
    CONTAINER_FIELDS,
    ECHOED,
    FRAMEWORKS,
    MODEL_FIELDS,
    POD_FIELDS,
    PREDICTOR_FIELDS,
    RUNTIME_ECHOED,
    RUNTIME_FIELDS,
    is_set,
    used,
)
from minipdk.services.kserve.runtimes import images
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


@dataclass(frozen=True)
class Template:
    """What a revision is made from, as a Knative RevisionTemplateSpec. Two equal ones are the same revision."""

    labels: dict[str, str]
    annotations: dict[str, str]
    spec: Object

    def hash(self) -> str:
        """Ten hexadecimal digits that differ for templates that differ, like a Deployment's pod-template-hash."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:10]


def read_predictor(isvc: Object, choose: Callable[[Object, str], ServingRuntime]) -> Template:
    """The template that ``isvc`` asks for; ``choose`` is given its model and its namespace. Raises InvalidSpecError."""
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


def _in_full(predictor: Object) -> Object:
    """The predictor with what is written short spelt out: a framework's field as a model, the name of an only container."""
    framework = next((name for name in FRAMEWORKS if predictor.get(name) is not None), None)
    if framework:
        protocol = {"protocolVersion": "v2"} if framework in V2_FRAMEWORKS else {}
        model = {"modelFormat": {"name": framework}, **protocol, **predictor[framework]}
        return {name: value for name, value in predictor.items() if name != framework} | {"model": model}
    if not predictor.get("model") and len(predictor.get("containers") or ()) == 1:
        return {**predictor, "containers": [{**predictor["containers"][0], "name": KSERVE_CONTAINER}]}
    return predictor


def storage_uri(containers: list[Object]) -> str | None:
    """Where a custom predictor's model is: the variable STORAGE_URI of its kserve-container."""
    for container in containers:
        if container["name"] == KSERVE_CONTAINER:
            return next((one.get("value") for one in container.get("env") or [] if one["name"] == STORAGE_URI), None)
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
    if main["image"] in images.FOLDERS and source is None:
        raise InvalidSpecError("spec.predictor.model.storageUri is required")
    others = predictor.get("containers") or []
    if any(one["name"] == TRANSFORMER_CONTAINER for one in others):
        main.pop("ports", None)  # requests come to the transformer
    containers = [main, *sidecars, *others]
    pod = {field: [*spec.get(field, []), *predictor.get(field, [])] for field in POD_FIELDS}
    pod["volumes"] = list({one["name"]: one for one in pod["volumes"]}.values())
    below = {field: spec.get(field) or {} for field in ("labels", "annotations")}
    return _template(metadata, {**predictor, **pod}, containers, source=source, below=below, own_command="command" in model)


def _with_torchserve_defaults(
    metadata: Object, model: Object, runtime: ServingRuntime, protocol: str
) -> tuple[Object, Object]:
    """What KServe adds for TorchServe, whose envelope for requests depends on the protocol."""
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
    main = next((one for one in containers if one["name"] == KSERVE_CONTAINER), None)
    if main is None:
        raise InvalidSpecError(f"failed to find {KSERVE_CONTAINER} in ServingRuntime containers")
    return main, [one for one in containers if one is not main]


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
    found = {
        field: {**(below or {}).get(field, {}), **(metadata.get(field) or {}), **(predictor.get(field) or {})}
        for field in ("labels", "annotations")
    }
    annotations = {key: value for key, value in found["annotations"].items() if key not in NOT_PROPAGATED}
    annotations[MIN_SCALE] = str(predictor.get("minReplicas", 1))
    if predictor.get("maxReplicas"):
        annotations[MAX_SCALE] = str(predictor["maxReplicas"])
    if source is not None:
        annotations[SOURCE_ANNOTATION] = source
    containers = _checked(containers)
    return Template(
        labels={**found["labels"], SERVICE_LABEL: metadata["name"], "component": "predictor"},
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
    """Whether the Pod runs a program of minipdk's own and no other, which listens where it is told to."""
    return len(containers) == 1 and containers[0]["image"] in images.FOLDERS and not own_command


def _checked(containers: list[Object]) -> list[Object]:
    """The containers with Knative's defaults: a port, and a readiness probe of it."""
    checked = [used(one, CONTAINER_FIELDS, f"spec.predictor.containers[{one['name']}]") for one in containers]
    serving = serves_requests(checked)
    if all(one["name"] != KSERVE_CONTAINER for one in checked):
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
