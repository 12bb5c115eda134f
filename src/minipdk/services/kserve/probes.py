"""The probes of a predictor's containers, with the defaults that Knative fills in.

Rules: https://knative.dev/docs/serving/services/configure-probing/
"""

from __future__ import annotations

from typing import Any

from minipdk.controller.objects import Object

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
WITH_PORT = ("httpGet", "tcpSocket", "grpc")
HANDLERS = (*WITH_PORT, "exec")
GRPC_NAMES = ("grpc", "h2c")


def default_probes(container: Object, port: int) -> Object:
    """``container``, whose probes ask its own port for HTTP, else ``port``, unless they name one."""
    ports = [entry for entry in container.get("ports") or () if not entry.get("name", "").startswith(GRPC_NAMES)]
    own = next((entry["containerPort"] for entry in ports), port)
    probes = {name: _with_port(container[name], own) for name in PROBES if container.get(name)}
    return {**container, **probes}


def _with_port(probe: Object, port: int) -> Object:
    if not any(isinstance(probe.get(name), dict) for name in HANDLERS):
        return {**probe, "tcpSocket": {"port": port}}
    return {
        name: {**value, "port": value.get("port") or port} if _needs_port(name, value) else value
        for name, value in probe.items()
    }


def _needs_port(name: str, handler: Any) -> bool:
    return name in WITH_PORT and isinstance(handler, dict)
