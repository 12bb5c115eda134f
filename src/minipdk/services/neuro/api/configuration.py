"""The configuration, from which clients learn every other address."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from minipdk.services.neuro import messages
from minipdk.services.neuro.api.http import route
from minipdk.services.neuro.jobs import presets
from minipdk.services.neuro.jobs.jobs import Jobs
from minipdk.services.neuro.names import Addresses

PATH = "/api/v1/config"
_CLIENT = re.compile(r"ApoloCLI/(\d{1,9})\.")
GPU_OBJECTS_SINCE = 26
"""The first version of the SDK that reads a GPU as an object instead of a number."""


class ConfigurationApi:
    def __init__(self, addresses: Addresses, storage: Path, jobs: Jobs) -> None:
        self._addresses, self._storage, self._jobs = addresses, storage, jobs

    def routes(self) -> list[Route]:
        return [route(PATH, self._get, "GET"), route("/monitoring/capacity", self._capacity, "GET")]

    async def _get(self, request: Request) -> Response:
        answer = messages.client_config(self._addresses)
        if getattr(request.state, "user", ""):
            match = _CLIENT.match(request.headers.get("user-agent", ""))
            objects = match is not None and int(match[1]) >= GPU_OBJECTS_SINCE
            pool = presets.pool(self._storage)
            answer |= messages.user_config(self._addresses, presets.presets().values(), pool, gpu_objects=objects)
        return JSONResponse(answer)

    async def _capacity(self, _request: Request) -> Response:
        """How many jobs of each preset this machine's memory has room for beside the jobs that have not ended."""
        active = await run_in_threadpool(self._jobs.active)
        free = presets.pool(self._storage).memory - sum(job.resources.memory for job in active)
        return JSONResponse({name: max(0, free // preset.memory) for name, preset in presets.presets().items()})
