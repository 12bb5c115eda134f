"""The probes of a container: their defaults and rules.

Rules: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minipdk.services.kubernetes.errors import Cause, forbidden, invalid_value, required, unsupported_value
from minipdk.services.kubernetes.kinds.validation import not_negative, port_name, port_number
from minipdk.services.kubernetes.model import Object

READINESS = "readinessProbe"
PROBES = ("livenessProbe", READINESS, "startupProbe")
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
DEFAULTS = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
COUNTS = ("initialDelaySeconds", *DEFAULTS)
SCHEMES = ("HTTP", "HTTPS")


def default_probes(container: Object) -> None:
    for probe in (container[name] for name in PROBES if isinstance(container.get(name), dict)):
        probe.update({key: probe.get(key) or value for key, value in DEFAULTS.items()})
        if isinstance(request := probe.get("httpGet"), dict):
            request.setdefault("path", "/")
            request.setdefault("scheme", "HTTP")


def validate_probes(container: Object, where: str) -> Iterator[Cause]:
    for name in PROBES:
        if probe := container.get(name):
            yield from _validate_probe(probe, f"{where}.{name}", is_readiness=name == READINESS)


def _validate_probe(probe: Object, where: str, *, is_readiness: bool) -> Iterator[Cause]:
    given = [name for name in HANDLERS if name in probe]
    if not given:
        yield required(where, "must specify a handler type")
    for name in given[:1]:
        yield from _validate_handler(name, probe[name], f"{where}.{name}")
    for name in given[1:]:
        yield forbidden(f"{where}.{name}", "may not specify more than 1 handler type")
    for name in COUNTS:
        yield from not_negative(f"{where}.{name}", probe.get(name))
    if not is_readiness and probe["successThreshold"] != 1:
        yield invalid_value(f"{where}.successThreshold", probe["successThreshold"], "must be 1")
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and is_readiness:
        yield invalid_value(f"{where}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes")
    elif grace is not None and grace <= 0:
        yield invalid_value(f"{where}.terminationGracePeriodSeconds", grace, "must be greater than 0")


def _validate_handler(name: str, handler: Object, where: str) -> Iterator[Cause]:
    if name == "exec":
        if not handler.get("command"):
            yield required(f"{where}.command")
        return
    yield from _port(f"{where}.port", handler.get("port"))
    if name == "httpGet" and handler["scheme"] not in SCHEMES:
        yield unsupported_value(f"{where}.scheme", handler["scheme"], SCHEMES)


def _port(field: str, port: Any) -> Iterator[Cause]:
    """Check a port that is given by its number or by its name."""
    if isinstance(port, str):
        yield from port_name(field, port)
    elif type(port) is int:
        yield from port_number(field, port)
    else:
        yield invalid_value(field, port, "must be a number or a name")
