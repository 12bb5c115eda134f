"""Queries to Envoy, over its admin socket: the version of its clusters, and the requests in flight to each.

Reference: https://www.envoyproxy.io/docs/envoy/v1.40.0/operations/admin
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from minipdk.services.ingress.bootstrap import ADMIN_SOCKET, VERSION_SOCKET
from minipdk.services.ingress.config import VERSION_HEADER, VERSION_HOST, Cluster

ANSWER_SECONDS = 5.0
NOT_REACHED = (aiohttp.ClientError, TimeoutError, OSError)
ACTIVE = ("upstream_rq_active", "upstream_rq_pending_active")


class Admin:
    """Queries a running Envoy. Its methods raise one of NOT_REACHED while none is running."""

    def __init__(self, admin: aiohttp.ClientSession, worker: aiohttp.ClientSession) -> None:
        self._admin, self._worker = admin, worker

    async def routes_version(self) -> int:
        """The version of the routes that a request sent now would follow; 0 before the first."""
        async with self._worker.get("/", headers={"Host": VERSION_HOST}) as answer:
            return int(answer.headers.get(VERSION_HEADER, 0))

    async def clusters_version(self) -> int:
        """The version of the clusters that Envoy has; 0 before the first."""
        name = "cluster_manager.cds.version_text"
        async with self._admin.get("/stats", params={"filter": f"^{re.escape(name)}$"}) as answer:
            version = re.search(r'"(\d+)"', await answer.text())
        return int(version[1]) if version else 0

    async def in_flight(self, clusters: Iterable[Cluster]) -> dict[Cluster, int]:
        """The number of requests of each of ``clusters``, including requests that wait for a connection."""
        names = {cluster: f"cluster.{cluster.name}." for cluster in clusters}
        pattern = "^(" + "|".join(map(re.escape, names.values())) + f")({'|'.join(ACTIVE)})$"
        async with self._admin.get("/stats", params={"format": "json", "filter": pattern}) as answer:
            values = {stat["name"]: stat["value"] for stat in (await answer.json(content_type=None))["stats"]}
        return {cluster: sum(values.get(name + active, 0) for active in ACTIVE) for cluster, name in names.items()}


@asynccontextmanager
async def admin_of(folder: Path) -> AsyncIterator[Admin]:
    """An Admin for the Envoy that runs in ``folder``."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    def session(socket: str) -> aiohttp.ClientSession:
        # Through the open folder: the path of a socket has at most 107 bytes, and the cluster's path may be long.
        connector = aiohttp.UnixConnector(f"/proc/self/fd/{descriptor}/{socket}")
        return aiohttp.ClientSession("http://envoy", connector=connector, timeout=timeout)

    try:
        async with session(ADMIN_SOCKET) as admin, session(VERSION_SOCKET) as worker:
            yield Admin(admin, worker)
    finally:
        os.close(descriptor)
