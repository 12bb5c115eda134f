"""Serve the platform on its port: ``python -m minipdk.services.neuro.server --home PATH``."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from minipdk.common import service
from minipdk.common.home import Home
from minipdk.common.web.server import serve as serve_http
from minipdk.controller.api import connect
from minipdk.services.neuro.api import configuration, login
from minipdk.services.neuro.api.configuration import ConfigurationApi
from minipdk.services.neuro.api.http import application, policy
from minipdk.services.neuro.api.jobs import JobsApi
from minipdk.services.neuro.api.login import LoginApi
from minipdk.services.neuro.api.monitoring import MonitoringApi
from minipdk.services.neuro.api.registry import RegistryApi
from minipdk.services.neuro.api.storage import StorageApi
from minipdk.services.neuro.platform import Platform
from minipdk.services.neuro.service import SERVICE

log = logging.getLogger(__name__)


def serve(home: Home) -> None:
    """Serve until `service.stopping` is set."""
    platform = Platform(home)
    monitoring = MonitoringApi(platform.jobs, platform.logs)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()

        def end_sessions() -> None:
            """Clients that follow logs would hold up the end of the server."""
            service.stopping.wait()
            loop.call_soon_threadsafe(monitoring.stop)

        threading.Thread(target=end_sessions, daemon=True).start()
        async with connect(home) as api:
            monitoring.api = api
            running = asyncio.create_task(platform.runner(api).run())
            running.add_done_callback(_ended)
            yield
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    parts = (
        ConfigurationApi(platform.addresses, platform.storage.project, platform.jobs),
        LoginApi(platform.login),
        StorageApi(platform.storage),
        RegistryApi(platform.registry, platform.addresses),
        JobsApi(platform.jobs, platform.addresses),
        monitoring,
    )
    app = application([route for part in parts for route in part.routes()], lifespan=lifespan)
    open_paths = (configuration.PATH, *login.OPEN_PATHS)
    serve_http(app, home.port("neuro"), policy(platform.tokens, open_paths))


def _ended(task: asyncio.Task[None]) -> None:
    """End the process, which is then started again: without the runner no job runs."""
    if not task.cancelled():
        log.critical("the runner of jobs has failed", exc_info=task.exception())
        service.stopping.set()


if __name__ == "__main__":
    service.run(SERVICE.name, serve)
