"""The ingress's own answers: their statuses and reasons."""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import free_ports
from tests.minipdk.services.ingress.conftest import HOST, LIMITS, NAME, Ingress, echo, never, serving

from minipdk.common.web import origins
from minipdk.controller.routes import Backend, Traffic

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_413(ingress: Ingress, chunked: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(LIMITS.body // 65536 + 1):
            yield bytes(65536)

    async with serving(ingress, echo):
        data = pieces() if chunked else io.BytesIO(bytes(LIMITS.body + 1))
        async with ingress.client.post("/", data=data, headers=HOST | {"Expect": "100-continue"}) as answer:
            assert answer.status == 413
            assert (await answer.json())["error"].endswith(f"the ingress's limit of {LIMITS.body} bytes")


async def test_a_service_without_a_ready_predictor_is_503_with_the_reason(ingress: Ingress) -> None:
    async with serving(ingress, echo):
        ingress.set("models", "linear", reason='its model\nis "fetched" at 100%')
        await ingress.routes.in_force()
        assert await ingress.error() == (503, f'{NAME} is not ready: its model\nis "fetched" at 100%')


async def test_nothing_is_404_before_the_services_have_been_read(ingress: Ingress) -> None:
    ingress.routes.known = False
    await ingress.routes.in_force()
    assert (await ingress.error())[0] == 503
    ingress.routes.known = True
    await ingress.routes.in_force()
    status, message = await ingress.error()
    assert (status, NAME in message, "kubectl get isvc" in message) == (404, True, True)


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        (
            {"Connection": "Upgrade", "Upgrade": "websocket"},
            403,
            "changing the protocol to websocket is not supported by minipdk",
        ),
        ({"X-Long": "x" * 70_000}, 431, "the request's headers are larger than the ingress takes"),
        ({"Host": "a b"}, 400, "the request is malformed: http.invalid_authority"),
    ],
)
async def test_envoys_refusals_have_the_same_form(
    ingress: Ingress, headers: dict[str, str], status: int, error: str
) -> None:
    async with serving(ingress, echo):
        assert await ingress.error(**headers) == (status, error)


async def test_a_predictor_that_is_slow_is_504(ingress: Ingress) -> None:
    async with serving(ingress, never, timeout=0.5):
        assert await ingress.error() == (504, "the predictor did not answer within 0.5 s")


async def test_a_predictor_that_breaks_the_connection_is_502(ingress: Ingress) -> None:
    calls = 0

    async def broken(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with serving(ingress, broken):
        assert await ingress.error() == (502, "the predictor broke the connection")
    assert calls == 1  # it may have been run: only the client knows whether it may be run again


async def test_a_predictor_that_is_gone_is_503(ingress: Ingress) -> None:
    async with serving(ingress, echo):
        ingress.send_to(Traffic(100, (Backend(free_ports(1)[0]),)))
        await ingress.routes.in_force()
        status, message = await ingress.error()
        assert (status, "does not accept connections" in message) == (503, True)


async def test_a_reason_may_have_any_characters_and_length(ingress: Ingress) -> None:
    reason = "".join(map(chr, range(1, 300))) + "\U0001f40d %REQ(X)% %%" + "x" * 20_000
    ingress.set("models", "linear", reason=reason)
    await ingress.routes.in_force()
    _, message = await ingress.error()
    assert message.removeprefix(f"{NAME} is not ready: ")[:10_000] == reason[:10_000]
    ingress.routes.remove("models", "linear")


async def test_more_requests_than_may_wait_are_503(ingress: Ingress) -> None:
    go_on = asyncio.Event()

    async def held(_: web.BaseRequest) -> web.StreamResponse:
        await go_on.wait()
        return web.Response()

    async def ask() -> tuple[int, str]:
        async with ingress.client.post("/", headers=HOST) as answer:
            return answer.status, await answer.text()

    async with serving(ingress, held):
        asking = [asyncio.create_task(ask()) for _ in range(LIMITS.in_flight + LIMITS.waiting + 5)]
        await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        refused = {task.result() for task in asking if task.done()}
        assert {status for status, _ in refused} == {503}
        assert all("too many requests waiting" in text for _, text in refused)
        go_on.set()
        assert Counter(status for status, _ in await asyncio.gather(*asking))[200] >= LIMITS.in_flight


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}])
async def test_another_origins_web_page_is_refused(ingress: Ingress, headers: dict[str, str]) -> None:
    async with serving(ingress, echo):
        assert (await ingress.error(**headers))[0] == 403


METHODS = st.sampled_from(["GET", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"])
SITES = st.sampled_from([None, "none", "same-origin", "same-site", "cross-site", "None"])
NAMES = st.sampled_from(["localhost", "LocalHost:8081", "127.0.0.1", "[::1]:8081", "[::1]", NAME, f"{NAME}:80", "a.example"])
ORIGINS = st.one_of(st.none(), st.just("null"), st.builds("{}://{}".format, st.sampled_from(["http", "https"]), NAMES))


async def test_the_rule_for_other_origins_is_that_of_every_server(ingress: Ingress) -> None:
    """The same requests pass and fail here, in Lua, as `minipdk.common.web.origins` says."""

    async def ask(method: str, host: str, origin: str | None, site: str | None) -> None:
        given = {"Host": host, "Origin": origin, "Sec-Fetch-Site": site}
        headers = {name: value for name, value in given.items() if value is not None}
        async with ingress.client.request(method, "/", headers=headers) as answer:
            refusal = origins.refusal(method, host, origin=origin, fetch_site=site)
            body = await answer.text()
            assert (answer.status == 403) == (refusal is not None), (headers, body)
            if refusal and method != "HEAD":
                assert json.loads(body) == {"error": refusal}

    requests: set[tuple[str, str, str | None, str | None]] = set()

    @settings(max_examples=150, database=None)
    @given(method=METHODS, host=NAMES, origin=ORIGINS, site=SITES)
    def collect(method: str, host: str, origin: str | None, site: str | None) -> None:
        requests.add((method, host, origin, site))

    collect()
    await asyncio.gather(*(ask(*request) for request in requests))
