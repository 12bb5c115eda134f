"""What `kubectl get` prints of each kind: its columns, and how an object's cells are made.

The columns are those of Kubernetes' printers and of the CustomResourceDefinitions of KServe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minipdk.kubernetes.resources import Object, Resource
from minipdk.kubernetes.times import age

Cell = str | int | None


@dataclass(frozen=True)
class Column:
    """``wide`` columns are printed with `-o wide` alone. ``kind`` and ``format`` are OpenAPI's."""

    name: str
    cell: Callable[[Object], Cell]
    wide: bool = False
    kind: str = "string"
    format: str = ""
    description: str = ""


def columns_of(resource: Resource) -> tuple[Column, ...]:
    return _COLUMNS.get(resource.kind, (_NAME, _CREATED_AT))


def _at(found: Object, *path: str, default: Any = None) -> Any:
    value: Any = found
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return default if value is None else value


def _text(*path: str, default: str = "<none>") -> Callable[[Object], Cell]:
    return lambda found: str(_at(found, *path, default=default))


def _custom(*path: str) -> Callable[[Object], Cell]:
    """A custom kind's column: its JSONPath's value, or nothing."""

    def cell(found: Object) -> Cell:
        value = _at(found, *path)
        return value if isinstance(value, str | int) or value is None else str(value)

    return cell


def _count(*path: str) -> Callable[[Object], Cell]:
    return lambda found: len(_at(found, *path, default=()))


def _age(found: Object) -> Cell:
    return age(found["metadata"].get("creationTimestamp"))


def _pairs(*path: str) -> Callable[[Object], Cell]:
    """A selector, as key=value pairs."""

    def cell(found: Object) -> Cell:
        pairs = _at(found, *path, default={})
        return ",".join(f"{key}={value}" for key, value in sorted(pairs.items())) or "<none>"

    return cell


def _ready_containers(pod: Object) -> Cell:
    states = _at(pod, "status", "containerStatuses", default=())
    return f"{sum(bool(one.get('ready')) for one in states)}/{len(pod['spec']['containers'])}"


def _pod_status(pod: Object) -> Cell:
    """The most telling of the phase, the containers' reasons and the deletion, as kubectl shows it."""
    status = pod.get("status") or {}
    shown = status.get("reason") or status.get("phase") or "Unknown"
    initial = status.get("initContainerStatuses") or []
    for index, one in enumerate(initial):
        told = _container_reason(one)
        if one.get("ready") or (told == "Completed"):
            continue
        shown = f"Init:{told}" if told not in ("", "PodInitializing") else f"Init:{index}/{len(initial)}"
        break
    else:
        reasons = [_container_reason(one) for one in status.get("containerStatuses") or ()]
        shown = next((one for one in reasons if one), shown)
        if shown == "Completed" and any(_at(one, "state", "running") for one in status.get("containerStatuses") or ()):
            shown = "Running"
    return "Terminating" if pod["metadata"].get("deletionTimestamp") else shown


def _container_reason(status: Object) -> str:
    if waiting := _at(status, "state", "waiting"):
        return str(waiting.get("reason", ""))
    if ended := _at(status, "state", "terminated"):
        signal, code = ended.get("signal"), ended.get("exitCode", 0)
        return str(ended.get("reason") or (f"Signal:{signal}" if signal else f"ExitCode:{code}"))
    return ""


def _restarts(pod: Object) -> Cell:
    states = _at(pod, "status", "containerStatuses", default=())
    count = sum(one.get("restartCount", 0) for one in states)
    ended = [at for one in states if (at := _at(one, "lastState", "terminated", "finishedAt"))]
    return f"{count} ({age(max(ended))} ago)" if count and ended else str(count)


def _condition(kind: str) -> Callable[[Object], Cell]:
    def cell(found: Object) -> Cell:
        conditions = _at(found, "status", "conditions", default=())
        return next((one.get("status") for one in conditions if one.get("type") == kind), None)

    return cell


def _traffic(revision: str, percent_of: Callable[[Object], bool]) -> Callable[[Object], Cell]:
    """A field of the predictor's traffic targets that ``percent_of`` chooses, as KServe's printer columns do."""

    def cell(found: Object) -> Cell:
        targets = _at(found, "status", "components", "predictor", "traffic", default=())
        return next((one.get(revision) for one in targets if percent_of(one)), None)

    return cell


def _ports(service: Object) -> Cell:
    ports = _at(service, "spec", "ports", default=())
    return ",".join(f"{one['port']}/{one.get('protocol', 'TCP')}" for one in ports) or "<none>"


def _endpoints(found: Object) -> Cell:
    shown = [
        f"{address['ip']}:{port['port']}"
        for subset in found.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    ]
    return ",".join(shown[:3]) + (f" + {len(shown) - 3} more..." if len(shown) > 3 else "") or "<none>"


