"""What `kubectl get` prints of each kind: its columns, and how an object's cells are made.

The columns are those of Kubernetes' printers and of the CustomResourceDefinitions of KServe.
"""

from __future__ import annotations

from collections.abc import Callable

from minipdk.services.kubernetes.kinds.builtin.events import last_seen
from minipdk.services.kubernetes.kinds.columns import (
    AGE,
    CREATED_AT,
    CUSTOM_AGE,
    NAME,
    Cell,
    Column,
    at,
    condition,
    count,
    custom,
    pairs_of,
    text,
)
from minipdk.services.kubernetes.model import Object, Resource
from minipdk.services.kubernetes.times import age

ROLE_LABEL = "node-role.kubernetes.io/"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
ACCESS_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def columns_of(resource: Resource) -> tuple[Column, ...]:
    return _COLUMNS.get(resource.kind, (NAME, CREATED_AT))


def _ready_containers(pod: Object) -> Cell:
    states = at(pod, "status", "containerStatuses", default=())
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
        if shown == "Completed" and any(at(one, "state", "running") for one in status.get("containerStatuses") or ()):
            shown = "Running"
    return "Terminating" if pod["metadata"].get("deletionTimestamp") else shown


def _container_reason(status: Object) -> str:
    if waiting := at(status, "state", "waiting"):
        return str(waiting.get("reason", ""))
    if ended := at(status, "state", "terminated"):
        signal, code = ended.get("signal"), ended.get("exitCode", 0)
        return str(ended.get("reason") or (f"Signal:{signal}" if signal else f"ExitCode:{code}"))
    return ""


def _restarts(pod: Object) -> Cell:
    states = at(pod, "status", "containerStatuses", default=())
    restarts = sum(one.get("restartCount", 0) for one in states)
    ended = [time for one in states if (time := at(one, "lastState", "terminated", "finishedAt"))]
    return f"{restarts} ({age(max(ended))} ago)" if restarts and ended else str(restarts)


def _node_status(node: Object) -> Cell:
    ready = condition("Ready")(node)
    shown = {"True": "Ready", "False": "NotReady"}.get(str(ready), "Unknown")
    return f"{shown},SchedulingDisabled" if at(node, "spec", "unschedulable") else shown


def _roles(node: Object) -> Cell:
    labels = at(node, "metadata", "labels", default={})
    roles = {label.removeprefix(ROLE_LABEL) for label in labels if label.startswith(ROLE_LABEL)} - {""}
    return ",".join(sorted(roles)) or "<none>"


def _address(kind: str) -> Callable[[Object], Cell]:
    def cell(node: Object) -> Cell:
        addresses: list[dict[str, str]] = at(node, "status", "addresses", default=[])
        return next((one["address"] for one in addresses if one["type"] == kind), "<none>")

    return cell


def _access_modes(*path: str) -> Callable[[Object], Cell]:
    return lambda found: ",".join(ACCESS_MODES.get(mode, mode) for mode in at(found, *path, default=()))


def _phase(found: Object) -> Cell:
    return "Terminating" if found["metadata"].get("deletionTimestamp") else text("status", "phase", default="")(found)


def _claim(volume: Object) -> Cell:
    claim = at(volume, "spec", "claimRef", default={})
    return f"{claim.get('namespace')}/{claim.get('name')}" if claim else ""


def _class_name(storage_class: Object) -> Cell:
    default = at(storage_class, "metadata", "annotations", DEFAULT_CLASS) == "true"
    return f"{storage_class['metadata']['name']}{' (default)' if default else ''}"


def _traffic(revision: str, percent_of: Callable[[Object], bool]) -> Callable[[Object], Cell]:
    """A field of the predictor's traffic targets that ``percent_of`` chooses, as KServe's printer columns do."""

    def cell(found: Object) -> Cell:
        targets = at(found, "status", "components", "predictor", "traffic", default=())
        return next((one.get(revision) for one in targets if percent_of(one)), None)

    return cell


