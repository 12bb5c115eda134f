"""The scheduler: it binds Pods to the node while there is room. It counts memory requests, and at most 110 Pods.

A Pod must fit this machine alone; together Pods may request OVERCOMMIT times its memory: a model server uses an eighth of
the 2 GiB that KServe requests for it by default, and a small machine runs several. CPU requests are not counted: containers
share the CPUs, and `startup` limits how many start at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
from collections.abc import Callable
from decimal import Decimal

from minipdk.controller.api import Api, until_accepted
from minipdk.controller.errors import ConflictError, NotFoundError
from minipdk.controller.events import NORMAL, WARNING, Recorder
from minipdk.controller.objects import Object
from minipdk.services.node.resources import pod_request

NODE = "minipdk"
MAX_PODS = 110  # a kubelet's default
OVERCOMMIT = {"memory": 8}
"""How many times the capacity all Pods together may request."""
NOT_COUNTED = frozenset({"cpu", "ephemeral-storage"})


def capacity() -> dict[str, int]:
    """The machine's capacity: CPUs, bytes of memory, Pods."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": os.cpu_count() or 1, "memory": memory, "pods": MAX_PODS}


def labels() -> dict[str, str]:
    """The node's labels, which a Pod's nodeSelector may name."""
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
        """Wait until there is room for ``pod``, and bind it to the node. ``refused`` is called with the lack of room."""
        metadata, reported = pod["metadata"], ""
        while reason := self._place(pod):
            if reason != reported:
                self._recorder.emit(pod, WARNING, "FailedScheduling", reason)
                refused(reason)
                reported = reason
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
        name = metadata["namespace"], metadata["name"], metadata["uid"]
        with contextlib.suppress(ConflictError, NotFoundError):  # bound or deleted meanwhile: the watch will report it
            await until_accepted(f"binding of pod {metadata['name']}", lambda: self._api.bind(*name, NODE))

    def release(self, pod: Object) -> None:
        """Free the room of a Pod that has ended."""
        self._placed.pop(pod["metadata"]["uid"], None)
        self._room.set()

    def _place(self, pod: Object) -> str:
        """Reserve room for ``pod``, or return the reason if there is none. A bound Pod always gets its room."""
        try:
            requests = {resource: pod_request(pod, resource) for resource in _counted(pod)}
        except ValueError as error:
            return f"0/1 nodes are available: {error}"
        lacks = [f"Insufficient {resource}" for resource in requests if not self._has_room(resource, requests[resource])]
        if len(self._placed) >= MAX_PODS:
            lacks.append("Too many pods")
        if not (pod["spec"].get("nodeSelector") or {}).items() <= labels().items():
            lacks.append("node(s) didn't match Pod's node affinity/selector")
        if lacks and not pod["spec"].get("nodeName"):
            return f"0/1 nodes are available: 1 {', 1 '.join(lacks)}."
        self._placed[pod["metadata"]["uid"]] = requests
        return ""

    def _has_room(self, resource: str, request: Decimal) -> bool:
        taken = sum((requests.get(resource, Decimal()) for requests in self._placed.values()), Decimal())
        room = capacity().get(resource, 0)
        return request <= room and taken + request <= room * OVERCOMMIT.get(resource, 1)


def _counted(pod: Object) -> set[str]:
    """The counted resources that the Pod names. The machine has no room for an unknown one."""
    containers = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]
    resources = [container.get("resources") or {} for container in containers]
    amounts = [resource.get(kind) or {} for resource in resources for kind in ("requests", "limits")]
    return {name for names in amounts for name in names} - NOT_COUNTED
