"""The containers of a pod and the resources that they request: defaults and rules.

Rules: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Container and
https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from minipdk.common.quantities import quantity
from minipdk.services.kubernetes.errors import (
    Cause,
    duplicate,
    forbidden,
    invalid_value,
    not_found,
    required,
    unsupported_value,
)
from minipdk.services.kubernetes.kinds.builtin.probes import PROBES, default_probes, validate_probes
from minipdk.services.kubernetes.kinds.validation import (
    path_below,
    port_name,
    port_number,
    protocol,
    qualified_name,
    within,
)
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
RESOURCE_FIELDS = tuple(
    f"{kind}.{name}" for kind in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
ONLY_MAIN = ("lifecycle", *PROBES)
"""Fields that an init container, which runs to its end, may not have."""
OVERCOMMITTED = ("cpu", "memory", "ephemeral-storage")
"""Resources of which containers may use more than they request: a limit may be above its request."""
HUGE_PAGES = "hugepages-"
NATIVE = "kubernetes.io/"


def default_container(container: Object) -> None:
    latest = str(container.get("image", "")).rpartition("/")[2].partition(":")[2] in ("", "latest")
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    _default_amounts(container.setdefault("resources", {}))
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    default_probes(container)


def default_requests(resources: Object) -> None:
    """A resource with a limit and no request is requested up to its limit."""
    if limits := resources.get("limits"):
        resources["requests"] = {**limits, **(resources.get("requests") or {})}


def validate_container(container: Object, where: str, volumes: Collection[str], *, initial: bool) -> Iterator[Cause]:
    """Check a container of a pod, an init container if ``initial``; ``volumes`` are the names of the pod's volumes."""
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
    yield from _validate_resources(container["resources"], f"{where}.resources")
    yield from validate_ids(container.get("securityContext") or {}, f"{where}.securityContext")
    if initial and container.get("restartPolicy") != "Always":
        why = "may not be set for init containers without restartPolicy=Always"
        yield from (forbidden(f"{where}.{name}", why) for name in ONLY_MAIN if container.get(name))
    else:
        yield from validate_probes(container, where)


def validate_ids(context: Object, where: str) -> Iterator[Cause]:
    """Check the users and groups of a security context."""
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
    """Check the source of a variable's value."""
    source = variable["valueFrom"]
    if variable.get("value"):
        yield invalid_value(where, "", "may not be specified when `value` is not empty")
    yield from _one_of(source, VALUE_SOURCES, where)
    path = (source.get("fieldRef") or {}).get("fieldPath")
    if path is not None and path not in FIELD_PATHS and not re.fullmatch(FIELD_ENTRY, path):
        why = f"error converting fieldPath: field label not supported: {path}"
        yield invalid_value(f"{where}.fieldRef.fieldPath", path, why)
    resource = (source.get("resourceFieldRef") or {}).get("resource")
    if resource is not None and resource not in RESOURCE_FIELDS:
        yield unsupported_value(f"{where}.resourceFieldRef.resource", resource, RESOURCE_FIELDS)


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
                yield from path_below(f"{field}.{name}", path)
        if mount.get("subPath") and mount.get("subPathExpr"):
            why = "subPathExpr and subPath are mutually exclusive"
            yield invalid_value(f"{field}.subPathExpr", mount["subPathExpr"], why)


def _default_amounts(resources: Object) -> None:
    """Write every amount as a string: clients may send a number of CPUs as a number."""
    for amounts in resources.values():
        if isinstance(amounts, dict):
            amounts.update({name: str(amount) for name, amount in amounts.items()})


def _validate_resources(resources: Object, where: str) -> Iterator[Cause]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            yield from _validate_amount(f"{where}.{kind}[{name}]", name, amount)
    for name, amount in requests.items():
        if name in limits:
            yield from _validate_request(f"{where}.requests", name, amount, limits[name])
        elif name not in OVERCOMMITTED:
            yield required(f"{where}.limits", "Limit must be set for non overcommitable resources")


def _validate_amount(field: str, name: str, amount: str) -> Iterator[Cause]:
    yield from qualified_name(field, name)
    extended = "/" in name and NATIVE not in name
    if "/" not in name and name not in OVERCOMMITTED and not name.startswith(HUGE_PAGES):
        yield invalid_value(field, name, "must be a standard resource type or fully qualified")
        yield invalid_value(field, name, "must be a standard resource for containers")
    number = quantity(amount)
    if number < 0:
        yield invalid_value(field, amount, "must be greater than or equal to 0")
    elif extended and number != number.to_integral_value():
        yield invalid_value(field, amount, "must be an integer")


def _validate_request(field: str, name: str, amount: str, limit: str) -> Iterator[Cause]:
    if name not in OVERCOMMITTED and quantity(amount) != quantity(limit):
        yield invalid_value(field, amount, f"must be equal to {name} limit of {limit}")
    elif quantity(amount) > quantity(limit):
        yield invalid_value(field, amount, f"must be less than or equal to {name} limit of {limit}")
