"""Which predictor gets a request while revisions are exchanged, share the requests, or have replicas."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from tests.conftest import free_ports
from tests.minipdk.services.ingress.conftest import HOST, NAME, Handler, Ingress, predictor, serving

from minipdk.controller.routes import Backend, Traffic

pytestmark = pytest.mark.anyio


async def test_a_request_in_flight_is_finished_by_the_predictor_that_has_it(ingress: Ingress) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def held(_: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        await go_on.wait()
        return web.Response(text="old")

    async with serving(ingress, held) as backend:
        asking = asyncio.create_task(ingress.client.post("/", data=b"", headers=HOST))
        await arrived.wait()
        assert not await backend.drained(0.5)
        await ingress.routes.in_force()
        assert await ingress.error() == (503, f"{NAME} is not ready: its predictor is stopping")
        go_on.set()
        assert await (await asking).text() == "old"
        assert await backend.drained(60)


async def test_an_exchange_under_load_fails_no_request(ingress: Ingress) -> None:
    """Predictors come and go, each ending when it is drained, while eight clients keep asking."""

    async def slow_echo(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(0.002)
        return web.Response(body=await request.read())

    statuses: Counter[int] = Counter()
    done = asyncio.Event()

    async def keep_asking() -> None:
        while not done.is_set():
            async with ingress.client.post("/", data=b"x", headers=HOST) as answer:
                statuses[answer.status] += 1

    async def exchange(old: AsyncExitStack | None, old_backend: Backend | None) -> tuple[AsyncExitStack, Backend]:
        stack = AsyncExitStack()
        backend = await stack.enter_async_context(predictor(slow_echo))
        ingress.send_to(Traffic(100, (backend,)))
        await ingress.routes.in_force()
        if old and old_backend:
            assert await old_backend.drained(60)
            await old.aclose()
        return stack, backend

    stack, backend = await exchange(None, None)
    async with asyncio.TaskGroup() as clients:
        for _ in range(8):
            clients.create_task(keep_asking())
        for _ in range(10):
            stack, backend = await exchange(stack, backend)
        done.set()
    await stack.aclose()
    ingress.routes.remove("models", "linear")
    assert set(statuses) == {200}, statuses


async def test_requests_are_shared_by_percent(ingress: Ingress) -> None:
    """The share of the canary is within five standard deviations of its percentage."""
    percent, count = 20, 1000

    def named(name: str) -> Handler:
        async def answer(_: web.BaseRequest) -> web.StreamResponse:
            return web.Response(text=name)

        return answer

    async def ask(_: int) -> str:
        async with ingress.client.get("/", headers=HOST) as answer:
            return await answer.text()

    async with serving(ingress, named("stable")) as stable, predictor(named("canary")) as canary:
        ingress.send_to(Traffic(100 - percent, (stable,)), Traffic(percent, (canary,)))
        await ingress.routes.in_force()
        answers = Counter([answer for _ in range(count // 8) for answer in await asyncio.gather(*map(ask, range(8)))])
        expected, deviation = count * percent / 100, (count * percent / 100 * (1 - percent / 100)) ** 0.5
        assert abs(answers["canary"] - expected) < 5 * deviation
        assert set(answers) == {"stable", "canary"}


async def test_replicas_share_the_requests_and_one_that_is_gone_gets_none(ingress: Ingress) -> None:
    seen: Counter[int] = Counter()

    async def count(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        seen[request.transport.get_extra_info("sockname")[1]] += 1
        return web.Response()

    async def ask() -> int:
        async with ingress.client.post("/", data=b"x", headers=HOST) as answer:
            return answer.status

    async with predictor(count) as first, predictor(count) as second:
        ingress.send_to(Traffic(100, (first, second, Backend(free_ports(1)[0]))))
        await ingress.routes.in_force()
        for _ in range(40):
            assert set(await asyncio.gather(*(ask() for _ in range(8)))) == {200}
        assert set(seen) == {first.port, second.port}
        assert seen.total() == 320
    ingress.routes.remove("models", "linear")
