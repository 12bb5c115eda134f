"""The life of one container of a Pod: image, start, probes, end, and the pause before it starts again."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from minipdk.common.backoff import BackOff
from minipdk.common.home import Home
from minipdk.controller.api import Api
from minipdk.controller.events import NORMAL, WARNING, Recorder
from minipdk.controller.objects import Object
from minipdk.controller.pods import CRASH_LOOP, IMAGE_ERROR
from minipdk.images.errors import BuildError, ImageError
from minipdk.sandbox.errors import SandboxError
from minipdk.services.node import ports, process
from minipdk.services.node.errors import ContainerError
from minipdk.services.node.images import Images
from minipdk.services.node.logs import ContainerLog, last_line
from minipdk.services.node.probes import Probe, Prober, Target
from minipdk.services.node.resources import amount
from minipdk.services.node.specification import prepare
from minipdk.services.node.startup import StartLimit, StartSlot
from minipdk.services.node.status import CREATING, OOM_KILLED, ContainerStatus
from minipdk.services.node.volumes import Volumes

if TYPE_CHECKING:
    from minipdk.images import Image
    from minipdk.sandbox import ContainerSpec, Network

RETRY_SECONDS, LONGEST_RETRY_SECONDS = 2.0, 30.0
NOTE_SECONDS = 0.25
MEMORY_SECONDS = 0.5
SIGNALLED = 128
MAX_MESSAGE = 4096


@dataclass(frozen=True)
class Kubelet:
    """The parts of the node that all containers share. ``http`` is the client for probes."""

    home: Home
    api: Api
    recorder: Recorder
    http: aiohttp.ClientSession
    images: Images
    starts: StartLimit


def restart_pauses() -> BackOff:
    """The pauses before a container starts again: none, then 10 seconds doubling to 300; a run of ten minutes resets them.

    https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
    """
    return BackOff(10.0, 300.0, healthy_after=600.0, immediate_first=True)


class ContainerWorker:
    """Runs one container of ``pod``. ``changed`` is called whenever its status has changed.

    If it shares this machine's network, ``moved`` maps its port for HTTP, then its port for gRPC, to the ports of this
    machine that replace them in this run.
    """

    def __init__(
        self,
        kubelet: Kubelet,
        pod: Object,
        container: Object,
        status: ContainerStatus,
        changed: Callable[[], None],
    ) -> None:
        self.container, self.status = container, status
        self.moved: dict[int, int] = {}
        self._kubelet, self._pod, self._changed = kubelet, pod, changed
        self._volumes = Volumes(kubelet.home, kubelet.api, pod)
        self._process: process.Process | None = None
        self._message: Path | None = None
        self._out_of_memory = False
        self._pauses = restart_pauses()

    async def run(self, network: Network | None) -> None:
        """Run the container until it ends for good by its Pod's restart policy. Cancelling leaves its process running."""
        policy = self._pod["spec"].get("restartPolicy", "Always")
        clock = asyncio.get_running_loop().time
        while True:
            with self._kubelet.starts.slot() as slot:
                self.moved = {} if network else ports.moved(self.container)
                running = await self._start(network, slot)
                began = clock()
                await self._follow(running, network, slot.release)
            self._terminated(running)
            if policy == "Never" or (policy == "OnFailure" and not self.status.exit_code):
                break
            await self._back_off(clock() - began)
        self.status.done = True
        self._changed()

    async def run_init(self) -> bool:
        """Run an init container until it has succeeded; False if it has failed for good."""
        while not self._volumes.is_done(self.status.name):
            running = await self._start(None)
            await self._follow_notes(running)
            self._terminated(running)
            if self.status.exit_code == 0:
                self._volumes.set_done(self.status.name)
            elif self._pod["spec"].get("restartPolicy") == "Never":
                break
            else:
                await self._back_off(0.0)
        if "terminated" not in self.status.state:
            self.status.terminated(0, "")
        self.status.done = True
        self.status.ready, self.status.note = self.status.exit_code == 0, ""
        self._changed()
        return self.status.ready

    @property
    def running(self) -> process.Process | None:
        """The container's process, while it runs."""
        return self._process if self._process and not self._process.ended.done() else None

    async def stop(self, grace: float) -> None:
        """End the process, if there is one: SIGTERM, then SIGKILL after ``grace`` seconds."""
        if self._process and not self._process.ended.done():
            await self._process.stop(grace)
            self._terminated(self._process)

    def kill(self) -> None:
        if self._process:
            self._process.kill()

    async def _start(self, network: Network | None, slot: StartSlot | None = None) -> process.Process:
        """Start the container, waiting for its image, Secrets, ConfigMaps, volumes, and its ``slot``."""
        reported, builds, pauses = "", restart_pauses(), BackOff(RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        while True:
            try:
                image = await self._image(again=bool(reported))
                spec = await self._specification(image, network)
                if slot:
                    await slot.acquire(self._waits)
                running = await self._launch(spec)
                break
            except (ImageError, ContainerError, SandboxError) as error:
                message = str(error)
                self.status.waiting(_reason(error), message)
                if message != reported:
                    self._emit(WARNING, _event_reason(error), message)
                    reported = message
                self._changed()
                pause = max(builds.pause() if isinstance(error, BuildError) else 0.0, pauses.pause())
            if slot:
                slot.release()
            await asyncio.sleep(pause)
        self._out_of_memory = False
        self.status.running()
        self._emit(NORMAL, "Started", f"Started container {self.status.name}")
        self._changed()
        return running

    async def _image(self, *, again: bool) -> Image:
        name, images = self.container["image"], self._kubelet.images
        present = await images.is_present(name)
        if present and not again:
            self._emit(NORMAL, "Pulled", f'Container image "{name}" already present on machine')
        elif not present:
            self._emit(NORMAL, "Pulling", f'Pulling image "{name}"')
        clock = asyncio.get_running_loop().time
        began = clock()
        image = await images.get(name, lambda line: self._waits(f"building {name}: {line}"))
        if not present:
            self._emit(NORMAL, "Pulled", f'Successfully pulled image "{name}" in {clock() - began:.3f}s')
        self.status.image_id = image.id
        return image

    async def _specification(self, image: Image, network: Network | None) -> ContainerSpec:
        self._message = self._volumes.termination_log(self.status.name)
        return await prepare(
            *(self._kubelet.api, self._pod, self.container, self._volumes, image),
            extra={
                **dict(zip(("PORT", "GRPC_PORT"), map(str, self.moved.values()), strict=False)),
                **({"TERM": "xterm"} if self.container.get("tty") else {}),
            },
            message=self._message,
            network=network,
        )

    async def _launch(self, spec: ContainerSpec) -> process.Process:
        """Start the process. It is recorded even if the Pod is stopped meanwhile, so that it ends too."""
        loop = asyncio.get_running_loop()
        log = ContainerLog(self._log(), self._log(previous=True))
        stdin, terminal = bool(self.container.get("stdin")), bool(self.container.get("tty"))
        start = functools.partial(process.start, self._kubelet.home, spec, log, loop, stdin=stdin, terminal=terminal)
        starting = process.in_thread(start, f"start {self.status.name}", loop)
        try:
            self._process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._process = await starting
            raise
        return self._process

    async def _follow(self, running: process.Process, network: Network | None, up: Callable[[], None]) -> None:
        """Probe the container and watch its memory until it ends; ``up`` is called once it is ready."""

        def started() -> None:
            self.status.started = True
            self._changed()

        def ready(is_ready: bool) -> None:
            self.status.ready = is_ready
            if is_ready:
                up()
            self._changed()

        def failed(probe: Probe, reason: str) -> None:
            self._emit(WARNING, "Unhealthy", f"{probe.kind} probe failed: {reason}")

        def kill(probe: Probe) -> None:
            message = f"Container {self.status.name} failed {probe.kind.lower()} probe, will be restarted"
            self._emit(NORMAL, "Killing", message)
            grace = self._pod["spec"].get("terminationGracePeriodSeconds", 30) if probe.grace is None else probe.grace
            tasks.append(asyncio.create_task(running.stop(grace)))

        prober = Prober(
            *(self.container, Target(network, self.moved, running, self._kubelet.http)),
            started=started,
            ready=ready,
            failed=failed,
            kill=kill,
        )
        tasks = [asyncio.create_task(prober.run()), asyncio.create_task(self._watch_memory(running))]
        try:
            await asyncio.wait([running.ended])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch_memory(self, running: process.Process) -> None:
        """End the container when it uses more memory than its limit, as the kernel would end it on a cluster."""
        limit = int(amount(self.container, "limits", "memory"))
        while limit:
            await asyncio.sleep(MEMORY_SECONDS)
            used = await asyncio.to_thread(running.memory)
            if used > limit:
                self._out_of_memory = True
                self._emit(WARNING, "OOMKilling", f"Container {self.status.name} held {used} bytes, its limit is {limit}")
                running.kill()
                return

    async def _follow_notes(self, running: process.Process) -> None:
        """Wait until an init container ends, and publish meanwhile the last line of its log."""
        watching = asyncio.create_task(self._watch_memory(running))
        while not running.ended.done():
            await asyncio.wait([running.ended], timeout=NOTE_SECONDS)
            note = await asyncio.to_thread(last_line, self._log())
            if note != self.status.note:
                self.status.note = note
                self._changed()
        watching.cancel()

    def _terminated(self, run: process.Process) -> None:
        """Record how a run ended, and the reason that it gave (FallbackToLogsOnError)."""
        code = run.ended.result()
        message = _beginning(self._message).strip() if self._message else ""
        if not message and code > SIGNALLED:
            message = f"ended by signal {code - SIGNALLED}"
        elif not message and code:
            message = last_line(self._log())
        self.status.terminated(code, message, OOM_KILLED if self._out_of_memory else "")
        self._changed()

    async def _back_off(self, ran: float) -> None:
        """Report the end, then wait as long as a kubelet."""
        name, pod = self.status.name, self._pod["metadata"]["name"]
        ended = self.status.state["terminated"]
        if self.status.exit_code:
            self._emit(
                WARNING, "Failed", f"container {name} ended with status {ended['exitCode']}: {ended.get('message', '')}"
            )
        if pause := self._pauses.pause(ran):
            self.status.waiting(CRASH_LOOP, f"back-off {pause:.0f}s restarting failed container={name} pod={pod}")
            self._emit(WARNING, "BackOff", f"Back-off restarting failed container {name} in pod {pod}")
            self._changed()
            await asyncio.sleep(pause)

    def _waits(self, message: str) -> None:
        self.status.waiting(CREATING, message)
        self._changed()

    def _emit(self, kind: str, reason: str, message: str) -> None:
        self._kubelet.recorder.emit(self._pod, kind, reason, message)

    def _log(self, *, previous: bool = False) -> Path:
        metadata = self._pod["metadata"]
        return self._kubelet.home.pod_log(metadata["namespace"], metadata["name"], self.status.name, previous=previous)


def _beginning(message: Path) -> str:
    with message.open(errors="replace") as file:  # the container may have written gigabytes
        return file.read(MAX_MESSAGE)


def _reason(error: Exception) -> str:
    """The waiting state's reason of a container that cannot start."""
    if isinstance(error, ContainerError):
        return error.reason
    return IMAGE_ERROR if isinstance(error, ImageError) else "CreateContainerError"


def _event_reason(error: Exception) -> str:
    return "FailedMount" if isinstance(error, ContainerError) and error.reason == CREATING else "Failed"
