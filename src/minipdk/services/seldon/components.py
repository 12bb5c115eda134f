"""The components of a SeldonDeployment: the Deployment and the Services of each predictor, as Seldon's operator makes them.

Rules: operator/controllers/seldondeployment_controller.go and operator/apis/.../defaults.go of
https://github.com/SeldonIO/seldon-core/tree/v1.17.1. Left out are the executor's container; the volume of annotations and
the pause before the end, which the node does without; and the variables PREDICTIVE_UNIT_ID and PREDICTIVE_UNIT_IMAGE. From
these the model's server makes a requestPath for the executor: without them an answer's meta is empty.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from minipdk.controller.objects import Object, owned_by
from minipdk.services.seldon.specification import Predictor, read

ID, APP, SERVICE_PREFIX = "seldon-deployment-id", "seldon-app", "seldon-app-svc"
MANAGED_BY = {"app.kubernetes.io/managed-by": "seldon-core"}
MODEL = {"seldon.io/model": "true"}
LAST_APPLIED = "seldon.io/last-applied"
SERVICE_NAME = "seldon.io/svc-name"
PARAMETER = ("name", "value", "type")
"""The fields of a parameter, in the order in which the operator writes them."""
METRICS_PATH = "/prometheus"
PREDICTIONS = "/api/v1.0/predictions"
CLUSTER_DOMAIN = "svc.cluster.local"
LONGEST_NAME = 63
FIRST_HTTP, FIRST_GRPC, FIRST_METRICS = 9000, 9500, 6000
GRACE_SECONDS = 20
READINESS_DELAY, LIVENESS_DELAY, PROBE_SECONDS = 20, 60, 5


@dataclass(frozen=True)
class Component:
    """One predictor's objects. ``app`` is the value of the label `APP` of its Pods, and the name of its Service."""

    app: str
    weight: int
    deployment: Object
    services: tuple[Object, ...]
    http: int
    grpc: int


@dataclass
class _Ports:
    """The ports of containers: one pair for each name, and one for metrics for each container."""

    http: dict[str, int] = field(default_factory=dict)
    metrics: Iterator[int] = field(default_factory=lambda: count(FIRST_METRICS))

    def of(self, container: str) -> tuple[int, int]:
        offset = self.http.setdefault(container, len(self.http))
        return FIRST_HTTP + offset, FIRST_GRPC + offset


def components(sdep: Object) -> list[Component]:
    """The components of ``sdep``, one for each predictor. Raises NotSupportedError."""
    ports = _Ports()
    return [_component(sdep, predictor, ports) for predictor in read(sdep)]


def seldon_id(sdep: Object) -> str:
    """The value of the label `ID` of everything that belongs to ``sdep``."""
    return _short(sdep["metadata"]["name"])


def service_host(sdep: Object, app: str) -> str:
    """The in-cluster host name of a Service."""
    return f"{app}.{sdep['metadata']['namespace']}.{CLUSTER_DOMAIN}"


def endpoints(component: Component, service: Object) -> Object:
    """A Service's entry in the status."""
    metadata = service["metadata"]
    host = f"{metadata['name']}.{metadata['namespace']}"
    return {
        "svcName": metadata["name"],
        "httpEndpoint": f"{host}:{component.http}",
        "grpcEndpoint": f"{host}:{component.grpc}",
    }


def _short(name: str) -> str:
    """``name``, or a hash of it if it is too long for a label."""
    if len(name) <= LONGEST_NAME:
        return name
    return f"seldon-{hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()}"


def _component(sdep: Object, predictor: Predictor, ports: _Ports) -> Component:
    name, graph = sdep["metadata"]["name"], predictor.graph["name"]
    annotations: dict[str, str] = predictor.spec.get("annotations") or {}
    app = annotations.get(SERVICE_NAME) or _short(f"{name}-{predictor.name}")
    own = _short(f"{name}-{predictor.name}-{graph}")
    spec: Object = predictor.component.get("spec") or {}
    for container in spec["containers"]:
        ports.of(container["name"])
    given = next(container for container in spec["containers"] if container["name"] == graph)
    container, http, grpc = _with_ports(given, ports)
    containers = [
        _model(sdep, predictor, container, http, grpc),
        *(other for other in spec["containers"] if other is not given),
    ]
    selector = {ID: seldon_id(sdep), f"{SERVICE_PREFIX}-{graph}": own, APP: app}
    deployment = _deployment(sdep, predictor, {**spec, "containers": containers}, selector)
    services = tuple(
        _marked(
            sdep,
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {**labels, ID: seldon_id(sdep)}}},
            annotations,
            _service_spec(chosen, http, grpc),
        )
        for name, chosen, labels in (
            (own, {f"{SERVICE_PREFIX}-{graph}": own}, {f"{SERVICE_PREFIX}-{graph}": own, APP: app, **MODEL, **MANAGED_BY}),
            (app, {APP: app}, {APP: app, **MODEL, **MANAGED_BY}),
        )
    )
    return Component(app, predictor.weight, deployment, services, http, grpc)


