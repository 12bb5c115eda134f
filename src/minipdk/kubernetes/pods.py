"""Pods: their defaults and rules. Running one is the business of whoever created it, such as KServe's controller.

Rules: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator

from minipdk.kubernetes.errors import (
    Cause,
    ConflictError,
    InvalidError,
    Subject,
    duplicate,
    forbidden,
    invalid_value,
    not_found,
    required,
    unsupported_value,
)
from minipdk.kubernetes.resources import Object
from minipdk.kubernetes.times import now
from minipdk.kubernetes.validation import dns_label, port_number, protocol

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
ENDED = ("Succeeded", "Failed")
"""The phases of a pod whose containers run no more."""
CONTAINER_LISTS = ("containers", "initContainers")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
PROBE_DEFAULTS = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
VARIABLE = "[ -<>-~]+"


def default_pod(pod: Object) -> None:
    default_pod_spec(pod.setdefault("spec", {}))


def is_running(pod: Object) -> bool:
    """Whether the pod has a node, and has not ended there."""
    return bool(pod["spec"].get("nodeName")) and (pod.get("status") or {}).get("phase") not in ENDED


def grace_period(pod: Object, asked: int | None) -> int:
    """How many seconds a pod that is deleted has to end: ``asked`` or its own; none if no node runs it (any more)."""
    if not is_running(pod):
        return 0
    return int(pod["spec"]["terminationGracePeriodSeconds"]) if asked is None else asked


def bound(pod: Object, binding: Object) -> Object:
    """``pod`` on the node that ``binding`` names, which is for good. Raises InvalidError and ConflictError."""
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
    others = [one for one in status.get("conditions") or () if one["type"] != "PodScheduled"]
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
        _default_container(container)


def initial_status(pod: Object) -> Object:
    """A pod that nobody runs yet."""
    return {"phase": "Pending", "qosClass": _quality_of_service(pod["spec"])}


def containers(spec: Object) -> list[Object]:
    """All containers of a pod's spec, the initial ones last."""
    return [one for field in CONTAINER_LISTS for one in spec.get(field) or () if isinstance(one, dict)]


def validate_pod(pod: Object) -> Iterator[Cause]:
    yield from validate_pod_spec(pod["spec"], "spec")


def validate_pod_spec(spec: Object, path: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    volumes: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        yield from _own_name(f"{path}.volumes[{index}].name", volume["name"], volumes)
    seen: set[str] = set()
    for field in CONTAINER_LISTS:
        for index, container in enumerate(spec.get(field) or ()):
            where = f"{path}.{field}[{index}]"
            yield from _own_name(f"{where}.name", container["name"], seen)
            yield from _validate_container(container, where, volumes)
    if spec.get("restartPolicy") not in RESTART_POLICIES:
        yield unsupported_value(f"{path}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES)
    if spec["dnsPolicy"] not in DNS_POLICIES:
        yield unsupported_value(f"{path}.dnsPolicy", spec["dnsPolicy"], DNS_POLICIES)
    if spec["terminationGracePeriodSeconds"] < 0:
        seconds = spec["terminationGracePeriodSeconds"]
        yield invalid_value(f"{path}.terminationGracePeriodSeconds", seconds, "must be greater than or equal to 0")


def _own_name(field: str, name: str, seen: set[str]) -> Iterator[Cause]:
    """What is wrong with a name that no other in ``seen`` may have."""
    yield from dns_label(field, name)
    if name in seen:
        yield duplicate(field, name)
    seen.add(name)


def _validate_container(container: Object, where: str, volumes: set[str]) -> Iterator[Cause]:
    if not container.get("image"):
        yield required(f"{where}.image")
    if container["imagePullPolicy"] not in PULL_POLICIES:
        yield unsupported_value(f"{where}.imagePullPolicy", container["imagePullPolicy"], PULL_POLICIES)
    for index, port in enumerate(container.get("ports") or ()):
        yield from port_number(f"{where}.ports[{index}].containerPort", port["containerPort"])
        yield from protocol(f"{where}.ports[{index}].protocol", port["protocol"])
    for index, variable in enumerate(container.get("env") or ()):
        if not re.fullmatch(VARIABLE, variable["name"]):
            why = "a valid environment variable name must consist only of printable ASCII characters other than '='"
            yield invalid_value(f"{where}.env[{index}].name", variable["name"], why)
    places: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if mount["name"] not in volumes:
            yield not_found(f"{where}.volumeMounts[{index}].name", mount["name"])
        if mount["mountPath"] in places:
            yield invalid_value(f"{where}.volumeMounts[{index}].mountPath", mount["mountPath"], "must be unique")
        places.add(mount["mountPath"])


def validate_pod_update(old: Object, new: Object) -> Iterator[Cause]:
    """A pod's spec is fixed but for its images, deadlines and tolerations; its node is given by a binding."""
    before, after = copy.deepcopy(old["spec"]), copy.deepcopy(new["spec"])
    for spec in (before, after):
        for field in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"):
            spec.pop(field, None)
        for container in containers(spec):
            container.pop("image", None)
    if before != after:
        yield forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        )


def _default_container(container: Object) -> None:
    latest = str(container.get("image", "")).rpartition("/")[2].partition(":")[2] in ("", "latest")
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    for amounts in container.setdefault("resources", {}).values():
        if isinstance(amounts, dict):  # a number of CPUs may be written as one
            amounts.update({name: str(amount) for name, amount in amounts.items()})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports") or ():
        if isinstance(port, dict):
            port.setdefault("protocol", "TCP")
    for name in PROBES:
        if isinstance(probe := container.get(name), dict):
            _default_probe(probe)


def _default_probe(probe: Object) -> None:
    for key, value in PROBE_DEFAULTS.items():
        probe[key] = probe.get(key) or value
    if isinstance(request := probe.get("httpGet"), dict):
        request.setdefault("path", "/")
        request.setdefault("scheme", "HTTP")


def _quality_of_service(spec: Object) -> str:
    """https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/"""
    resources = [one.get("resources") or {} for one in containers(spec)]
    if not any(one.get("requests") or one.get("limits") for one in resources):
        return "BestEffort"
    for one in resources:
        limits = one.get("limits") or {}
        if not {"cpu", "memory"} <= limits.keys() or (one.get("requests") or limits) != limits:
            return "Burstable"
    return "Guaranteed"
