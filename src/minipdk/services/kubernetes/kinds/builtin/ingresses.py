"""Ingresses: HTTP addresses of Services at the cluster's ingress.

Rules: https://kubernetes.io/docs/concepts/services-networking/ingress/ and `ValidateIngressSpec` in
https://github.com/kubernetes/kubernetes/blob/v1.32.4/pkg/apis/networking/validation/validation.go. The ingress serves the
class `minipdk`, which is the default: hosts with all their paths, and paths below this machine's own names.
"""

from __future__ import annotations

from collections.abc import Iterator

from minipdk.services.kubernetes.errors import Cause, invalid_value, required, unsupported_value
from minipdk.services.kubernetes.kinds.columns import AGE, NAME, at
from minipdk.services.kubernetes.kinds.validation import dns_subdomain, port_number
from minipdk.services.kubernetes.model import Cell, Column, Object, Resource, Strategy, status_of

CLASS = "minipdk"
PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
STRIP_PREFIX, AUTHENTICATION = "ingress.minipdk/strip-prefix", "ingress.minipdk/authentication"
NOT_SUPPORTED = "is not supported by minipdk"
_ANNOTATIONS = {STRIP_PREFIX: ("true",), AUTHENTICATION: ("token",)}
"""The annotations that the ingress reads, and their values. Without the first, a path must be /."""


def default_ingress(ingress: Object) -> None:
    spec = ingress.setdefault("spec", {})
    if isinstance(spec, dict):
        spec.setdefault("ingressClassName", CLASS)


def validate_ingress(ingress: Object) -> Iterator[Cause]:
    spec = ingress["spec"]
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield invalid_value("spec", spec, "either `defaultBackend` or `rules` must be specified")
    if spec.get("ingressClassName") != CLASS:
        return  # another controller's, which would read it
    yield from (
        invalid_value(f"spec.{name}", spec[name], NOT_SUPPORTED) for name in ("defaultBackend", "tls") if spec.get(name)
    )
    annotations = ingress["metadata"].get("annotations") or {}
    for name, values in _ANNOTATIONS.items():
        if name in annotations and annotations[name] not in values:
            yield unsupported_value(f"metadata.annotations[{name}]", annotations[name], values)
    strips = annotations.get(STRIP_PREFIX) == "true"
    for index, rule in enumerate(spec.get("rules") or ()):
        yield from _validate_rule(rule, f"spec.rules[{index}]", strips=strips)


def _validate_rule(rule: Object, where: str, *, strips: bool) -> Iterator[Cause]:
    host = rule.get("host") or ""
    if host.startswith("*"):
        yield invalid_value(f"{where}.host", host, f"a wildcard {NOT_SUPPORTED}")
    elif host:
        yield from dns_subdomain(f"{where}.host", host)
    paths = at(rule, "http", "paths", default=[])
    if not paths:
        yield required(f"{where}.http.paths")
    if host and len(paths) > 1:
        yield invalid_value(f"{where}.http.paths", len(paths), f"more than one path of a host {NOT_SUPPORTED}")
    for index, path in enumerate(paths):
        yield from _validate_path(path, f"{where}.http.paths[{index}]", is_below_host=bool(host), strips=strips)


def _validate_path(path: Object, where: str, *, is_below_host: bool, strips: bool) -> Iterator[Cause]:
    text, kind = path.get("path") or "", path.get("pathType")
    if kind is None:
        yield required(f"{where}.pathType", "pathType must be specified")
    elif kind not in PATH_TYPES:
        yield unsupported_value(f"{where}.pathType", kind, PATH_TYPES)
    elif kind != "Prefix":
        yield invalid_value(f"{where}.pathType", kind, f"{NOT_SUPPORTED}: use Prefix")
    if not text.startswith("/"):
        yield invalid_value(f"{where}.path", text, "must be an absolute path")
    elif is_below_host and text != "/":
        yield invalid_value(f"{where}.path", text, f"a path of a host {NOT_SUPPORTED}: use /")
    elif not is_below_host and (text == "/" or not strips):
        yield invalid_value(
            f"{where}.path", text, f"{NOT_SUPPORTED}: name a folder such as /name/, and annotate {STRIP_PREFIX}: 'true'"
        )
    service = at(path, "backend", "service")
    if not service:
        yield invalid_value(f"{where}.backend", path.get("backend"), f"a backend that is no service {NOT_SUPPORTED}")
        return
    port = service.get("port") or {}
    if not port.get("name") and not port.get("number"):
        yield required(f"{where}.backend.service.port", "port name or number is required")
    elif port.get("number"):
        yield from port_number(f"{where}.backend.service.port.number", port["number"])


def _hosts(ingress: Object) -> Cell:
    hosts = [rule.get("host") or "*" for rule in at(ingress, "spec", "rules", default=())]
    more = f" + {len(hosts) - 3} more..." if len(hosts) > 3 else ""
    return ",".join(hosts[:3]) + more or "*"


def _addresses(ingress: Object) -> Cell:
    points = at(ingress, "status", "loadBalancer", "ingress", default=())
    return ",".join(point.get("ip") or point.get("hostname") or "" for point in points)


INGRESSES = Resource(
    *("networking.k8s.io", "v1", "Ingress", "ingresses", ("ing",)),
    subresources=(status_of("Ingress"),),
    model="V1Ingress",
    description="HTTP addresses of services at the cluster's ingress.",
    strategy=Strategy(
        default_ingress,
        validate_ingress,
        initial_status=lambda _: {"loadBalancer": {}},
        generation=True,
    ),
    columns=(
        NAME,
        Column("Class", lambda item: at(item, "spec", "ingressClassName", default="<none>")),
        Column("Hosts", _hosts),
        Column("Address", _addresses),
        Column("Ports", lambda item: "80, 443" if at(item, "spec", "tls") else "80"),
        AGE,
    ),
)
