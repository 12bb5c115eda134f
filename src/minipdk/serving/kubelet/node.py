"""The node: follows the predictors' Pods in the API, runs each, and publishes their statuses."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp

from minipdk.home import Home
from minipdk.serving.api import PODS, Api, Informer, Object
from minipdk.serving.errors import ApiError, NotFoundError
from minipdk.serving.events import Recorder

from .pod import PodWorker, volumes

PUBLISH_RETRY = 1.0
DRAIN_SECONDS = 3.0  # the cluster's supervisor gives a service ten seconds to end

log = logging.getLogger(__name__)


class Node:
    """Runs the Pods that carry ``label``. ``on_change`` is told a Pod whenever its status has changed."""

    def __init__(
        self,
        home: Home,
        api: Api,
        recorder: Recorder,
        http: aiohttp.ClientSession,
        *,
        label: str,
        on_change: Callable[[Object], None],
    ) -> None:
        self._home, self._api, self._recorder, self._http = home, api, recorder, http
        self._label, self._on_change = label, on_change
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._publishers: dict[str, asyncio.Task[None]] = {}
        self.pods = Informer(api, PODS, self._pod_changed)

    async def run(self) -> None:
        """Follow the Pods until cancelled."""
        await self.pods.run()

    def worker(self, pod: Object) -> PodWorker | None:
        return self._workers.get(pod["metadata"]["uid"])

    def admit(self, pod: Object) -> None:
        """Take over a Pod that a controller has just created, before the watch tells of it."""
        self.pods.remember(pod)
        self._pod_changed(pod)

    def sweep(self) -> None:
        """Remove the volumes of Pods that are gone; called once the Pods are known."""
        known = {pod["metadata"]["uid"] for pod in self.pods.all()}
        for folder in volumes(self._home).iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)

    async def stop(self) -> None:
        """End all containers soon; the Pods stay, and run again when the node is back."""
        for worker in self._workers.values():
            worker.drain_seconds = DRAIN_SECONDS
        for task in self._publishers.values():
            task.cancel()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), *self._publishers.values(), return_exceptions=True)

    def _pod_changed(self, pod: Object) -> None:
        metadata = pod["metadata"]
        if self._label not in metadata.get("labels", {}):
            return
        uid = metadata["uid"]
        wanted = self.pods.get((metadata["namespace"], metadata["name"]))
        alive = wanted is not None and wanted["metadata"]["uid"] == uid and "deletionTimestamp" not in wanted["metadata"]
        if alive and uid not in self._tasks:
            self._begin(pod)
        elif not alive and uid in self._workers:
            self._end(self._workers.pop(uid))
        self._on_change(pod)

    def _begin(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        dirty = asyncio.Event()

        def changed() -> None:
            dirty.set()
            self._on_change(pod)

        worker = PodWorker(self._home, self._api, pod, recorder=self._recorder, http=self._http, on_change=changed)
        self._workers[uid] = worker
        self._tasks[uid] = asyncio.create_task(worker.run(), name=f"pod {pod['metadata']['name']}")
        self._publishers[uid] = asyncio.create_task(self._publish(worker, dirty))

    def _end(self, worker: PodWorker) -> None:
        """The Pod was deleted: finish what it is doing, then remove what it left."""
        uid = worker.pod["metadata"]["uid"]
        self._publishers.pop(uid).cancel()
        self._tasks[uid].add_done_callback(lambda _: self._forget(worker))
        self._tasks[uid].cancel()

    def _forget(self, worker: PodWorker) -> None:
        self._tasks.pop(worker.pod["metadata"]["uid"], None)
        worker.discard()

    async def _publish(self, worker: PodWorker, dirty: asyncio.Event) -> None:
        """Write the Pod's status to the API whenever it has changed, and again until it is there."""
        metadata = worker.pod["metadata"]
        dirty.set()
        while True:
            await dirty.wait()
            dirty.clear()
            body = {"status": worker.status()}
            try:
                self.pods.remember(await self._api.patch(PODS, metadata["namespace"], metadata["name"], body, "status"))
            except NotFoundError:
                return
            except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
                log.info("status of pod %s: %s; trying again", metadata["name"], error or type(error).__name__)
                await asyncio.sleep(PUBLISH_RETRY)
                dirty.set()


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[Node]:
    """Run ``node`` within this context; on leaving it all containers are ended."""
    following = asyncio.create_task(node.run())
    try:
        yield node
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await node.stop()
