"""The containers of a pod: their defaults and rules.

Rules: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Container.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from minipdk.services.kubernetes.errors import (
    Cause,
    duplicate,
    forbidden,
    invalid_value,
    not_found,
    required,
    unsupported_value,
)
from minipdk.services.kubernetes.kinds.builtin.amounts import default_amounts, validate_amounts
from minipdk.services.kubernetes.kinds.builtin.probes import PROBES, default_probes, validate_probes
from minipdk.services.kubernetes.kinds.validation import no_backsteps, port_name, port_number, protocol, within
from minipdk.services.kubernetes.model import Object

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MESSAGE_POLICIES = ("FallbackToLogsOnError", "File")
LARGEST_INT32 = (1 << 31) - 1
VARIABLE = "[ -<>-~]+"
VALUE_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef")
WHOLE_SOURCES = ("configMapRef", "secretRef")
FIELD_PATHS = (
    *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"),
    *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
)
FIELD_ENTRY = r"metadata\.(labels|annotations)\['[^']+'\]"
AMOUNTS = tuple(f"{kind}.{name}" for kind in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory"))
ONLY_MAIN = ("lifecycle", *PROBES)
"""What an init container, which is to end, may not say."""


def default_container(container: Object) -> None:
    latest = str(container.get("image", "")).rpartition("/")[2].partition(":")[2] in ("", "latest")
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    default_amounts(container.setdefault("resources", {}))
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    default_probes(container)


def validate_container(container: Object, where: str, volumes: Collection[str], *, initial: bool) -> Iterator[Cause]:
    """What is wrong with one of a pod's containers. ``volumes`` are the names of those that the pod has."""
    image = container.get("image", "")
    if not image:
        yield required(f"{where}.image")
    elif image != image.strip():
        yield invalid_value(f"{where}.image", image, "must not have leading or trailing whitespace")
    for field, supported in (("imagePullPolicy", PULL_POLICIES), ("terminationMessagePolicy", MESSAGE_POLICIES)):
        if container[field] not in supported:
            yield unsupported_value(f"{where}.{field}", container[field], supported)
    yield from _validate_ports(container.get("ports") or [], f"{where}.ports")
    yield from _validate_environment(container, where)
    yield from _validate_mounts(container.get("volumeMounts") or [], f"{where}.volumeMounts", volumes)
    yield from validate_amounts(container["resources"], f"{where}.resources")
    yield from validate_ids(container.get("securityContext") or {}, f"{where}.securityContext")
    if initial and container.get("restartPolicy") != "Always":
        why = "may not be set for init containers without restartPolicy=Always"
        yield from (forbidden(f"{where}.{name}", why) for name in ONLY_MAIN if container.get(name))
    else:
        yield from validate_probes(container, where)


def validate_ids(context: Object, where: str) -> Iterator[Cause]:
    """What is wrong with the users and groups of a security context."""
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        yield from within(f"{where}.{name}", context.get(name), 0, LARGEST_INT32)
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        yield from within(f"{where}.supplementalGroups[{index}]", group, 0, LARGEST_INT32)


def _validate_ports(ports: list[Object], where: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        field, name = f"{where}[{index}]", port.get("name", "")
        if name in seen:
            yield duplicate(f"{field}.name", name)
        elif name:
            yield from port_name(f"{field}.name", name)
            seen.add(name)
        yield from port_number(f"{field}.containerPort", port["containerPort"])
        if port.get("hostPort"):
            yield from port_number(f"{field}.hostPort", port["hostPort"])
        yield from protocol(f"{field}.protocol", port["protocol"])


def _validate_environment(container: Object, where: str) -> Iterator[Cause]:
    for index, variable in enumerate(container.get("env") or ()):
        field = f"{where}.env[{index}]"
        yield from _variable_name(f"{field}.name", variable["name"])
        if "valueFrom" in variable:
            yield from _validate_source(variable, f"{field}.valueFrom")
    for index, source in enumerate(container.get("envFrom") or ()):
        field = f"{where}.envFrom[{index}]"
        if prefix := source.get("prefix"):
            yield from _variable_name(f"{field}.prefix", prefix)
        yield from _one_of(source, WHOLE_SOURCES, field)


def _variable_name(field: str, name: str) -> Iterator[Cause]:
    if not re.fullmatch(VARIABLE, name):
        why = "a valid environment variable name must consist only of printable ASCII characters other than '='"
        yield invalid_value(field, name, why)


def _validate_source(variable: Object, where: str) -> Iterator[Cause]:
    """What is wrong with where a variable's value comes from."""
    source = variable["valueFrom"]
    if variable.get("value"):
        yield invalid_value(where, "", "may not be specified when `value` is not empty")
    yield from _one_of(source, VALUE_SOURCES, where)
    path = (source.get("fieldRef") or {}).get("fieldPath")
    if path is not None and path not in FIELD_PATHS and not re.fullmatch(FIELD_ENTRY, path):
        why = f"error converting fieldPath: field label not supported: {path}"
        yield invalid_value(f"{where}.fieldRef.fieldPath", path, why)
    amount = (source.get("resourceFieldRef") or {}).get("resource")
    if amount is not None and amount not in AMOUNTS:
        yield unsupported_value(f"{where}.resourceFieldRef.resource", amount, AMOUNTS)


def _one_of(source: Object, names: tuple[str, ...], where: str) -> Iterator[Cause]:
    given = [name for name in names if name in source]
    if not given:
        *first, last = (f"`{name}`" for name in names)
        yield invalid_value(where, "", f"must specify one of: {', '.join(first)} or {last}")
    elif len(given) > 1:
        yield invalid_value(where, "", "may not have more than one field specified at a time")


def _validate_mounts(mounts: list[Object], where: str, volumes: Collection[str]) -> Iterator[Cause]:
    places: set[str] = set()
    for index, mount in enumerate(mounts):
        field = f"{where}[{index}]"
        if mount["name"] not in volumes:
            yield not_found(f"{field}.name", mount["name"])
        if mount["mountPath"] in places:
            yield invalid_value(f"{field}.mountPath", mount["mountPath"], "must be unique")
        places.add(mount["mountPath"])
        for name in ("subPath", "subPathExpr"):
            if path := mount.get(name):
                yield from _path_below(f"{field}.{name}", path)


def _path_below(field: str, path: str) -> Iterator[Cause]:
    """What is wrong with a path that must lead into its volume."""
    if path.startswith("/"):
        yield invalid_value(field, path, "must be a relative path")
    yield from no_backsteps(field, path)
