"""A gateway with a real Envoy, and predictors to send requests to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from tests.conftest import free_ports

from minipdk.controller.routes import Backend, Route, Routes, Traffic
from minipdk.services.ingress.config import Limits
from minipdk.services.ingress.gateway import gateway
from minipdk.services.kserve.hosts import address

NAME = "linear.models.example.com"
HOST = {"Host": NAME}
LIMITS = Limits(body=4 << 20, in_flight=16, waiting=16)
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Ingress:
    """A gateway with a real Envoy, whose files are in ``folder``."""

    folder: Path
    port: int
    routes: Routes
    client: aiohttp.ClientSession

    def send_to(self, *traffic: Traffic, name: str = "linear") -> None:
        self.set("models", name, traffic)

    def set(self, namespace: str, name: str, traffic: tuple[Traffic, ...] = (), reason: str = "") -> None:
        """Set the route of an InferenceService."""
        self.routes.set(namespace, name, Route(traffic, reason, address(namespace, name)))

    async def error(self, **headers: str) -> tuple[int, str]:
        """The status and the error that a POST is answered with."""
        async with self.client.post("/", data=b"x", headers=HOST | headers) as answer:
            assert answer.content_type == "application/json"
            return answer.status, json.loads(await answer.text())["error"]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def running_gateway(folder: Path, limits: Limits = LIMITS) -> AsyncIterator[Ingress]:
    routes, [port] = Routes(), free_ports(1)
    routes.known = True
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        gateway(routes, folder, port, limits),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as client,
    ):
        yield Ingress(folder, port, routes, client)


@pytest.fixture(scope="module")
async def ingress(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ingress]:
    async with running_gateway(tmp_path_factory.mktemp("ingress") / "envoy") as running:
        yield running


@asynccontextmanager
async def predictor(handler: Handler, *, timeout: float = 60) -> AsyncIterator[Backend]:
    """A predictor that ``handler`` stands for."""
    [port] = free_ports(1)
    runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield Backend(port, timeout=timeout)
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(ingress: Ingress, handler: Handler, *, timeout: float = 60) -> AsyncIterator[Backend]:
    """The service ``linear`` with one predictor."""
    async with predictor(handler, timeout=timeout) as backend:
        ingress.send_to(Traffic(100, (backend,)))
        await ingress.routes.in_force()
        try:
            yield backend
        finally:
            ingress.routes.remove("models", "linear")
            await ingress.routes.in_force()


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    seen = {
        "method": request.method,
        "path": request.raw_path,
        "headers": {name.lower(): value for name, value in request.headers.items()},
    }
    length = sum([len(chunk) async for chunk in request.content.iter_any()])
    return web.json_response(seen | {"length": length}, status=201, headers={"X-Model": "linear"})


async def never(_: web.BaseRequest) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError
