"""The ingress gateway: routing, streaming, limits and its own answers."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import free_ports

from minipdk.serving.gateway import proxy as gateway_module
from minipdk.serving.gateway.proxy import gateway
from minipdk.serving.gateway.routes import Backend, Route, Routes, Traffic

pytestmark = pytest.mark.anyio
HOST = {"Host": "linear.models.example.com"}
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Ingress:
    routes: Routes
    backend: Backend
    client: aiohttp.ClientSession


@asynccontextmanager
async def ingress(handler: Handler, *, timeout: float = 5) -> AsyncIterator[Ingress]:
    """A gateway in front of a predictor that ``handler`` stands for."""
    backend_port, port = free_ports(2)
    runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", backend_port).start()
    routes, backend = Routes(), Backend(backend_port, timeout=timeout)
    routes.set("models", "linear", Route((Traffic(100, (backend,)),)))
    routes.known = True
    try:
        async with gateway(routes, port), aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            yield Ingress(routes, backend, client)
    finally:
        await runner.cleanup()


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    told = {
        "method": request.method,
        "path": request.raw_path,
        "headers": {name.lower(): value for name, value in request.headers.items()},
    }
    return web.json_response(told | {"length": len(await request.read())}, status=201, headers={"X-Model": "linear"})


async def test_method_path_headers_status_and_body_pass_unchanged() -> None:
    async with ingress(echo) as proxy:
        path = "/v1/models/a%2Fb:predict?x=%20y"
        async with proxy.client.put(path, data=b"12345", headers=HOST | {"X-Request-Id": "7"}) as answer:
            told = await answer.json()
            assert (answer.status, answer.headers["X-Model"]) == (201, "linear")
    assert (told["method"], told["path"], told["length"]) == ("PUT", path, 5)
    assert told["headers"]["host"] == HOST["Host"]
    assert told["headers"]["x-request-id"] == "7"


async def test_large_bodies_are_streamed_both_ways() -> None:
    async def mirror(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for chunk in request.content.iter_any():
            await response.write(chunk)
        return response

    body = bytes(range(256)) * 8192
    async with ingress(mirror) as proxy, proxy.client.post("/", data=io.BytesIO(body), headers=HOST) as answer:
        assert await answer.read() == body


async def test_headers_for_one_connection_only_are_not_passed_on() -> None:
    async with ingress(echo) as proxy:
        headers = HOST | {"Connection": "keep-alive, X-Hop", "X-Hop": "1", "TE": "trailers", "X-End": "1"}
        async with proxy.client.get("/", headers=headers) as answer:
            passed = (await answer.json())["headers"]
    assert "x-end" in passed
    assert not {"x-hop", "te"} & set(passed)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_413(monkeypatch: pytest.MonkeyPatch, chunked: bool) -> None:
    monkeypatch.setattr(gateway_module, "MAX_BODY", 100_000)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(10_000)

    async with ingress(echo) as proxy:
        data = pieces() if chunked else bytes(200_000)
        async with proxy.client.post("/", data=data, headers=HOST) as answer:
            assert answer.status == 413
            assert "limit" in (await answer.json())["error"]


async def error_of(proxy: Ingress, **headers: str) -> tuple[int, str]:
    async with proxy.client.post("/", data=b"x", headers=HOST | headers) as answer:
        return answer.status, json.loads(await answer.text())["error"]


async def test_a_service_without_a_ready_predictor_is_503_with_the_reason() -> None:
    async with ingress(echo) as proxy:
        proxy.routes.set("models", "linear", Route(reason="its model is being fetched"))
        assert await error_of(proxy) == (503, "linear.models.example.com is not ready: its model is being fetched")


async def test_nothing_is_404_before_the_services_have_been_read() -> None:
    async with ingress(echo) as proxy:
        proxy.routes.remove("models", "linear")
        proxy.routes.known = False
        assert (await error_of(proxy))[0] == 503
        proxy.routes.known = True
        assert (await error_of(proxy))[0] == 404


async def test_a_predictor_that_is_slow_is_504() -> None:
    async def slow(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with ingress(slow, timeout=0.1) as proxy:
        assert await error_of(proxy) == (504, "the predictor did not answer within 0 s")


async def test_a_predictor_that_breaks_the_connection_is_502() -> None:
    async def broken(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with ingress(broken) as proxy:
        assert (await error_of(proxy))[0] == 502


async def test_a_predictor_that_is_gone_is_503() -> None:
    async with ingress(echo) as proxy:
        proxy.routes.set("models", "linear", Route((Traffic(100, (Backend(free_ports(1)[0]),)),)))
        assert (await error_of(proxy))[0] == 503


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}])
async def test_another_origins_web_page_is_refused(headers: dict[str, str]) -> None:
    async with ingress(echo) as proxy:
        assert (await error_of(proxy, **headers))[0] == 403


async def test_a_request_in_flight_is_finished_by_the_predictor_that_has_it() -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def held(_: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        await go_on.wait()
        return web.Response(text="old")

    async with ingress(held) as proxy:
        asking = asyncio.create_task(proxy.client.post("/", data=b"", headers=HOST))
        await arrived.wait()
        proxy.backend.closing = True
        assert not await proxy.backend.drained(0.01)
        assert (await error_of(proxy))[0] == 503
        go_on.set()
        assert await (await asking).text() == "old"
        assert await proxy.backend.drained(1)


label = st.from_regex(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)


@given(name=label, namespace=label, suffix=st.sampled_from(["", "-predictor"]), port=st.sampled_from(["", ":80"]))
def test_every_service_is_found_under_its_names(name: str, namespace: str, suffix: str, port: str) -> None:
    routes = Routes()
    routes.set(namespace, name, route := Route())
    for domain in ("example.com", "svc.cluster.local"):
        assert routes.resolve(f"{name}{suffix}.{namespace}.{domain}{port}".upper()) is route
        assert routes.resolve(f"x{name}{suffix}.{namespace}.{domain}{port}") is None


def test_a_service_of_the_exact_name_comes_first() -> None:
    routes = Routes()
    routes.set("models", "a", Route(reason="a"))
    routes.set("models", "a-predictor", exact := Route(reason="exact"))
    assert routes.resolve("a-predictor.models.example.com") is exact


@pytest.mark.parametrize("host", ["", "localhost", "127.0.0.1:8081", "a.models", "a.models.example.org", "..example.com"])
def test_other_hosts_are_unknown(host: str) -> None:
    assert Routes().resolve(host) is None
