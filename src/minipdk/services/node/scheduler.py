"""Which Pods the one node has room for: memory requests are counted against the machine's memory, and Pods against 110.

CPU requests are not counted: containers share the CPUs, and `turns` sees to it that they do not all start at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from collections.abc import Callable
from decimal import Decimal

import aiohttp

from minipdk.controller.api import Api, Object
from minipdk.controller.errors import ApiError, ConflictError, NotFoundError
from minipdk.controller.events import NORMAL, WARNING, Recorder
from minipdk.services.node.quantities import pod_request

NODE = "minipdk"
RETRY_SECONDS = 1.0
MAX_PODS = 110  # a kubelet's default
NOT_COUNTED = frozenset({"cpu", "ephemeral-storage"})

log = logging.getLogger(__name__)


def capacity() -> dict[str, int]:
    """What the machine has: CPUs, bytes of memory, Pods."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": os.cpu_count() or 1, "memory": memory, "pods": MAX_PODS}


def labels() -> dict[str, str]:
    """The node's labels, which a Pod's nodeSelector may ask for."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    values = {"hostname": NODE, "os": "linux", "arch": architecture}
    return {f"kubernetes.io/{name}": value for name, value in values.items()}


class Scheduler:
    """Gives Pods their node while there is room, in the order in which they came; the others wait for room."""

    def __init__(self, api: Api, recorder: Recorder) -> None:
        self._api, self._recorder = api, recorder
        self._placed: dict[str, dict[str, Decimal]] = {}
        self._room = asyncio.Event()

    async def place(self, pod: Object, refused: Callable[[str], None]) -> None:
        """Wait until there is room for ``pod``, and bind it to the node. ``refused`` is told why there is none yet."""
        metadata, said = pod["metadata"], ""
        while why := self._place(pod):
            if why != said:
                self._recorder.emit(pod, WARNING, "FailedScheduling", why)
                refused(why)
                said = why
            self._room.clear()
            await self._room.wait()
        if pod["spec"].get("nodeName"):
            return
        await self._bind(metadata)
        pod["spec"]["nodeName"] = NODE
        self._recorder.emit(
            pod, NORMAL, "Scheduled", f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {NODE}"
        )
        refused("")

    async def _bind(self, metadata: Object) -> None:
        """Write the binding, again while there is no server to take it."""
        while True:
            try:
                await self._api.bind(metadata["namespace"], metadata["name"], metadata["uid"], NODE)
            except (ConflictError, NotFoundError):  # bound already, or deleted meanwhile: the watch will tell
                return
            except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
                log.info("pod %s: %s; trying again to bind it", metadata["name"], error or type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def release(self, pod: Object) -> None:
        """Give its room to others: the Pod has ended."""
        self._placed.pop(pod["metadata"]["uid"], None)
        self._room.set()

    def _place(self, pod: Object) -> str:
        """Take room for ``pod``, or say why there is none. One that is bound already has its room."""
        try:
            wanted = {resource: pod_request(pod, resource) for resource in _counted(pod)}
        except ValueError as error:
            return f"0/1 nodes are available: {error}"
        lacks = [f"Insufficient {resource}" for resource in wanted if not self._has_room(resource, wanted[resource])]
        if len(self._placed) >= MAX_PODS:
            lacks.append("Too many pods")
        if not (pod["spec"].get("nodeSelector") or {}).items() <= labels().items():
            lacks.append("node(s) didn't match Pod's node affinity/selector")
        if lacks and not pod["spec"].get("nodeName"):
            return f"0/1 nodes are available: 1 {', 1 '.join(lacks)}."
        self._placed[pod["metadata"]["uid"]] = wanted
        return ""

    def _has_room(self, resource: str, wanted: Decimal) -> bool:
        taken = sum((one.get(resource, Decimal()) for one in self._placed.values()), Decimal())
        return taken + wanted <= capacity().get(resource, 0)


def _counted(pod: Object) -> set[str]:
    """The resources that the Pod asks for and that are counted; there is nothing of those that the machine lacks."""
    containers = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]
    amounts = [(one.get("resources") or {}).get(kind) or {} for one in containers for kind in ("requests", "limits")]
    return {name for named in amounts for name in named} - NOT_COUNTED