def _ports(service: Object) -> Cell:
    ports = at(service, "spec", "ports", default=())
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
    return age(last_seen(event))


def _first_seen(event: Object) -> Cell:
    return age(event.get("firstTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp"))


def _about(event: Object) -> Cell:
    about = event.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _event_source(event: Object) -> Cell:
    component = at(event, "source", "component", default=event.get("reportingComponent", ""))
    host = at(event, "source", "host")
    return f"{component}, {host}" if host else str(component)


def _replicas(found: Object) -> Cell:
    return f"{at(found, 'status', 'readyReplicas', default=0)}/{at(found, 'spec', 'replicas', default=1)}"


def _containers(field: str) -> Callable[[Object], Cell]:
    return lambda found: ",".join(
        one.get(field, "") for one in at(found, "spec", "template", "spec", "containers", default=())
    )


def _first_format(field: str) -> Callable[[Object], Cell]:
    def cell(runtime: Object) -> Cell:
        formats = at(runtime, "spec", "supportedModelFormats", default=())
        return formats[0].get(field) if formats else None

    return cell


def _first_container(runtime: Object) -> Cell:
    found = at(runtime, "spec", "containers", default=())
    return found[0].get("name") if found else None


_RUNTIME = (
    NAME,
    Column("Disabled", custom("spec", "disabled"), kind="boolean"),
    Column("ModelType", _first_format("name")),
    Column("Containers", _first_container),
    CUSTOM_AGE,
)

