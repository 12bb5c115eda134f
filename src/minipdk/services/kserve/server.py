"""KServe as a controller: it follows InferenceServices and ServingRuntimes, and creates Pods that the node runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from minipdk.controller.workspace import Workspace
from minipdk.services.kserve.inferenceservice import InferenceServiceController


@asynccontextmanager
async def running(workspace: Workspace) -> AsyncIterator[None]:
    """Reconcile InferenceServices within this context."""
    controlling = workspace.tasks.create_task(InferenceServiceController(workspace).run())
    try:
        yield
    finally:
        controlling.cancel()
        await asyncio.gather(controlling, return_exceptions=True)
