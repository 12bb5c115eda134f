"""Probes: whether a container has started, is ready for requests, is still alive.

Rules: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/. A container that is starting is
looked at several times a second, whatever its probe's period: its failures count once in a period all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from minipdk.home import HOST
from minipdk.serving.api import Object
from minipdk.serving.errors import ContainerError

from .status import CONFIG_ERROR

if TYPE_CHECKING:
    from minipdk.sandbox import Network

STARTUP, READINESS, LIVENESS = "Startup", "Readiness", "Liveness"
FIELDS = {STARTUP: "startupProbe", READINESS: "readinessProbe", LIVENESS: "livenessProbe"}
ACTIONS = ("httpGet", "tcpSocket", "grpc")
FAST = 0.1
HEALTH = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"
HEALTH_STATES = {b"": "UNKNOWN", b"\x08\x02": "NOT_SERVING", b"\x08\x03": "SERVICE_UNKNOWN"}


class Addresses:
    """Where a container's ports are reached: in its ``network``, or on the host's loopback at the ports ``moved`` names."""

    def __init__(self, network: Network | None, moved: dict[int, int]) -> None:
        self._network, self._moved = network, moved

    def port(self, port: int) -> int:
        """The host's port at which the container's ``port`` is reached."""
        return self._network.ports[port] if self._network else self._moved.get(port, port)

    async def accepts(self, port: int, timeout: float) -> bool:
        """Whether something listens on the container's ``port``."""
        if self._network:
            stream = await asyncio.to_thread(self._network.connect, port, timeout)
            if stream:
                stream.close()
            return stream is not None
        _, writer = await asyncio.wait_for(asyncio.open_connection(HOST, self.port(port)), timeout)
        writer.close()
        return True


@dataclass(frozen=True)
class Probe:
    """A probe of a container's spec. Times in seconds."""

    kind: str
    action: str
    settings: Object
    port: int
    initial_delay: float
    period: float
    timeout: float
    successes: int
    failures: int
    grace: float | None

    @property
    def name(self) -> str:
        return FIELDS[self.kind]

    async def check(self, addresses: Addresses, http: aiohttp.ClientSession) -> str:
        """Why the container fails the probe; empty if it passes."""
        try:
            if self.action == "httpGet":
                return await self._get(addresses, http)
            if self.action == "grpc":
                return await self._call(addresses)
            if await addresses.accepts(self.port, self.timeout):
                return ""
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if isinstance(error, TimeoutError):
                return f"{self._what}: context deadline exceeded (no answer within {self.timeout:g} s)"
        return f"{self._what}: dial tcp {HOST}:{self.port}: connect: connection refused"

    @property
    def _what(self) -> str:
        if self.action == "httpGet":
            return f'Get "{self._url(self.port)}"'
        return f'service ":{self.port}"' if self.action == "grpc" else f"port {self.port}"

    def _url(self, port: int) -> str:
        path = self.settings.get("path", "/")
        return f"{self.settings.get('scheme', 'HTTP').lower()}://{HOST}:{port}/{path.removeprefix('/')}"

    async def _get(self, addresses: Addresses, http: aiohttp.ClientSession) -> str:
        headers = {"User-Agent": "kube-probe/minipdk", "Accept": "*/*"}
        headers |= {one["name"]: one.get("value", "") for one in self.settings.get("httpHeaders") or ()}
        timeout = aiohttp.ClientTimeout(total=self.timeout)
        url = self._url(addresses.port(self.port))
        async with http.get(url, headers=headers, timeout=timeout, ssl=False, allow_redirects=False) as answer:
            return "" if 200 <= answer.status < 400 else f"HTTP probe failed with statuscode: {answer.status}"

    async def _call(self, addresses: Addresses) -> str:
        import grpc.aio

        service = self.settings.get("service", "").encode()
        request = b"\x0a%c%b" % (len(service), service) if service else b""
        async with grpc.aio.insecure_channel(f"{HOST}:{addresses.port(self.port)}") as channel:
            check = channel.unary_unary(HEALTH)  # messages as they are on the wire
            try:
                answer = await check(request, timeout=self.timeout)
            except grpc.aio.AioRpcError as error:
                if error.code() == grpc.StatusCode.UNIMPLEMENTED:
                    return "this server does not implement the grpc health protocol (grpc.health.v1.Health)"
                return f"{self._what}: {error.code().name}: {error.details()}"
        state = "" if answer == SERVING else HEALTH_STATES.get(answer, "UNKNOWN")
        return f'service unhealthy (responded with "{state}")' if state else ""


