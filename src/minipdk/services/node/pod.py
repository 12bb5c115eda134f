"""The life of one Pod: its init containers in sequence, then its containers in parallel, then an orderly end."""

from __future__ import annotations

import asyncio
import errno
import logging
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from minipdk.common.backoff import BackOff
from minipdk.common.ports import HOST
from minipdk.controller.events import NORMAL, WARNING
from minipdk.controller.objects import Object
from minipdk.controller.routes import Backend
from minipdk.sandbox.errors import SandboxError
from minipdk.services.node import ports
from minipdk.services.node.container import ContainerWorker, Kubelet
from minipdk.services.node.process import in_thread
from minipdk.services.node.status import CREATING, PodStatus
from minipdk.services.node.volumes import Volumes

if TYPE_CHECKING:
    from minipdk.sandbox import Network

RETRY_SECONDS, LONGEST_RETRY_SECONDS = 2.0, 30.0
FAULT_SECONDS, LONGEST_FAULT_SECONDS = 10.0, 300.0
LEAST_GRACE = 2.0
CONNECT_SECONDS = 10.0

log = logging.getLogger(__name__)


class PodWorker:
    """Runs one Pod until it ends for good or is stopped. ``backend`` is set while it is ready for requests."""

    def __init__(self, kubelet: Kubelet, pod: Object, on_change: Callable[[], None]) -> None:
        self.pod = pod
        self.backend: Backend | None = None
        self.grace: float = pod["spec"].get("terminationGracePeriodSeconds", 30)
        """How many seconds a stop may take."""
        self._kubelet, self._on_change = kubelet, on_change
        self._status = PodStatus(pod)
        self._volumes = Volumes(kubelet.home, kubelet.api, pod)
        self._network: Network | None = None
        self._killed = asyncio.Event()
        spec = pod["spec"]
        self._shares_network = bool(spec.get("hostNetwork"))
        self._inits = [
            ContainerWorker(kubelet, pod, container, status, self._changed)
            for container, status in zip(spec.get("initContainers") or (), self._status.inits, strict=True)
        ]
        self._mains = [
            ContainerWorker(kubelet, pod, container, status, self._changed)
            for container, status in zip(spec["containers"], self._status.mains, strict=True)
        ]

    def status(self) -> Object:
        """The v1.PodStatus."""
        return self._status.as_json()

    def container(self, name: str) -> ContainerWorker | None:
        """The worker of the container, or init container, with this name."""
        return next((worker for worker in (*self._inits, *self._mains) if worker.container["name"] == name), None)

    async def connect(self, port: int) -> socket.socket:
        """A connection to a program of the Pod that listens on ``port``. Raises OSError if none does."""
        if self._network:
            stream = await asyncio.to_thread(self._network.connect, port, CONNECT_SECONDS)
        else:
            moved = {inner: outer for worker in self._mains for inner, outer in worker.moved.items()}
            stream = await asyncio.to_thread(socket.create_connection, (HOST, moved.get(port, port)), CONNECT_SECONDS)
        if stream is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")
        stream.setblocking(False)
        return stream

    def unschedulable(self, reason: str) -> None:
        """Publish the reason for which the Pod waits for a node; empty once it has one."""
        self._status.unschedulable = reason
        self._on_change()

    async def run(self) -> None:
        """Run the containers. Returns when they have ended for good; cancelled, it ends them within ``grace`` seconds."""
        pauses = BackOff(FAULT_SECONDS, LONGEST_FAULT_SECONDS)
        try:
            while True:
                try:
                    for worker in self._inits:
                        if not await worker.run_init():
                            return
                    await self._serve()
                    return
                except Exception as error:
                    # A fault of this program must show in the Pod's status, and must not end the Pod for good.
                    log.exception("pod %s", self.pod["metadata"]["name"])
                    await self._stop()
                    cause = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
                    for status in self._status.mains:
                        status.waiting("RunContainerError", f"{type(cause).__name__}: {cause}")
                    self._changed()
                    await asyncio.sleep(pauses.pause())
        finally:
            await self._stop()

    async def _serve(self) -> None:
        """Run the containers in the Pod's network; if that is lost, end them and start again in another."""
        while True:
            async with self._private_network() as network:
                self._network = network
                serving = asyncio.ensure_future(self._run_mains(network))
                try:
                    await asyncio.wait([serving, _end_of(network)], return_when=asyncio.FIRST_COMPLETED)
                    if serving.done():
                        serving.result()
                        return
                    self._emit(NORMAL, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
                finally:
                    serving.cancel()
                    await asyncio.gather(serving, return_exceptions=True)
                    await self._stop()

    async def _run_mains(self, network: Network | None) -> None:
        async with asyncio.TaskGroup() as tasks:
            for worker in self._mains:
                tasks.create_task(worker.run(network))

    @asynccontextmanager
    async def _private_network(self) -> AsyncIterator[Network | None]:
        """The Pod's private network; None if it shares this machine's."""
        if self._shares_network:
            yield None
            return
        pauses = BackOff(RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        while True:
            try:
                network = await self._make_network()
                break
            except SandboxError as error:
                self._emit(WARNING, "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
                for status in self._status.mains:
                    status.waiting(CREATING, str(error))
                self._changed()
                await asyncio.sleep(pauses.pause())
        try:
            yield network
        finally:
            network.close()

    async def _make_network(self) -> Network:
        from minipdk.sandbox import create_network

        listening, services = ports.listening(self.pod), ports.services(self._kubelet.home, self.pod)
        making = asyncio.create_task(asyncio.to_thread(create_network, self._kubelet.home, listening, services))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            (await making).close()
            raise

    def _changed(self) -> None:
        """Let the Pod take requests exactly while it is ready, and report the change."""
        if not self._status.ready:
            self.backend = None
        elif self.backend is None:
            self.backend = self._new_backend()
        self._on_change()

    def _new_backend(self) -> Backend | None:
        container = ports.server(self.pod)
        timeout = float(self.pod["spec"].get("terminationGracePeriodSeconds", 300))
        if self._network:
            http, grpc = ports.request_ports(container)
            if http is None:
                return None  # a Pod without ports takes no requests
            return Backend(self._network.ports[http], grpc and self._network.ports[grpc], timeout)
        worker = next(worker for worker in self._mains if worker.container is container)
        http, grpc = worker.moved.values()
        return Backend(http, grpc, timeout)

    async def _stop(self) -> None:
        """Leave the routes, finish the requests in flight, then end the containers, all within the period of grace."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.grace
        if backend := self.backend:
            self.backend, backend.closing = None, True
            self._on_change()
            killed, drained = asyncio.ensure_future(self._killed.wait()), asyncio.ensure_future(backend.drained(self.grace))
            await asyncio.wait([killed, drained], return_when=asyncio.FIRST_COMPLETED)
            killed.cancel()
            drained.cancel()
        workers = [*self._inits, *self._mains]
        await asyncio.gather(*(worker.stop(max(deadline - clock(), LEAST_GRACE)) for worker in workers))

    def kill(self) -> None:
        """End everything immediately: a stop that is under way has no more time."""
        self._killed.set()
        for worker in (*self._inits, *self._mains):
            worker.kill()

    def discard(self) -> None:
        """Remove the Pod's files: its volumes and its logs."""
        metadata = self.pod["metadata"]
        self._volumes.remove()
        shutil.rmtree(self._kubelet.home.pod_log(metadata["namespace"], metadata["name"], "any").parent, ignore_errors=True)

    def _emit(self, kind: str, reason: str, message: str) -> None:
        self._kubelet.recorder.emit(self.pod, kind, reason, message)


def _end_of(network: Network | None) -> asyncio.Future[None]:
    """Done when ``network`` has ended, which this machine's never does."""
    loop = asyncio.get_running_loop()
    return in_thread(network.wait, "wait network", loop) if network else loop.create_future()
