"""Which predictor answers for which host name, and what share of the requests each revision gets.

KServe gives a service the external name ``<name>.<namespace>.example.com``, its predictor component
``<name>-predictor.<namespace>.example.com``, and both the in-cluster forms that end in ``svc.cluster.local``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

DOMAIN = "example.com"
CLUSTER_DOMAIN = "svc.cluster.local"
PREDICTOR_SUFFIX = "-predictor"

ServiceKey = tuple[str, str]
"""An InferenceService's namespace and name."""


class Proxy(Protocol):
    """What carries the requests out, and knows which are in flight."""

    async def drained(self, backend: Backend, timeout: float) -> bool: ...


@dataclass(eq=False)
class Backend:
    """A Pod that takes requests at a loopback ``port``, those of gRPC at ``grpc_port``, each with ``timeout`` seconds time.

    One that is ``closing`` finishes the requests it has and gets no new ones.
    """

    port: int
    grpc_port: int | None = None
    timeout: float = 300.0
    closing: bool = False
    proxy: Proxy | None = field(default=None, repr=False)

    async def drained(self, timeout: float) -> bool:
        """Get no new requests from now on; False when some are still in flight after ``timeout`` seconds."""
        self.closing = True
        return self.proxy is None or await self.proxy.drained(self, timeout)


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

    def backends(self) -> Iterable[Backend]:
        return (backend for share in self.traffic for backend in share.backends)


class Routes:
    """The table of services. A service's route is exchanged in one step: each request sees the old one or the new one.

    What is set here is in force a few milliseconds later: `in_force` waits for that.
    """

    def __init__(self) -> None:
        self.table: dict[ServiceKey, Route] = {}
        self.proxy: Proxy | None = None
        self.changed = asyncio.Event()
        self.version = 1
        self._known = False
        self._in_force, self._step = 0, asyncio.Event()

    @property
    def known(self) -> bool:
        """Whether the services have been read: until then nobody can say that one does not exist."""
        return self._known

    @known.setter
    def known(self, known: bool) -> None:
        self._known = known
        self.touch()

    def set(self, namespace: str, name: str, route: Route) -> None:
        if self.table.get((namespace, name)) == route:
            return
        self.table[namespace, name] = route
        for backend in route.backends():
            backend.proxy = self.proxy
        self.touch()

    def remove(self, namespace: str, name: str) -> None:
        if self.table.pop((namespace, name), None):
            self.touch()

    def touch(self) -> None:
        """Have the table published again: something that it refers to has changed."""
        self.version += 1
        self.changed.set()

    async def in_force(self) -> None:
        """Wait until no new request can go by anything older than the table is now."""
        wanted = self.version
        while self._in_force < wanted:
            await self._step.wait()

    def published(self, version: int) -> None:
        """The proxy says that the table of ``version`` is in force."""
        self._in_force = version
        self._step.set()
        self._step = asyncio.Event()
