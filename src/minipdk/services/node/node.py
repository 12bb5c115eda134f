"""The node: follows the Pods of the API, runs each, publishes its status, and removes it when it was deleted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from minipdk.controller.api import until_accepted
from minipdk.controller.errors import ConflictError, NotFoundError
from minipdk.controller.events import Recorder
from minipdk.controller.informer import Informer
from minipdk.controller.objects import PODS, Object
from minipdk.controller.workspace import Workspace
from minipdk.services.node import volumes
from minipdk.services.node.container import Kubelet
from minipdk.services.node.images import Images
from minipdk.services.node.pod import PodWorker
from minipdk.services.node.registration import register
from minipdk.services.node.scheduler import NODE, Scheduler
from minipdk.services.node.startup import StartLimit
from minipdk.services.node.status import ENDED

STOP_SECONDS = 5.0  # the cluster's supervisor gives a service ten seconds to end

log = logging.getLogger(__name__)


class Node:
    """Runs all Pods: `minipdk.controller.pods.Pods` for the other controllers."""

    def __init__(self, workspace: Workspace, recorder: Recorder) -> None:
        home = self._home = workspace.home
        api = self._api = workspace.api
        self._subscribers: list[Callable[[Object], None]] = []
        self._kubelet = Kubelet(home, api, recorder, workspace.http, Images(home, workspace.images), StartLimit())
        self._scheduler = Scheduler(api, recorder)
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[str] = set()
        self.informer = Informer(api, PODS, self._pod_changed)

    async def run(self) -> None:
        """Follow the Pods and keep the node registered until cancelled."""
        await asyncio.gather(self.informer.run(), register(self._api), self._sweep())

    def subscribe(self, on_change: Callable[[Object], None]) -> None:
        """Call ``on_change`` with a Pod whenever its status has changed."""
        self._subscribers.append(on_change)

    def running(self, pod: Object) -> PodWorker | None:
        """The worker of ``pod``; None once the Pod is being ended."""
        return self._workers.get(pod["metadata"]["uid"])

    def worker(self, uid: str) -> PodWorker | None:
        """The worker of the Pod with this uid, while it runs or is being ended."""
        return self._workers.get(uid)

    def admit(self, pod: Object) -> None:
        """Start a Pod that a controller has just created, before the watch reports it."""
        self.informer.remember(pod)
        self._pod_changed(pod)

    async def stop(self) -> None:
        """End all containers soon; the Pods stay, and run again when the node is back."""
        for uid, task in self._tasks.items():
            if worker := self._workers.get(uid):
                worker.grace = min(worker.grace, STOP_SECONDS)
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _sweep(self) -> None:
        """Remove the files of Pods that were deleted while the node was down."""
        await self.informer.synced.wait()
        volumes.sweep(self._home, self.informer.all())

    def _on_change(self, pod: Object) -> None:
        for subscriber in self._subscribers:
            subscriber(pod)

    def _pod_changed(self, pod: Object) -> None:
        metadata = pod["metadata"]
        if pod["spec"].get("nodeName") not in (None, "", NODE):
            return
        uid = metadata["uid"]
        known = self.informer.get((metadata["namespace"], metadata["name"]))
        current = known if known is not None and known["metadata"]["uid"] == uid else None
        if worker := self._workers.get(uid):
            self._follow(worker, current)
        elif current:
            self._begin(current)
        self._on_change(pod)

    def _begin(self, pod: Object) -> None:
        metadata, dirty = pod["metadata"], asyncio.Event()
        if (pod.get("status") or {}).get("phase") in ENDED and "deletionTimestamp" not in metadata:
            return

        def changed() -> None:
            dirty.set()
            self._on_change(pod)

        worker = self._workers[metadata["uid"]] = PodWorker(self._kubelet, pod, changed)
        if "deletionTimestamp" in metadata:  # nothing of it runs: an earlier run of the node should have ended it
            self._ending.add(metadata["uid"])
            life = self._remove(worker)
        else:
            life = self._live(worker, dirty)
        task = self._tasks[metadata["uid"]] = asyncio.create_task(life, name=f"pod {metadata['name']}")
        task.add_done_callback(_log_failure)

    def _follow(self, worker: PodWorker, current: Object | None) -> None:
        """End the Pod if it was deleted, with or without a grace period."""
        uid = worker.pod["metadata"]["uid"]
        if current and "deletionTimestamp" not in current["metadata"]:
            return
        if current is None:
            worker.kill()
        if uid not in self._ending:
            self._ending.add(uid)
            worker.grace = current["metadata"].get("deletionGracePeriodSeconds", worker.grace) if current else 0.0
            self._tasks[uid].cancel()

    async def _live(self, worker: PodWorker, dirty: asyncio.Event) -> None:
        """Run the Pod on this node and keep its status published, until it is deleted; then remove it."""
        publishing = asyncio.create_task(self._publish(worker, dirty))
        try:
            await self._scheduler.place(worker.pod, worker.unschedulable)
            await worker.run()
            self._scheduler.release(worker.pod)
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            if worker.pod["metadata"]["uid"] not in self._ending:
                raise
        finally:
            publishing.cancel()
            self._scheduler.release(worker.pod)
        await self._remove(worker)

    async def _remove(self, worker: PodWorker) -> None:
        """Remove a Pod that has ended from the API, and its files."""
        metadata = worker.pod["metadata"]
        name = metadata["namespace"], metadata["name"], metadata["uid"]
        with contextlib.suppress(NotFoundError, ConflictError):  # gone already, or another Pod has its name by now
            await until_accepted(f"removal of pod {metadata['name']}", lambda: self._api.delete(PODS, *name, grace=0))
        worker.discard()
        del self._workers[metadata["uid"]], self._tasks[metadata["uid"]]
        self._ending.discard(metadata["uid"])
        self._on_change(worker.pod)

    async def _publish(self, worker: PodWorker, dirty: asyncio.Event) -> None:
        """Write the Pod's status to the API whenever it has changed."""
        metadata = worker.pod["metadata"]

        async def write() -> Object:
            dirty.clear()
            body = {"status": worker.status()}
            return await self._api.patch(PODS, metadata["namespace"], metadata["name"], body, "status")

        dirty.set()
        while True:
            await dirty.wait()
            try:
                written = await until_accepted(f"status of pod {metadata['name']}", write, final=(NotFoundError,))
            except NotFoundError:
                return
            self.informer.remember(written)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("%s cannot run any more", task.get_name(), exc_info=error)
