"""The ingress gateway: it publishes the routes to an Envoy that it keeps running, and knows when they are in force.

Routes are exchanged in this order, so that no request is lost: the new clusters are added; when Envoy has them, the routes
are replaced; from then on the old clusters have only requests in flight; when these are answered, they are removed.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from minipdk.common import service
from minipdk.common.backoff import BackOff
from minipdk.common.home import write_private
from minipdk.controller.routes import Backend, Routes
from minipdk.services.ingress import config
from minipdk.services.ingress.admin import NOT_REACHED, Admin, admin_of
from minipdk.services.ingress.bootstrap import BOOTSTRAP, bootstrap
from minipdk.services.ingress.config import CLUSTERS, ROUTES, Cluster, Limits
from minipdk.services.ingress.envoy import Envoy, version
from minipdk.services.ingress.errors import GatewayError
from minipdk.services.ingress.replies import Config

POLL, LONGEST_POLL = 0.005, 0.1
SWEEP_SECONDS = 0.5
QUIET_SECONDS = 0.05  # longer than a request can be between two attempts, when no cluster counts it
START_ATTEMPTS = 3
COMPLAIN_SECONDS = 10.0

log = logging.getLogger(__name__)


@asynccontextmanager
async def gateway(routes: Routes, folder: Path, port: int, limits: Limits | None = None) -> AsyncIterator[None]:
    """Serve the ingress on the loopback ``port`` within this context, with Envoy's files in ``folder``.

    Raises GatewayError if Envoy cannot run.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    envoy = Envoy(folder)
    async with admin_of(folder) as admin:
        ingress = Gateway(routes, folder, admin, limits or Limits())
        routes.proxy = ingress
        ingress.write(BOOTSTRAP, bootstrap(folder, port, ingress.limits))
        ingress.write_first()
        tasks = [asyncio.create_task(envoy.run()), asyncio.create_task(ingress.run())]
        try:
            await _started(routes, envoy, tasks)
            for task in tasks:
                task.add_done_callback(_ended)
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _started(routes: Routes, envoy: Envoy, tasks: list[asyncio.Task[None]]) -> None:
    """Wait until the first routes are in force."""
    waiting = asyncio.create_task(routes.in_force())
    while not waiting.done():
        await asyncio.wait([waiting, *tasks], timeout=LONGEST_POLL, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
        if envoy.starts > START_ATTEMPTS:
            waiting.cancel()
            envoy_version = await asyncio.to_thread(version)
            raise GatewayError(f"Envoy {envoy_version} ends at once, with status {envoy.ended_with}: its log says why")


def _ended(task: asyncio.Task[None]) -> None:
    """End the process, which is then started again: without either task the ingress does not work."""
    if not task.cancelled():
        log.critical("the gateway has failed", exc_info=task.exception())
        service.stopping.set()


class Gateway:
    """Publishes ``routes`` whenever they change. Envoy reads its files again when they are replaced."""

    def __init__(self, routes: Routes, folder: Path, admin: Admin, limits: Limits) -> None:
        self.limits = limits
        self._routes, self._folder, self._admin = routes, folder, admin
        self._clusters: set[Cluster] = set()
        self._clusters_version = 0

    def write(self, name: str, content: Config) -> None:
        write_private(self._folder / name, json.dumps(content, indent=1))

    def write_first(self) -> None:
        """Write the files with which Envoy starts."""
        self._write_clusters(set())
        self._write_routes()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._publish()
            await self._changed()

    async def drained(self, backend: Backend, timeout: float) -> bool:
        """Take ``backend`` out of the routes, then wait until none of its requests is in flight."""
        try:
            async with asyncio.timeout(timeout):
                self._routes.touch()
                await self._routes.in_force()
                await self._await_idle(backend)
        except TimeoutError:
            return False
        return True

    async def _await_idle(self, backend: Backend) -> None:
        its = [cluster for cluster in self._clusters if config.serves(cluster, backend)]
        quiet_since: float | None = None
        clock = asyncio.get_running_loop().time
        while its:
            try:
                busy = any((await self._admin.in_flight(its)).values())
            except NOT_REACHED:
                busy = True  # Envoy is starting again, without any request
            if busy:
                quiet_since = None
            elif quiet_since is None:
                quiet_since = clock()
            elif clock() - quiet_since >= QUIET_SECONDS:
                return
            await asyncio.sleep(QUIET_SECONDS)

    async def _changed(self) -> None:
        """Wait for a change of the routes, and remove unused clusters meanwhile."""
        while True:
            outdated = self._clusters - config.clusters(self._routes.table)
            try:
                async with asyncio.timeout(SWEEP_SECONDS if outdated else None):
                    await self._routes.changed.wait()
                self._routes.changed.clear()
                return
            except TimeoutError:
                await self._remove_idle(outdated)

    async def _remove_idle(self, outdated: set[Cluster]) -> None:
        try:
            in_flight = await self._admin.in_flight(outdated)
        except NOT_REACHED:
            return
        if idle := {cluster for cluster in outdated if not in_flight[cluster]}:
            self._write_clusters(self._clusters - idle)

    async def _publish(self) -> None:
        while not (clusters := config.clusters(self._routes.table)) <= self._clusters:
            self._write_clusters(self._clusters | clusters)
            await self._await_version(self._admin.clusters_version, self._clusters_version)
        written = self._write_routes()
        await self._await_version(self._admin.routes_version, written)
        self._routes.published(written)

    def _write_clusters(self, clusters: set[Cluster]) -> None:
        self._clusters_version += 1
        self._clusters = clusters
        self.write(CLUSTERS, config.cluster_resources(clusters, self._clusters_version, self.limits))

    def _write_routes(self) -> int:
        written = self._routes.version
        self.write(ROUTES, config.route_resources(self._routes.table, known=self._routes.known, version=written))
        return written

    async def _await_version(self, query: Callable[[], Awaitable[int]], version: int) -> None:
        """Wait until ``query`` shows that Envoy has ``version``, however long it takes to start again."""
        clock = asyncio.get_running_loop().time
        pauses, complain_at = BackOff(POLL, LONGEST_POLL), clock() + COMPLAIN_SECONDS
        while True:
            try:
                if await query() >= version:
                    return
            except NOT_REACHED as error:
                log.debug("Envoy does not answer: %s", error)
            if clock() > complain_at:
                complain_at = clock() + COMPLAIN_SECONDS
                log.error("Envoy has not taken version %s of %s", version, self._folder)
            await asyncio.sleep(pauses.pause())
