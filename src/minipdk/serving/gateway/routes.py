"""Which predictor answers for which host name.

KServe gives a service the external name ``<name>.<namespace>.example.com``, its predictor component
``<name>-predictor.<namespace>.example.com``, and both the in-cluster forms that end in ``svc.cluster.local``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

DOMAIN = "example.com"
CLUSTER_DOMAIN = "svc.cluster.local"
PREDICTOR_SUFFIX = "-predictor"


@dataclass(eq=False)
class Backend:
    """A Pod that takes requests at a loopback ``port``, those of gRPC at ``grpc_port``, each with ``timeout`` seconds time.

    One that is ``closing`` finishes the requests it has and gets no new ones.
    """

    port: int
    grpc_port: int | None = None
    timeout: float = 300.0
    closing: bool = False
    in_flight: int = 0
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __enter__(self) -> Backend:
        self.in_flight += 1
        self._idle.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self.in_flight -= 1
        if not self.in_flight:
            self._idle.set()

    async def drained(self, timeout: float) -> bool:
        """Wait until no request is in flight; False when some still are after ``timeout`` seconds."""
        if not self.in_flight:
            return True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError:
            return False
        return True


@dataclass(frozen=True)
class Traffic:
    """A revision's share of the requests in percent, and its replicas that are ready."""

    percent: int
    backends: tuple[Backend, ...]


@dataclass(frozen=True)
class Route:
    """A service: who answers its requests; where nobody does, the ``reason``."""

    traffic: tuple[Traffic, ...] = ()
    reason: str = ""


class Routes:
    """The table of services. A service's predictor is exchanged in one step: each request sees the old or the new one."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], Route] = {}
        self.known = False
        """Whether the services have been read: until then nobody can say that one does not exist."""

    def set(self, namespace: str, name: str, route: Route) -> None:
        self._routes[namespace, name] = route

    def remove(self, namespace: str, name: str) -> None:
        self._routes.pop((namespace, name), None)

    def resolve(self, host: str) -> Route | None:
        """The route for a request's Host header, its port ignored; None when no service has that name."""
        name, _, rest = host.partition(":")[0].lower().rstrip(".").partition(".")
        namespace, _, domain = rest.partition(".")
        if domain not in (DOMAIN, CLUSTER_DOMAIN):
            return None
        return self._routes.get((namespace, name)) or self._routes.get((namespace, name.removesuffix(PREDICTOR_SUFFIX)))
