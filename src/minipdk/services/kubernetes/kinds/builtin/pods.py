"""Pods: their defaults, rules and columns. The node, another service, runs them.

Rules: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

from minipdk.services.kubernetes.errors import (
    Cause,
    ConflictError,
    InvalidError,
    Subject,
    duplicate,
    forbidden,
    invalid_value,
    required,
    unsupported_value,
)
from minipdk.services.kubernetes.kinds.builtin.containers import (
    LARGEST_INT32,
    default_container,
    default_requests,
    validate_container,
    validate_ids,
)
from minipdk.services.kubernetes.kinds.builtin.volumes import validate_volume
from minipdk.services.kubernetes.kinds.columns import AGE, NAME, at, text
from minipdk.services.kubernetes.kinds.validation import dns_label, not_negative, validate_labels, within
from minipdk.services.kubernetes.model import (
    CONNECT,
    CREATE_ONLY,
    Cell,
    Column,
    Object,
    Resource,
    Strategy,
    Subresource,
    status_of,
)
from minipdk.services.kubernetes.times import age, now

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
ENDED = ("Succeeded", "Failed")
"""The phases of a pod whose containers have all ended."""
CONTAINER_LISTS = ("containers", "initContainers")
OPERATORS = ("Equal", "Exists")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
SYSTEMS = ("linux", "windows")


def default_pod(pod: Object) -> None:
    spec = pod.setdefault("spec", {})
    default_pod_spec(spec)
    for container in containers(spec):
        default_requests(container["resources"])


def is_running(pod: Object) -> bool:
    """Whether the pod has a node, and has not ended there."""
    return bool(pod["spec"].get("nodeName")) and (pod.get("status") or {}).get("phase") not in ENDED


def grace_period(pod: Object, requested: int | None) -> int:
    """The seconds that a deleted pod has to end: ``requested`` or its spec's; 0 if no node runs it."""
    if not is_running(pod):
        return 0
    return int(pod["spec"]["terminationGracePeriodSeconds"]) if requested is None else requested


def bound(pod: Object, binding: Object) -> Object:
    """``pod`` on the node that ``binding`` names; it stays there. Raises InvalidError and ConflictError."""
    name, target = pod["metadata"]["name"], binding["target"]
    causes = []
    if target.get("kind") not in (None, "", "Node"):
        causes.append(unsupported_value("target.kind", target["kind"], ("Node", "<empty>")))
    if not target.get("name"):
        causes.append(required("target.name"))
    if causes:
        raise InvalidError(Subject("", "Binding", name), causes)
    if "deletionTimestamp" in pod["metadata"]:
        raise ConflictError(Subject("", "pods/binding", name), f"pod {name} is being deleted, cannot be assigned to a host")
    if node := pod["spec"].get("nodeName"):
        raise ConflictError(Subject("", "pods/binding", name), f'pod {name} is already assigned to node "{node}"')
    status = pod.get("status") or {}
    others = [entry for entry in status.get("conditions") or () if entry["type"] != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now()}
    return {
        **pod,
        "spec": {**pod["spec"], "nodeName": target["name"]},
        "status": {**status, "conditions": [*others, scheduled]},
    }


def default_pod_spec(spec: Object) -> None:
    defaults: Object = {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "terminationGracePeriodSeconds": 30,
        "schedulerName": "default-scheduler",
        "serviceAccountName": spec.get("serviceAccount") or "default",
        "enableServiceLinks": True,
        "securityContext": {},
    }
    for key, value in defaults.items():
        spec.setdefault(key, value)
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in containers(spec):
        default_container(container)


def initial_status(pod: Object) -> Object:
    """The status of a pod that no node runs yet."""
    return {"phase": "Pending", "qosClass": _quality_of_service(pod["spec"])}


def containers(spec: Object) -> list[Object]:
    """All containers of a pod's spec, the init containers last."""
    return [container for field in CONTAINER_LISTS for container in spec.get(field) or () if isinstance(container, dict)]


def validate_pod(pod: Object) -> Iterator[Cause]:
    yield from validate_pod_spec(pod["spec"], "spec")
    if pod["spec"].get("ephemeralContainers"):
        yield forbidden("spec.ephemeralContainers", "cannot be set on create")


def validate_pod_spec(spec: Object, path: str) -> Iterator[Cause]:
    volumes: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        yield from _unique_name(f"{path}.volumes[{index}].name", volume["name"], volumes)
        yield from validate_volume(volume, f"{path}.volumes[{index}]")
    yield from _validate_containers(spec, path, volumes)
    for field, supported in (("restartPolicy", RESTART_POLICIES), ("dnsPolicy", DNS_POLICIES)):
        if spec[field] not in supported:
            yield unsupported_value(f"{path}.{field}", spec[field], supported)
    system = (spec.get("os") or {}).get("name")
    if system not in (None, *SYSTEMS):
        yield unsupported_value(f"{path}.os.name", system, SYSTEMS)
    yield from validate_labels(f"{path}.nodeSelector", spec.get("nodeSelector") or {})
    for field in ("hostname", "subdomain"):
        if name := spec.get(field):
            yield from dns_label(f"{path}.{field}", name)
    yield from not_negative(f"{path}.terminationGracePeriodSeconds", spec["terminationGracePeriodSeconds"])
    yield from within(f"{path}.activeDeadlineSeconds", spec.get("activeDeadlineSeconds"), 1, LARGEST_INT32)
    yield from validate_ids(spec["securityContext"], f"{path}.securityContext")
    for index, toleration in enumerate(spec.get("tolerations") or ()):
        yield from _validate_toleration(toleration, f"{path}.tolerations[{index}]")


