"""The process that runs the controllers: every service that declares ``process=CONTROLLERS``, in the cluster's order.

Each controller works within the controllers before it: the last one to start ends first. They depend on each other, so when
one fails, all end in this order, and the supervisor starts the process again. After ``kill -9`` no container and no Envoy is
left, because each dies with the process, and the controllers rebuild their state from the Kubernetes API.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from importlib import import_module

import aiohttp

from minipdk.cluster.services import IMAGES, SERVICES
from minipdk.common import service
from minipdk.common.home import Home
from minipdk.controller.api import connect
from minipdk.controller.workspace import Workspace


def serve(home: Home) -> None:
    """Run the controllers until `service.stopping` is set. Raises the error of a controller that fails."""
    asyncio.run(_serve(home))


async def _serve(home: Home) -> None:
    running = asyncio.create_task(_run(home))
    stopped = asyncio.create_task(asyncio.to_thread(service.stopping.wait))
    await asyncio.wait([running, stopped], return_when=asyncio.FIRST_COMPLETED)
    service.stopping.set()  # ends the thread
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    if not running.cancelled():
        running.result()


async def _run(home: Home) -> None:
    """Run the controllers until cancelled, or until one fails."""
    names = [declared.name for declared in SERVICES if declared.process == service.CONTROLLERS]
    servers = [import_module(f"minipdk.services.{name}.server") for name in names]
    try:
        async with (
            connect(home) as api,
            aiohttp.ClientSession() as http,
            asyncio.TaskGroup() as tasks,
            AsyncExitStack() as controllers,
        ):
            workspace = Workspace(home, api, http, tasks, IMAGES)
            for server in servers:
                await controllers.enter_async_context(server.running(workspace))
            await asyncio.get_running_loop().create_future()
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None  # others are consequences of the first


if __name__ == "__main__":
    service.run(service.CONTROLLERS, serve)
