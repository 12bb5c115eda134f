"""The table from which the ingress sends requests to Pods, kept by the controllers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

ServiceKey = tuple[str, str]
"""A service's namespace and name."""


class Proxy(Protocol):
    """The ingress, which knows the requests in flight."""

    async def drained(self, backend: Backend, timeout: float) -> bool: ...


@dataclass(eq=False)
class Backend:
    """A ready Pod: its loopback ``port``, its ``grpc_port``, and the seconds that it has for each request.

    A ``closing`` one finishes the requests it has and gets no new ones.
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
    """A revision's share of the requests in percent, and its ready replicas."""

    percent: int
    backends: tuple[Backend, ...]


@dataclass(frozen=True)
class Address:
    """Where clients send a service's requests.

    ``hosts`` are its host names; its predictors see the first as their Host. ``aliases`` are further ones, each unless it
    is a host name of another service. ``path`` is a prefix below this machine's own names, which the ingress removes.
    """

    hosts: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    path: str = ""


@dataclass(frozen=True)
class Route:
    """A service's address and the Pods that answer its requests; without any, the ``reason``."""

    traffic: tuple[Traffic, ...] = ()
    reason: str = ""
    address: Address = field(default_factory=Address)

    def backends(self) -> Iterable[Backend]:
        return (backend for share in self.traffic for backend in share.backends)


class Routes:
    """The table of services. A service's route is exchanged in one step: each request sees the old one or the new one.

    A change is in force a few milliseconds later: `in_force` waits for that.
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
        """Whether the services have been read. Until then an unknown service may still exist."""
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
        """Have the table published again, because an object that it refers to has changed."""
        self.version += 1
        self.changed.set()

    async def in_force(self) -> None:
        """Wait until no new request can follow an older table than the current one."""
        version = self.version
        while self._in_force < version:
            await self._step.wait()

    def published(self, version: int) -> None:
        """Called by the proxy when the table of ``version`` is in force."""
        self._in_force = version
        self._step.set()
        self._step = asyncio.Event()
