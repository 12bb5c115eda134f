"""The ingress as a controller: Envoy on its port, following the routes of the other controllers and the Ingresses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from minipdk.common.tokens import signing_key
from minipdk.controller.workspace import Workspace
from minipdk.services.ingress.gateway import gateway
from minipdk.services.ingress.ingresses import IngressController


@asynccontextmanager
async def running(workspace: Workspace) -> AsyncIterator[None]:
    """Serve the ingress within this context. Raises GatewayError when Envoy cannot run."""
    home = workspace.home
    async with gateway(workspace.routes, home.folder("run") / "envoy", home.port("ingress"), key=signing_key(home.token)):
        following = workspace.tasks.create_task(IngressController(workspace).run())
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