def _with_ports(container: Object, ports: _Ports) -> tuple[Object, int, int]:
    """The model's container with its ports for HTTP, gRPC and metrics; its own of these names stay."""
    declared = list(container.get("ports") or [])
    http, grpc = ports.of(container["name"])
    numbers = {"metrics": None, "http": http, "grpc": grpc}
    known = {port.get("name"): port["containerPort"] for port in declared}
    for name, number in numbers.items():
        if name not in known:
            known[name] = next(ports.metrics) if number is None else number
            declared.append({"name": name, "containerPort": known[name], "protocol": "TCP"})
    return {**container, "ports": declared}, known["http"], known["grpc"]


def _model(sdep: Object, predictor: Predictor, container: Object, http: int, grpc: int) -> Object:
    """The model's container with the operator's defaults, probes and variables."""
    metrics = next(port["containerPort"] for port in container["ports"] if port.get("name") == "metrics")
    default = {"PREDICTIVE_UNIT_SERVICE_PORT": str(http), "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": str(http)}
    default |= {
        "MLSERVER_HTTP_PORT": str(http),
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": str(grpc),
        "MLSERVER_GRPC_PORT": str(grpc),
    }
    if parameters := predictor.graph.get("parameters"):
        default["PREDICTIVE_UNIT_PARAMETERS"] = _json([{key: entry[key] for key in PARAMETER} for entry in parameters])
    always = {
        "MLSERVER_MODEL_NAME": container["name"],
        "PREDICTOR_ID": predictor.name,
        "PREDICTOR_LABELS": _json(dict(sorted(predictor.labels.items()))),
        "SELDON_DEPLOYMENT_ID": sdep["metadata"]["name"],
        "SELDON_EXECUTOR_ENABLED": "true",
        "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": str(metrics),
        "PREDICTIVE_UNIT_METRICS_ENDPOINT": METRICS_PATH,
        "MLSERVER_METRICS_PORT": str(metrics),
        "MLSERVER_METRICS_ENDPOINT": METRICS_PATH,
    }
    own = {variable["name"]: variable for variable in container.get("env") or []}
    env = {name: {"name": name, "value": value} for name, value in default.items()} | own
    env |= {name: {"name": name, "value": value} for name, value in always.items()}
    return {
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "livenessProbe": _probe(http, LIVENESS_DELAY),
        "readinessProbe": _probe(http, READINESS_DELAY),
        **container,
        "env": list(env.values()),
    }


def _probe(port: int, delay: int) -> Object:
    times = {"initialDelaySeconds": delay, "periodSeconds": PROBE_SECONDS, "timeoutSeconds": 1}
    return {"tcpSocket": {"port": port}, **times, "successThreshold": 1, "failureThreshold": 3}


def _deployment(sdep: Object, predictor: Predictor, pod: Object, selector: dict[str, str]) -> Object:
    metadata, component = sdep["metadata"], predictor.component
    base = f"{metadata['name']}-{predictor.name}-0-"
    given: Object = component.get("metadata") or {}
    name = _short(base + (given.get("name") or "-".join(container["name"] for container in component["spec"]["containers"])))
    labels = {
        "app": name,
        "fluentd": "true",
        **predictor.labels,
        **(given.get("labels") or {}),
        **selector,
        **MODEL,
        **MANAGED_BY,
    }
    annotations: dict[str, str] = {
        key: value
        for layer in (sdep["spec"], predictor.spec, given)
        for key, value in (layer.get("annotations") or {}).items()
    }
    scraping = {"prometheus.io/path": METRICS_PATH, "prometheus.io/scrape": "true"}
    spec: Object = {
        "selector": {"matchLabels": selector},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
        "template": {
            "metadata": {"labels": labels, "annotations": {**scraping, **annotations}},
            "spec": {"terminationGracePeriodSeconds": GRACE_SECONDS, **pod},
        },
    }
    replicas = next(
        (it["replicas"] for it in (component, predictor.spec, sdep["spec"]) if it.get("replicas") is not None), 1
    )
    spec["replicas"] = replicas
    if predictor.spec.get("progressDeadlineSeconds") is not None:
        spec["progressDeadlineSeconds"] = predictor.spec["progressDeadlineSeconds"]
    thing = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels}}
    return _marked(sdep, thing, annotations, spec)


def _service_spec(selector: dict[str, str], http: int, grpc: int) -> Object:
    ports = [
        {"name": kind, "port": number, "targetPort": number, "protocol": "TCP"}
        for kind, number in (("http", http), ("grpc", grpc))
    ]
    return {"type": "ClusterIP", "sessionAffinity": "None", "selector": selector, "ports": ports}


def _marked(sdep: Object, thing: Object, annotations: dict[str, str], spec: Object) -> Object:
    """An object of ``sdep`` with ``annotations`` and a mark of its content, by which a change of it is found."""
    content = json.dumps([thing, annotations, spec], sort_keys=True)
    metadata = {
        **thing["metadata"],
        "namespace": sdep["metadata"]["namespace"],
        "annotations": {**annotations, LAST_APPLIED: hashlib.sha256(content.encode()).hexdigest()},
        "ownerReferences": owned_by(sdep),
    }
    return {**thing, "metadata": metadata, "spec": spec}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
