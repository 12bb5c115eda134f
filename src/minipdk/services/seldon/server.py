"""Seldon Core as a controller of SeldonDeployments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from minipdk.controller.workspace import Workspace
from minipdk.services.seldon.seldondeployment import SeldonDeploymentController


@asynccontextmanager
async def running(workspace: Workspace) -> AsyncIterator[None]:
    """Reconcile SeldonDeployments within this context."""
    controlling = workspace.tasks.create_task(SeldonDeploymentController(workspace).run())
    try:
        yield
    finally:
        controlling.cancel()
        await asyncio.gather(controlling, return_exceptions=True)
