"""Services and Endpoints.

Rules: https://kubernetes.io/docs/concepts/services-networking/service/. There are no virtual addresses and no node ports.
"""

from __future__ import annotations

from collections.abc import Iterator

from minipdk.services.kubernetes.errors import Cause, duplicate, invalid_value, required, unsupported_value
from minipdk.services.kubernetes.kinds.columns import AGE, NAME, at, pairs_of, text
from minipdk.services.kubernetes.kinds.validation import dns_1035_label, dns_label, port_number, protocol
from minipdk.services.kubernetes.model import Cell, Column, Object, Resource, Strategy, status_of

TYPES = ("ClusterIP", "ExternalName")
"""The types that need no port on a node."""
ADDRESS_FIELDS = ("clusterIP", "clusterIPs", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy")


def default_service(service: Object) -> None:
    spec = service.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if spec["type"] == "ClusterIP":
        spec["clusterIP"] = spec.get("clusterIP") or "None"
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("internalTrafficPolicy", "Cluster")
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
    else:
        for field in ADDRESS_FIELDS:
            spec.pop(field, None)
    for port in spec.get("ports") or ():
        if isinstance(port, dict):
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port.get("port"))


def validate_service(service: Object) -> Iterator[Cause]:
    spec = service["spec"]
    if spec["type"] not in TYPES:
        yield unsupported_value("spec.type", spec["type"], TYPES)
    if spec["type"] == "ClusterIP" and spec["clusterIP"] != "None":
        yield invalid_value(
            "spec.clusterIP", spec["clusterIP"], "virtual addresses are not supported by minipdk: leave it out"
        )
    if spec["type"] == "ClusterIP" and spec["clusterIPs"] != [spec["clusterIP"]]:
        yield invalid_value("spec.clusterIPs", spec["clusterIPs"], "first value must match `clusterIP`")
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        yield required("spec.externalName")
    yield from _validate_ports(spec.get("ports") or [])


def _validate_ports(ports: list[Object]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        where, name = f"spec.ports[{index}]", port.get("name", "")
        if not name and len(ports) > 1:
            yield required(f"{where}.name")
        elif name in seen:
            yield duplicate(f"{where}.name", name)
        elif name:
            yield from dns_label(f"{where}.name", name)
        seen.add(name)
        yield from port_number(f"{where}.port", port.get("port", 0))
        yield from protocol(f"{where}.protocol", port["protocol"])


def _ports(service: Object) -> Cell:
    ports = at(service, "spec", "ports", default=())
    return ",".join(f"{port['port']}/{port.get('protocol', 'TCP')}" for port in ports) or "<none>"


def _endpoints(endpoints: Object) -> Cell:
    addresses = [
        f"{address['ip']}:{port['port']}"
        for subset in endpoints.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    ]
    more = f" + {len(addresses) - 3} more..." if len(addresses) > 3 else ""
    return ",".join(addresses[:3]) + more or "<none>"


SERVICES = Resource(
    *("", "v1", "Service", "services", ("svc",)),
    categories=("all",),
    subresources=(status_of("Service"),),
    model="V1Service",
    description="A name for a set of pods. minipdk assigns no address to it.",
    strategy=Strategy(
        default_service,
        validate_service,
        validate_name=dns_1035_label,
        initial_status=lambda _: {"loadBalancer": {}},
        returns_deleted=True,
    ),
    columns=(
        NAME,
        Column("Type", text("spec", "type")),
        Column("Cluster-IP", text("spec", "clusterIP")),
        Column("External-IP", text("spec", "externalName")),
        Column("Port(s)", _ports),
        AGE,
        Column("Selector", pairs_of("spec", "selector"), wide=True),
    ),
    selectable=("spec.clusterIP", "spec.type"),
    unsupported=("proxy",),
)
ENDPOINTS = Resource(
    *("", "v1", "Endpoints", "endpoints", ("ep",)),
    model="V1Endpoints",
    description="The addresses and ports behind a Service.",
    columns=(NAME, Column("Endpoints", _endpoints), AGE),
)