_COLUMNS: dict[str, tuple[Column, ...]] = {
    "ConfigMap": (
        NAME,
        Column("Data", lambda found: len(found.get("data") or ()) + len(found.get("binaryData") or ())),
        AGE,
    ),
    "Endpoints": (NAME, Column("Endpoints", _endpoints), AGE),
    "Event": (
        Column("Last Seen", _last_seen),
        Column("Type", text("type", default="")),
        Column("Reason", text("reason", default="")),
        Column("Object", _about),
        Column("Subobject", text("involvedObject", "fieldPath", default=""), wide=True),
        Column("Source", _event_source, wide=True),
        Column("Message", lambda found: str(found.get("message", "")).strip()),
        Column("First Seen", _first_seen, wide=True),
        Column("Count", lambda found: at(found, "series", "count") or found.get("count") or 1, wide=True, kind="integer"),
        Column("Name", lambda found: found["metadata"]["name"], wide=True, format="name"),
    ),
    "Namespace": (NAME, Column("Status", text("status", "phase")), AGE),
    "Pod": (
        NAME,
        Column("Ready", _ready_containers),
        Column("Status", _pod_status),
        Column("Restarts", _restarts),
        AGE,
        Column("IP", text("status", "podIP"), wide=True),
        Column("Node", text("spec", "nodeName"), wide=True),
        Column("Nominated Node", text("status", "nominatedNodeName"), wide=True),
        Column("Readiness Gates", lambda _: "<none>", wide=True),
    ),
    "Node": (
        NAME,
        Column("Status", _node_status),
        Column("Roles", _roles),
        AGE,
        Column("Version", text("status", "nodeInfo", "kubeletVersion", default="")),
        Column("Internal-IP", _address("InternalIP"), wide=True),
        Column("External-IP", _address("ExternalIP"), wide=True),
        Column("OS-Image", text("status", "nodeInfo", "osImage", default="<unknown>"), wide=True),
        Column("Kernel-Version", text("status", "nodeInfo", "kernelVersion", default="<unknown>"), wide=True),
        Column("Container-Runtime", text("status", "nodeInfo", "containerRuntimeVersion", default="<unknown>"), wide=True),
    ),
    "PersistentVolumeClaim": (
        NAME,
        Column("Status", _phase),
        Column("Volume", text("spec", "volumeName", default="")),
        Column("Capacity", text("status", "capacity", "storage", default="")),
        Column("Access Modes", _access_modes("status", "accessModes")),
        Column("StorageClass", text("spec", "storageClassName", default="")),
        Column("VolumeAttributesClass", text("spec", "volumeAttributesClassName", default="<unset>")),
        AGE,
        Column("VolumeMode", text("spec", "volumeMode", default="<unset>"), wide=True),
    ),
    "PersistentVolume": (
        NAME,
        Column("Capacity", text("spec", "capacity", "storage", default="")),
        Column("Access Modes", _access_modes("spec", "accessModes")),
        Column("Reclaim Policy", text("spec", "persistentVolumeReclaimPolicy", default="")),
        Column("Status", _phase),
        Column("Claim", _claim),
        Column("StorageClass", text("spec", "storageClassName", default="")),
        Column("VolumeAttributesClass", text("spec", "volumeAttributesClassName", default="<unset>")),
        Column("Reason", text("status", "reason", default="")),
        AGE,
        Column("VolumeMode", text("spec", "volumeMode", default="<unset>"), wide=True),
    ),
    "StorageClass": (
        Column("Name", _class_name, format="name"),
        Column("Provisioner", text("provisioner", default="")),
        Column("ReclaimPolicy", text("reclaimPolicy", default="Delete")),
        Column("VolumeBindingMode", text("volumeBindingMode", default="Immediate")),
        Column("AllowVolumeExpansion", lambda found: str(bool(found.get("allowVolumeExpansion"))).lower()),
        AGE,
    ),
    "Lease": (NAME, Column("Holder", text("spec", "holderIdentity", default="")), AGE),
    "Secret": (NAME, Column("Type", text("type")), Column("Data", count("data"), kind="integer"), AGE),
    "ServiceAccount": (NAME, Column("Secrets", count("secrets"), kind="integer"), AGE),
    "Service": (
        NAME,
        Column("Type", text("spec", "type")),
        Column("Cluster-IP", text("spec", "clusterIP")),
        Column("External-IP", text("spec", "externalName")),
        Column("Port(s)", _ports),
        AGE,
        Column("Selector", pairs_of("spec", "selector"), wide=True),
    ),
    "Deployment": (
        NAME,
        Column("Ready", _replicas),
        Column("Up-to-date", lambda found: at(found, "status", "updatedReplicas", default=0), kind="integer"),
        Column("Available", lambda found: at(found, "status", "availableReplicas", default=0), kind="integer"),
        AGE,
        Column("Containers", _containers("name"), wide=True),
        Column("Images", _containers("image"), wide=True),
        Column("Selector", pairs_of("spec", "selector", "matchLabels"), wide=True),
    ),
    "InferenceService": (
        NAME,
        Column("URL", custom("status", "url")),
        Column("Ready", condition("Ready")),
        Column("Prev", _traffic("percent", lambda one: one.get("tag") == "prev"), kind="integer"),
        Column("Latest", _traffic("percent", lambda one: bool(one.get("latestRevision"))), kind="integer"),
        Column("PrevRolledoutRevision", _traffic("revisionName", lambda one: one.get("tag") == "prev")),
        Column("LatestReadyRevision", _traffic("revisionName", lambda one: bool(one.get("latestRevision")))),
        CUSTOM_AGE,
    ),
    "ServingRuntime": _RUNTIME,
    "ClusterServingRuntime": _RUNTIME,
    "Revision": (
        NAME,
        Column("Config Name", custom("metadata", "labels", "serving.knative.dev/configuration")),
        Column("Generation", custom("metadata", "labels", "serving.knative.dev/configurationGeneration")),
        Column("Ready", condition("Ready")),
        Column("Reason", condition("Ready", "reason")),
        Column("Actual Replicas", custom("status", "actualReplicas"), kind="integer"),
        Column("Desired Replicas", custom("status", "desiredReplicas"), kind="integer"),
    ),
    "SeldonDeployment": (NAME, CUSTOM_AGE),
}
