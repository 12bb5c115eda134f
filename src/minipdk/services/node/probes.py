"""Probes: whether a container has started, is ready for requests, is still alive.

Rules: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from minipdk.common.ports import HOST
from minipdk.controller.objects import Object
from minipdk.sandbox.errors import SandboxError
from minipdk.services.node.errors import ContainerError
from minipdk.services.node.status import CONFIG_ERROR

if TYPE_CHECKING:
    from minipdk.sandbox import Network
    from minipdk.services.node.process import Process

STARTUP, READINESS, LIVENESS = "Startup", "Readiness", "Liveness"
FIELDS = {STARTUP: "startupProbe", READINESS: "readinessProbe", LIVENESS: "livenessProbe"}
ACTIONS = ("httpGet", "tcpSocket", "grpc", "exec")
MAX_OUTPUT = 10 << 10
FAST_PERIOD = 0.1
"""The pause in seconds between checks of a container that is starting, if its probe's period is longer."""
HEALTH = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"
HEALTH_STATES = {b"": "UNKNOWN", b"\x08\x02": "NOT_SERVING", b"\x08\x03": "SERVICE_UNKNOWN"}


class Target:
    """A running container to probe.

    Its ports are reached in its ``network``, or on the host's loopback at the ports that ``moved`` names; ``process`` runs
    commands in it.
    """

    def __init__(
        self, network: Network | None, moved: dict[int, int], process: Process, http: aiohttp.ClientSession
    ) -> None:
        self._network, self._moved, self.process, self.http = network, moved, process, http

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

    async def check(self, target: Target) -> str:
        """The reason for which the container fails the probe; empty if it passes."""
        checks = {"httpGet": self._get, "tcpSocket": self._connect, "grpc": self._call, "exec": self._execute}
        try:
            return await checks[self.action](target)
        except TimeoutError:
            return f"{self._subject}: context deadline exceeded (no answer within {self.timeout:g} s)"
        except SandboxError as error:
            return str(error)
        except (aiohttp.ClientError, OSError):
            return self._refused

    @property
    def _refused(self) -> str:
        return f"{self._subject}: dial tcp {HOST}:{self.port}: connect: connection refused"

    @property
    def _subject(self) -> str:
        if self.action == "httpGet":
            return f'Get "{self._url(self.port)}"'
        if self.action == "exec":
            return f"command {self.settings['command']}"
        return f'service ":{self.port}"' if self.action == "grpc" else f"port {self.port}"

    def _url(self, port: int) -> str:
        path = self.settings.get("path", "/")
        return f"{self.settings.get('scheme', 'HTTP').lower()}://{HOST}:{port}/{path.removeprefix('/')}"

    async def _connect(self, target: Target) -> str:
        return "" if await target.accepts(self.port, self.timeout) else self._refused

    async def _execute(self, target: Target) -> str:
        status, output = await target.process.run(self.settings["command"], self.timeout)
        text = output[:MAX_OUTPUT].decode(errors="replace").strip()
        return (text or f"{self._subject} ended with status {status}") if status else ""

    async def _get(self, target: Target) -> str:
        headers = {"User-Agent": "kube-probe/minipdk", "Accept": "*/*"}
        headers |= {header["name"]: header.get("value", "") for header in self.settings.get("httpHeaders") or ()}
        timeout = aiohttp.ClientTimeout(total=self.timeout)
        url = self._url(target.port(self.port))
        async with target.http.get(url, headers=headers, timeout=timeout, ssl=False, allow_redirects=False) as answer:
            return "" if 200 <= answer.status < 400 else f"HTTP probe failed with statuscode: {answer.status}"

    async def _call(self, target: Target) -> str:
        import grpc.aio

        service = self.settings.get("service", "").encode()
        request = b"\x0a%c%b" % (len(service), service) if service else b""
        async with grpc.aio.insecure_channel(f"{HOST}:{target.port(self.port)}") as channel:
            check = channel.unary_unary(HEALTH)  # messages as they are on the wire
            try:
                answer = await check(request, timeout=self.timeout)
            except grpc.aio.AioRpcError as error:
                if error.code() == grpc.StatusCode.UNIMPLEMENTED:
                    return "this server does not implement the grpc health protocol (grpc.health.v1.Health)"
                return f"{self._subject}: {error.code().name}: {error.details()}"
        state = "" if answer == SERVING else HEALTH_STATES.get(answer, "UNKNOWN")
        return f'service unhealthy (responded with "{state}")' if state else ""


def read(container: Object, kind: str) -> Probe | None:
    """The probe of ``container`` of this kind, if it has one. Raises ContainerError for an unsupported one."""
    probe = container.get(FIELDS[kind])
    if not probe:
        return None
    action = next((action for action in ACTIONS if action in probe), "")
    settings = probe.get(action) or {}
    if not action or settings.get("host"):
        field = f"{action}.host" if action else "without one of " + ", ".join(ACTIONS)
        raise ContainerError(CONFIG_ERROR, f"{FIELDS[kind]}.{field} is not supported by minipdk")
    return Probe(
        kind,
        action,
        settings,
        port=0 if action == "exec" else _port(container, settings.get("port"), kind),
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
    """The ports that are probed; none if a probe is not supported."""
    with contextlib.suppress(ContainerError):
        return {probe.port for probe in read_all(container).values() if probe and probe.port}
    return set()


def _port(container: Object, port: object, kind: str) -> int:
    """The number of a port, which may be named."""
    if str(port).isdecimal():
        return int(str(port))
    for declared in container.get("ports") or ():
        if declared.get("name") == port:
            return int(declared["containerPort"])
    raise ContainerError(CONFIG_ERROR, f"{FIELDS[kind]}: couldn't find port {port!r} in the container's ports")


class Prober:
    """Follows the probes of one running container.

    ``started`` is called when it has started, ``ready`` when it becomes ready or unready, ``failed`` with each failure and
    its reason, and ``kill`` with the probe that demands its end. While the container starts, failures count once in a
    period, although checks are more frequent.
    """

    def __init__(
        self,
        container: Object,
        target: Target,
        *,
        started: Callable[[], None],
        ready: Callable[[bool], None],
        failed: Callable[[Probe, str], None],
        kill: Callable[[Probe], None],
    ) -> None:
        self._probes = read_all(container)
        self._target = target
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
        """Wait until the probe has passed often enough. With ``give_up``, end the container after too many failures."""
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(probe.initial_delay)
        passed, failed, counted = 0, 0, clock()
        while passed < probe.successes:
            reason = await probe.check(self._target)
            passed = 0 if reason else passed + 1
            if reason and clock() - counted >= probe.period:
                failed, counted = failed + 1, clock()
                self._failed(probe, reason)
                if give_up and failed >= probe.failures:
                    self._kill(probe)
                    return False
            if passed < probe.successes:
                await asyncio.sleep(probe.period if passed else min(FAST_PERIOD, probe.period))
        return True

    async def _fail(self, probe: Probe) -> None:
        """Return once the probe has failed often enough."""
        failures = 0
        while failures < probe.failures:
            await asyncio.sleep(probe.period)
            reason = await probe.check(self._target)
            failures = failures + 1 if reason else 0
            if reason:
                self._failed(probe, reason)