def read(container: Object, kind: str) -> Probe | None:
    """The probe of ``container`` of this kind, if it has one. Raises ContainerError for one that is not supported."""
    probe = container.get(FIELDS[kind])
    if not probe:
        return None
    action = next((one for one in ACTIONS if one in probe), "")
    settings = probe.get(action) or {}
    if not action or settings.get("host"):
        what = "tcpSocket.host" if action == "tcpSocket" else "httpGet.host" if action else "exec"
        raise ContainerError(CONFIG_ERROR, f"{FIELDS[kind]}.{what} is not supported by minipdk")
    return Probe(
        kind,
        action,
        settings,
        port=_port(container, settings.get("port"), kind),
        initial_delay=float(probe.get("initialDelaySeconds") or 0),
        period=float(probe.get("periodSeconds") or 10),
        timeout=float(probe.get("timeoutSeconds") or 1),
        successes=probe.get("successThreshold") or 1,
        failures=probe.get("failureThreshold") or 3,
        grace=probe.get("terminationGracePeriodSeconds"),
    )


def read_all(container: Object) -> dict[str, Probe | None]:
    """The probes of ``container`` by their kinds. Raises ContainerError as `read`."""
    return {kind: read(container, kind) for kind in FIELDS}


def probed_ports(container: Object) -> set[int]:
    """The ports that are probed; none where a probe is not supported."""
    with contextlib.suppress(ContainerError):
        return {probe.port for probe in read_all(container).values() if probe}
    return set()


def _port(container: Object, port: object, kind: str) -> int:
    """The number of a port, which may be named."""
    if str(port).isdecimal():
        return int(str(port))
    for one in container.get("ports") or ():
        if one.get("name") == port:
            return int(one["containerPort"])
    raise ContainerError(CONFIG_ERROR, f"{FIELDS[kind]}: couldn't find port {port!r} in the container's ports")


class Prober:
    """Follows the probes of one running container.

    ``ready`` is told when it becomes ready or unready, ``failed`` why a probe failed, and ``kill`` that it is to be ended,
    with the probe that says so.
    """

    def __init__(
        self,
        container: Object,
        addresses: Addresses,
        http: aiohttp.ClientSession,
        *,
        started: Callable[[], None],
        ready: Callable[[bool], None],
        failed: Callable[[Probe, str], None],
        kill: Callable[[Probe], None],
    ) -> None:
        self._probes = read_all(container)
        self._addresses, self._http = addresses, http
        self._started, self._ready, self._failed, self._kill = started, ready, failed, kill

    async def run(self) -> None:
        """Probe until cancelled, or until the container is to be ended."""
        if (startup := self._probes[STARTUP]) and not await self._pass(startup, give_up=True):
            return
        self._started()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._readiness())
            if liveness := self._probes[LIVENESS]:
                tasks.create_task(self._liveness(liveness))

    async def _readiness(self) -> None:
        probe = self._probes[READINESS]
        if probe is None:
            self._ready(True)
            return
        while True:
            await self._pass(probe)
            self._ready(True)
            await self._fail(probe)
            self._ready(False)

    async def _liveness(self, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay)
        await self._fail(probe)
        self._kill(probe)

    async def _pass(self, probe: Probe, *, give_up: bool = False) -> bool:
        """Wait until the probe has passed often enough. Those who ``give_up`` end the container after too many failures."""
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(probe.initial_delay)
        passed, failed, counted = 0, 0, clock()
        while passed < probe.successes:
            why = await probe.check(self._addresses, self._http)
            passed = 0 if why else passed + 1
            if why and clock() - counted >= probe.period:
                failed, counted = failed + 1, clock()
                self._failed(probe, why)
                if give_up and failed >= probe.failures:
                    self._kill(probe)
                    return False
            if passed < probe.successes:
                await asyncio.sleep(probe.period if passed else min(FAST, probe.period))
        return True

    async def _fail(self, probe: Probe) -> None:
        """Return once the probe has failed often enough."""
        failures = 0
        while failures < probe.failures:
            await asyncio.sleep(probe.period)
            why = await probe.check(self._addresses, self._http)
            failures = failures + 1 if why else 0
            if why:
                self._failed(probe, why)
