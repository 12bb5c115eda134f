"""Which Pods the one node has room for: memory requests are counted against the machine's memory, and Pods against 110.

CPU requests are not counted: containers share the CPUs, and `turns` sees to it that they do not all start at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from decimal import Decimal

from minipdk.serving.api import Api, Object
from minipdk.serving.errors import ConflictError, NotFoundError
from minipdk.serving.events import NORMAL, WARNING, Recorder

from .quantities import pod_request

NODE = "minipdk"
MAX_PODS = 110  # a kubelet's default
COUNTED = ("memory",)
OVERCOMMITTED = frozenset({"cpu"})


def capacity() -> dict[str, int]:
    """What the machine has: CPUs, bytes of memory, Pods."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": os.cpu_count() or 1, "memory": memory, "pods": MAX_PODS}


class Scheduler:
    """Gives Pods their node while there is room, in the order in which they came; the others wait for room."""

    def __init__(self, api: Api, recorder: Recorder) -> None:
        self._api, self._recorder = api, recorder
        self._placed: dict[str, Object] = {}
        self._room = asyncio.Event()

    async def place(self, pod: Object, refused: Callable[[str], None]) -> None:
        """Wait until there is room for ``pod``, and bind it to the node. ``refused`` is told why there is none yet."""
        metadata = pod["metadata"]
        said = ""
        while why := "" if pod["spec"].get("nodeName") else self._why_not(pod):
            if why != said:
                self._recorder.emit(pod, WARNING, "FailedScheduling", why)
                refused(why)
                said = why
            self._room.clear()
            await self._room.wait()
        self._placed[metadata["uid"]] = pod
        if pod["spec"].get("nodeName"):
            return
        with contextlib.suppress(ConflictError, NotFoundError):  # it was deleted meanwhile: the watch will tell
            await self._api.bind(metadata["namespace"], metadata["name"], metadata["uid"], NODE)
        pod["spec"]["nodeName"] = NODE
        self._recorder.emit(
            pod, NORMAL, "Scheduled", f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {NODE}"
        )
        refused("")

    def release(self, pod: Object) -> None:
        """Give its room to others: the Pod has ended."""
        self._placed.pop(pod["metadata"]["uid"], None)
        self._room.set()

    def _why_not(self, pod: Object) -> str:
        lacks = [f"Insufficient {resource}" for resource in self._asked(pod) if not self._has_room(pod, resource)]
        if len(self._placed) >= MAX_PODS:
            lacks.append("Too many pods")
        return f"0/1 nodes are available: 1 {', 1 '.join(lacks)}." if lacks else ""

    def _asked(self, pod: Object) -> list[str]:
        """The resources that the Pod asks for and that are counted; there is nothing of those that the machine lacks."""
        containers = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]
        kinds = [(one.get("resources") or {}).get(kind) or {} for one in containers for kind in ("requests", "limits")]
        return sorted({name for amounts in kinds for name in amounts} - OVERCOMMITTED - {"ephemeral-storage"})

    def _has_room(self, pod: Object, resource: str) -> bool:
        taken = sum((pod_request(one, resource) for one in self._placed.values()), Decimal())
        return taken + pod_request(pod, resource) <= capacity().get(resource, 0)
