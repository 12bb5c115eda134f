"""The process that runs the controllers: every service that declares ``process=CONTROLLERS``, in the cluster's order."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from importlib import import_module

import aiohttp

from minipdk.cluster.services import SERVICES
from minipdk.common import service
from minipdk.common.home import Home
from minipdk.controller.api import connect
from minipdk.controller.workspace import Workspace

log = logging.getLogger(__name__)


def serve(home: Home) -> None:
    """Run the controllers until `service.stopping` is set."""
    asyncio.run(_serve(home))


async def _serve(home: Home) -> None:
    running = asyncio.create_task(_run(home))
    stopped = asyncio.create_task(asyncio.to_thread(service.stopping.wait))
    await asyncio.wait([running, stopped], return_when=asyncio.FIRST_COMPLETED)
    service.stopping.set()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    if not running.cancelled():
        running.result()


async def _run(home: Home) -> None:
    """Run every controller within those before it: the last one started ends first."""
    images = {name: source for member in SERVICES for name, source in member.images.items()}
    names = [member.name for member in SERVICES if member.process == service.CONTROLLERS]
    servers = [import_module(f"minipdk.services.{name}.server") for name in names]
    try:
        async with (
            connect(home) as api,
            aiohttp.ClientSession() as http,
            asyncio.TaskGroup() as tasks,
            AsyncExitStack() as controllers,
        ):
            workspace = Workspace(home, api, http, tasks, images)
            for server in servers:
                await controllers.enter_async_context(server.running(workspace))
            await asyncio.get_running_loop().create_future()
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None  # the others are of tasks that ended with it


if __name__ == "__main__":
    service.run(service.CONTROLLERS, serve)
