"""The node as a controller: it runs every Pod that is bound to it, or to no node yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from minipdk.controller.events import Recorder
from minipdk.controller.workspace import Workspace
from minipdk.services.node.node import Node
from minipdk.services.node.streaming.server import listening


@asynccontextmanager
async def running(workspace: Workspace) -> AsyncIterator[None]:
    """Run the Pods within this context; leaving it ends all containers."""
    node = Node(workspace, Recorder(workspace.api, "kubelet", workspace.tasks))
    workspace.pods = node
    following = workspace.tasks.create_task(node.run())
    try:
        async with listening(workspace.home.kubelet_socket, node):
            yield
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await node.stop()