def _validate_containers(spec: Object, path: str, volumes: set[str]) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    seen: set[str] = set()
    for field in CONTAINER_LISTS:
        for index, container in enumerate(spec.get(field) or ()):
            where = f"{path}.{field}[{index}]"
            yield from _unique_name(f"{where}.name", container["name"], seen)
            yield from validate_container(container, where, volumes, initial=field == "initContainers")


def _validate_toleration(toleration: Object, where: str) -> Iterator[Cause]:
    operator, effect = toleration.get("operator", "Equal"), toleration.get("effect", "")
    if operator not in OPERATORS:
        yield unsupported_value(f"{where}.operator", operator, OPERATORS)
    elif operator == "Exists" and toleration.get("value"):
        yield invalid_value(f"{where}.operator", toleration, "value must be empty when `operator` is 'Exists'")
    elif operator == "Equal" and not toleration.get("key"):
        why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        yield invalid_value(f"{where}.operator", operator, why)
    if effect not in ("", *EFFECTS):
        yield unsupported_value(f"{where}.effect", effect, EFFECTS)


def _unique_name(field: str, name: str, seen: set[str]) -> Iterator[Cause]:
    """Check a name, which must not be in ``seen``, and add it there."""
    yield from dns_label(field, name)
    if name in seen:
        yield duplicate(field, name)
    seen.add(name)


def validate_pod_update(old: Object, new: Object) -> Iterator[Cause]:
    """A pod's spec is fixed except for its images, deadlines and tolerations; a binding assigns its node."""
    pods = copy.deepcopy(old), copy.deepcopy(new)
    for pod in pods:
        default_pod(pod)  # an older version of this server may have set fewer defaults
        spec = pod["spec"]
        for field in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"):
            spec.pop(field, None)
        for container in containers(spec):
            container.pop("image", None)
    if pods[0]["spec"] != pods[1]["spec"]:
        yield forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        )


def _quality_of_service(spec: Object) -> str:
    """https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/"""
    resources = [container.get("resources") or {} for container in containers(spec)]
    if not any(entry.get("requests") or entry.get("limits") for entry in resources):
        return "BestEffort"
    for entry in resources:
        limits = entry.get("limits") or {}
        if not {"cpu", "memory"} <= limits.keys() or (entry.get("requests") or limits) != limits:
            return "Burstable"
    return "Guaranteed"


def _ready_containers(pod: Object) -> Cell:
    statuses = at(pod, "status", "containerStatuses", default=())
    return f"{sum(bool(status.get('ready')) for status in statuses)}/{len(pod['spec']['containers'])}"


def _printed_status(pod: Object) -> Cell:
    """The phase, or a more specific reason of a container, or the deletion, as kubectl prints it."""
    status = pod.get("status") or {}
    printed = status.get("reason") or status.get("phase") or "Unknown"
    initial = status.get("initContainerStatuses") or []
    for index, container in enumerate(initial):
        reason = _container_reason(container)
        if container.get("ready") or reason == "Completed":
            continue
        printed = f"Init:{reason}" if reason not in ("", "PodInitializing") else f"Init:{index}/{len(initial)}"
        break
    else:
        main = status.get("containerStatuses") or ()
        printed = next(filter(None, map(_container_reason, main)), printed)
        if printed == "Completed" and any(at(container, "state", "running") for container in main):
            printed = "Running"
    return "Terminating" if pod["metadata"].get("deletionTimestamp") else printed


def _container_reason(status: Object) -> str:
    if waiting := at(status, "state", "waiting"):
        return str(waiting.get("reason", ""))
    if ended := at(status, "state", "terminated"):
        signal, code = ended.get("signal"), ended.get("exitCode", 0)
        return str(ended.get("reason") or (f"Signal:{signal}" if signal else f"ExitCode:{code}"))
    return ""


def _restarts(pod: Object) -> Cell:
    statuses = at(pod, "status", "containerStatuses", default=())
    restarts = sum(status.get("restartCount", 0) for status in statuses)
    ended = [time for status in statuses if (time := at(status, "lastState", "terminated", "finishedAt"))]
    return f"{restarts} ({age(max(ended))} ago)" if restarts and ended else str(restarts)


PODS = Resource(
    *("", "v1", "Pod", "pods", ("po",)),
    categories=("all",),
    subresources=(
        Subresource("attach", "PodAttachOptions", CONNECT),
        Subresource("binding", "Binding", CREATE_ONLY),
        Subresource("eviction", "Eviction", CREATE_ONLY, "policy", "v1"),
        Subresource("exec", "PodExecOptions", CONNECT),
        Subresource("log", "Pod", ("get",)),
        Subresource("portforward", "PodPortForwardOptions", CONNECT),
        status_of("Pod"),
    ),
    model="V1Pod",
    description="Containers that run together on the node.",
    strategy=Strategy(default_pod, validate_pod, validate_pod_update, initial_status=initial_status, returns_deleted=True),
    columns=(
        NAME,
        Column("Ready", _ready_containers),
        Column("Status", _printed_status),
        Column("Restarts", _restarts),
        AGE,
        Column("IP", text("status", "podIP"), wide=True),
        Column("Node", text("spec", "nodeName"), wide=True),
        Column("Nominated Node", text("status", "nominatedNodeName"), wide=True),
        Column("Readiness Gates", lambda _: "<none>", wide=True),
    ),
    selectable=(
        *(f"spec.{name}" for name in ("nodeName", "restartPolicy", "schedulerName", "serviceAccountName", "hostNetwork")),
        *(f"status.{name}" for name in ("nominatedNodeName", "phase", "podIP")),
    ),
    unsupported=("ephemeralcontainers", "eviction", "proxy", "resize"),
)
