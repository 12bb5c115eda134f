"""One Pod: fetch the model, serve it, and begin again after a crash, with a growing pause."""

from __future__ import annotations

import asyncio
import base64
import functools
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from minipdk.home import HOST, Home
from minipdk.images.errors import ImageError
from minipdk.sandbox.errors import SandboxError
from minipdk.serving.api import CONFIG_MAPS, SECRETS, Api, Object
from minipdk.serving.errors import ApiError, ContainerError, NotFoundError
from minipdk.serving.events import NORMAL, WARNING, Recorder, now
from minipdk.serving.gateway.routes import Backend

from . import process
from .status import CONFIG_ERROR, CRASH_LOOP, IMAGE_ERROR, ContainerStatus, pod_status

if TYPE_CHECKING:
    from minipdk.images import Image

PAUSES = (0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)  # the first restart is immediate, as a kubelet's is
FORGIVEN_AFTER = 10.0  # a server that was ready this long starts over with the pauses
READY_TIMEOUT = 600.0
PROBE_SECONDS, PROBE_TIMEOUT = 0.1, 2.0
CONFIG_RETRY = 2.0
NOTE_SECONDS = 0.25
STOP_GRACE = 5.0

log = logging.getLogger(__name__)


class PodWorker:
    """Runs one Pod until it is stopped. ``backend`` is set while its server is ready for requests."""

    def __init__(
        self,
        home: Home,
        api: Api,
        pod: Object,
        *,
        recorder: Recorder,
        http: aiohttp.ClientSession,
        on_change: Callable[[], None],
    ) -> None:
        self.pod = pod
        self.backend: Backend | None = None
        self.drain_seconds: float | None = None
        """How long a stop may wait for requests in flight; None for as long as one may take."""
        self._home, self._api, self._recorder, self._http, self._on_change = home, api, recorder, http, on_change
        self._started, self._initialized = now(), False
        [init], [main] = pod["spec"]["initContainers"], pod["spec"]["containers"]
        self._init = (init, _known_status(pod, "initContainerStatuses", init))
        self._main = (main, _known_status(pod, "containerStatuses", main))
        self._process: process.Process | None = None
        self._folder = volumes(home) / str(pod["metadata"]["uid"])

    def status(self) -> Object:
        """The v1.PodStatus."""
        return pod_status(self._init[1], self._main[1], started=self._started, initialized=self._initialized)

    async def run(self) -> None:
        """Serve until cancelled; then finish the requests in flight and end the container."""
        try:
            while True:
                try:
                    await self._fetch_model()
                    await self._serve()
                except Exception as error:
                    # A fault of this program must be seen where the reader looks, and not end the Pod for good.
                    log.exception("pod %s", self.pod["metadata"]["name"])
                    await self._stop()
                    self._main[1].waiting("RunContainerError", f"{type(error).__name__}: {error}")
                    self._on_change()
                    await asyncio.sleep(PAUSES[1])
        finally:
            await self._stop()

    @property
    def _models(self) -> Path:
        return self._folder / "models"

    @property
    def _fetched(self) -> Path:
        """Exists once the whole model is there, which outlives a restart of this service."""
        return self._folder / "fetched"

    async def _fetch_model(self) -> None:
        container, status = self._init
        failures = 0
        while not self._fetched.exists():
            await self._start(container, status, {})
            ended = await self._follow_notes(status)
            status.terminated(ended.code, ended.message)
            if ended.code == 0:
                self._fetched.touch()
                break
            failures += 1
            await self._pause(container, status, failures)
        if "terminated" not in status.state:
            status.terminated(0, "")
        status.ready, status.note, self._initialized = True, "", True
        self._on_change()

    async def _follow_notes(self, status: ContainerStatus) -> process.Ended:
        """Wait for the end of an init container, and tell meanwhile what it says it is doing."""
        assert self._process is not None
        while True:
            done, _ = await asyncio.wait([self._process.ended], timeout=NOTE_SECONDS)
            if done:
                return self._process.ended.result()
            note = process.last_line(self._log(status.name))
            if note != status.note:
                status.note = note
                self._on_change()

    async def _serve(self) -> None:
        container, status = self._main
        failures = 0
        while True:
            port = process.free_port()
            running = await self._start(container, status, self._knative_environment(port))
            ready_for = await self._until_ended(running, container, port, status)
            self.backend = None
            ended = running.ended.result()
            status.terminated(ended.code, ended.message or f"the server ended with status {ended.code}")
            failures = 1 if ready_for >= FORGIVEN_AFTER else failures + 1
            await self._pause(container, status, failures)

    async def _until_ended(self, running: process.Process, container: Object, port: int, status: ContainerStatus) -> float:
        """Make the server known once it is ready, wait for its end, and return how many seconds it was ready."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + READY_TIMEOUT
        while not running.ended.done() and not await self._probe(container, port):
            if clock() > deadline:
                self._recorder.emit(self.pod, WARNING, "Unhealthy", f"not ready within {READY_TIMEOUT:.0f} s")
                await running.stop(STOP_GRACE)
            await asyncio.wait([running.ended], timeout=PROBE_SECONDS)
        if running.ended.done():
            return 0.0
        since = clock()
        status.ready = True
        self.backend = Backend(port, timeout=float(self.pod["spec"].get("terminationGracePeriodSeconds", 300)))
        self._on_change()
        await asyncio.wait([running.ended])
        return clock() - since

    async def _probe(self, container: Object, port: int) -> bool:
        path = container["readinessProbe"]["httpGet"]["path"]
        try:
            async with self._http.get(
                f"http://{HOST}:{port}{path}", timeout=aiohttp.ClientTimeout(total=PROBE_TIMEOUT)
            ) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def _start(self, container: Object, status: ContainerStatus, extra: dict[str, str]) -> process.Process:
        """Start a container, waiting for what it needs: Secrets, ConfigMaps, its image."""
        path = self._log(status.name)
        if path.exists():
            path.replace(self._log(status.name, previous=True))
        while True:
            try:
                image = await asyncio.to_thread(process.find_image, self._home, container["image"])
                status.image_id = image.id
                environment = await self._environment(container) | extra
                self._models.mkdir(parents=True, exist_ok=True, mode=0o700)
                await self._launch(image, container, environment, path)
                break
            except ImageError as error:
                await self._cannot_start(status, ContainerError(IMAGE_ERROR, str(error)))
            except (ContainerError, SandboxError) as error:
                await self._cannot_start(status, error)
        status.running()
        self._recorder.emit(self.pod, NORMAL, "Started", f"Started container {status.name}")
        self._on_change()
        assert self._process is not None
        return self._process

    async def _launch(self, image: Image, container: Object, environment: dict[str, str], path: Path) -> None:
        """Start the process. If the Pod is stopped meanwhile, the process is still known, so that it ends too."""
        loop = asyncio.get_running_loop()
        start = functools.partial(
            process.start,
            self._home,
            image,
            container,
            namespace=self.pod["metadata"]["namespace"],
            environment=environment,
            models=self._models,
            log=path,
            loop=loop,
        )
        starting = loop.create_task(asyncio.to_thread(start))
        try:
            self._process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._process = await starting
            raise

    async def _cannot_start(self, status: ContainerStatus, error: Exception) -> None:
        reason = error.reason if isinstance(error, ContainerError) else "CreateContainerError"
        status.waiting(reason, str(error))
        self._recorder.emit(self.pod, WARNING, "Failed", f"Error: {error}")
        self._on_change()
        await asyncio.sleep(CONFIG_RETRY)

    async def _environment(self, container: Object) -> dict[str, str]:
        return {one["name"]: await self._value(one) for one in container.get("env") or []}

    async def _value(self, variable: Object) -> str:
        """A variable's value, taken from the Secret or ConfigMap that it refers to."""
        source = variable.get("valueFrom") or {}
        for kind, resource in (("secretKeyRef", SECRETS), ("configMapKeyRef", CONFIG_MAPS)):
            if reference := source.get(kind):
                what = f'{resource.plural.removesuffix("s")} "{reference["name"]}"'
                try:
                    found = await self._api.get(resource, self.pod["metadata"]["namespace"], reference["name"])
                    value = (found.get("data") or {})[reference["key"]]
                except NotFoundError:
                    raise ContainerError(CONFIG_ERROR, f"{what} not found") from None
                except KeyError:
                    raise ContainerError(CONFIG_ERROR, f"couldn't find key {reference['key']} in {what}") from None
                except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
                    raise ContainerError(CONFIG_ERROR, f"{what} cannot be read: {error}") from error
                return base64.b64decode(value).decode() if kind == "secretKeyRef" else str(value)
        return str(variable.get("value", ""))

    def _knative_environment(self, port: int) -> dict[str, str]:
        """Knative's runtime contract: where to listen, and who this is."""
        labels = self.pod["metadata"]["labels"]
        names = {"K_SERVICE": "service", "K_CONFIGURATION": "configuration", "K_REVISION": "revision"}
        ports = {"PORT": str(port), "GRPC_PORT": str(process.free_port())}
        return ports | {name: labels[f"serving.knative.dev/{label}"] for name, label in names.items()}

    async def _pause(self, container: Object, status: ContainerStatus, failures: int) -> None:
        """Tell of the failure, then wait as a kubelet's back-off does."""
        ended = status.state["terminated"]
        message = f"container {status.name} ended with status {ended['exitCode']}: {ended['message']}"
        self._recorder.emit(self.pod, WARNING, "Failed", message)
        self._on_change()
        status.restarting()
        pause = PAUSES[min(failures, len(PAUSES)) - 1]
        if pause:
            back_off = f"back-off {pause:.0f}s restarting failed container={status.name} pod={self.pod['metadata']['name']}"
            status.waiting(CRASH_LOOP, back_off)
            self._recorder.emit(self.pod, WARNING, "BackOff", f"Back-off restarting failed container {container['name']}")
            self._on_change()
            await asyncio.sleep(pause)

    async def _stop(self) -> None:
        if self.backend:
            self.backend.closing = True
            await self.backend.drained(self.backend.timeout if self.drain_seconds is None else self.drain_seconds)
        if self._process and not self._process.ended.done():
            await self._process.stop(STOP_GRACE)

    def discard(self) -> None:
        """Remove what the Pod left on disk: its volume and its logs."""
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.rmtree(self._log("any").parent, ignore_errors=True)

    def _log(self, container: str, *, previous: bool = False) -> Path:
        metadata = self.pod["metadata"]
        return self._home.pod_log(metadata["namespace"], metadata["name"], container, previous=previous)


def volumes(home: Home) -> Path:
    """The folder that holds a folder for each Pod, named by its uid."""
    return home.folder("serving")


def _known_status(pod: Object, field: str, container: Object) -> ContainerStatus:
    """A container's status at the start of this service: it goes on counting the restarts that the API remembers."""
    status = ContainerStatus(container["name"], container["image"])
    for known in (pod.get("status") or {}).get(field) or []:
        if known["name"] == status.name and "waiting" not in known.get("state", {}):
            status.restarts = known.get("restartCount", 0) + (field == "containerStatuses")
    return status