def _last_seen(event: Object) -> Cell:
    return age(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp"))


def _first_seen(event: Object) -> Cell:
    return age(event.get("firstTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp"))


def _about(event: Object) -> Cell:
    about = event.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _event_source(event: Object) -> Cell:
    component = _at(event, "source", "component", default=event.get("reportingComponent", ""))
    host = _at(event, "source", "host")
    return f"{component}, {host}" if host else str(component)


def _replicas(found: Object) -> Cell:
    return f"{_at(found, 'status', 'readyReplicas', default=0)}/{_at(found, 'spec', 'replicas', default=1)}"


def _containers(field: str) -> Callable[[Object], Cell]:
    return lambda found: ",".join(
        one.get(field, "") for one in _at(found, "spec", "template", "spec", "containers", default=())
    )


def _first_format(field: str) -> Callable[[Object], Cell]:
    def cell(runtime: Object) -> Cell:
        formats = _at(runtime, "spec", "supportedModelFormats", default=())
        return formats[0].get(field) if formats else None

    return cell


def _first_container(runtime: Object) -> Cell:
    found = _at(runtime, "spec", "containers", default=())
    return found[0].get("name") if found else None


_NAME = Column("Name", lambda found: found["metadata"]["name"], format="name", description="The object's name")
_AGE = Column("Age", _age, description="How long ago the object was created")
_CUSTOM_AGE = Column("Age", _age, kind="date", description="How long ago the object was created")
_CREATED_AT = Column("Created At", lambda found: found["metadata"].get("creationTimestamp"), kind="date")

_RUNTIME = (
    _NAME,
    Column("Disabled", _custom("spec", "disabled"), kind="boolean"),
    Column("ModelType", _first_format("name")),
    Column("Containers", _first_container),
    _CUSTOM_AGE,
)

_COLUMNS: dict[str, tuple[Column, ...]] = {
    "ConfigMap": (
        _NAME,
        Column("Data", lambda found: len(found.get("data") or ()) + len(found.get("binaryData") or ())),
        _AGE,
    ),
    "Endpoints": (_NAME, Column("Endpoints", _endpoints), _AGE),
    "Event": (
        Column("Last Seen", _last_seen),
        Column("Type", _text("type", default="")),
        Column("Reason", _text("reason", default="")),
        Column("Object", _about),
        Column("Subobject", _text("involvedObject", "fieldPath", default=""), wide=True),
        Column("Source", _event_source, wide=True),
        Column("Message", lambda found: str(found.get("message", "")).strip()),
        Column("First Seen", _first_seen, wide=True),
        Column("Count", lambda found: found.get("count") or 1, wide=True, kind="integer"),
        Column("Name", lambda found: found["metadata"]["name"], wide=True, format="name"),
    ),
    "Namespace": (_NAME, Column("Status", _text("status", "phase")), _AGE),
    "Pod": (
        _NAME,
        Column("Ready", _ready_containers),
        Column("Status", _pod_status),
        Column("Restarts", _restarts),
        _AGE,
        Column("IP", _text("status", "podIP"), wide=True),
        Column("Node", _text("spec", "nodeName"), wide=True),
        Column("Nominated Node", _text("status", "nominatedNodeName"), wide=True),
        Column("Readiness Gates", lambda _: "<none>", wide=True),
    ),
    "Secret": (_NAME, Column("Type", _text("type")), Column("Data", _count("data"), kind="integer"), _AGE),
    "ServiceAccount": (_NAME, Column("Secrets", _count("secrets"), kind="integer"), _AGE),
    "Service": (
        _NAME,
        Column("Type", _text("spec", "type")),
        Column("Cluster-IP", _text("spec", "clusterIP")),
        Column("External-IP", _text("spec", "externalName")),
        Column("Port(s)", _ports),
        _AGE,
        Column("Selector", _pairs("spec", "selector"), wide=True),
    ),
    "Deployment": (
        _NAME,
        Column("Ready", _replicas),
        Column("Up-to-date", lambda found: _at(found, "status", "updatedReplicas", default=0), kind="integer"),
        Column("Available", lambda found: _at(found, "status", "availableReplicas", default=0), kind="integer"),
        _AGE,
        Column("Containers", _containers("name"), wide=True),
        Column("Images", _containers("image"), wide=True),
        Column("Selector", _pairs("spec", "selector", "matchLabels"), wide=True),
    ),
    "InferenceService": (
        _NAME,
        Column("URL", _custom("status", "url")),
        Column("Ready", _condition("Ready")),
        Column("Prev", _traffic("percent", lambda one: one.get("tag") == "prev"), kind="integer"),
        Column("Latest", _traffic("percent", lambda one: bool(one.get("latestRevision"))), kind="integer"),
        Column("PrevRolledoutRevision", _traffic("revisionName", lambda one: one.get("tag") == "prev")),
        Column("LatestReadyRevision", _traffic("revisionName", lambda one: bool(one.get("latestRevision")))),
        _CUSTOM_AGE,
    ),
    "ServingRuntime": _RUNTIME,
    "ClusterServingRuntime": _RUNTIME,
    "SeldonDeployment": (_NAME, _CUSTOM_AGE),
}
