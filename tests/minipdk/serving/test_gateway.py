"""The ingress gateway: routing, streaming, limits and its own answers."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc
import psutil
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import free_ports, is_listening, wait_for

from minipdk import doctor, origins
from minipdk.home import Home
from minipdk.serving.errors import GatewayError
from minipdk.serving.gateway import process
from minipdk.serving.gateway.bootstrap import ADMIN_SOCKET
from minipdk.serving.gateway.config import Limits, clusters, route_resources
from minipdk.serving.gateway.counts import read_counts
from minipdk.serving.gateway.gateway import gateway
from minipdk.serving.gateway.routes import Backend, Route, Routes, ServiceKey, Traffic

pytestmark = pytest.mark.anyio
NAME = "linear.models.example.com"
HOST = {"Host": NAME}
LIMITS = Limits(body=4 << 20, in_flight=16, waiting=16)
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Ingress:
    """A gateway with a real Envoy. ``folder`` is where that has its files."""

    folder: Path
    port: int
    routes: Routes
    client: aiohttp.ClientSession

    def send_to(self, *traffic: Traffic, name: str = "linear") -> None:
        self.routes.set("models", name, Route(traffic))

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
    told = {
        "method": request.method,
        "path": request.raw_path,
        "headers": {name.lower(): value for name, value in request.headers.items()},
    }
    length = sum([len(chunk) async for chunk in request.content.iter_any()])
    return web.json_response(told | {"length": length}, status=201, headers={"X-Model": "linear"})


async def never(_: web.BaseRequest) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def test_method_path_headers_status_and_body_pass_unchanged(ingress: Ingress) -> None:
    path = "/v1/models/a%2Fb:predict?x=%20y"
    headers = HOST | {"X-Request-Id": "7"}
    async with serving(ingress, echo), ingress.client.put(path, data=b"12345", headers=headers) as answer:
        told = await answer.json()
        assert (answer.status, answer.headers["X-Model"]) == (201, "linear")
        assert not {name for name in answer.headers if name.lower().startswith("x-envoy")}
    assert (told["method"], told["path"], told["length"]) == ("PUT", path, 5)
    assert told["headers"]["host"] == NAME
    assert told["headers"]["x-request-id"] == "7"
    assert not {name for name in told["headers"] if name.startswith("x-envoy") or name == "x-forwarded-for"}


async def test_bodies_are_streamed_both_ways(ingress: Ingress) -> None:
    """Each piece is answered before the next is sent: nobody on the way waits for the whole."""

    async def mirror(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        async for chunk in request.content.iter_any():
            await response.write(chunk)
        return response

    echoed = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(5):
            echoed.clear()
            yield b"data: %d\n\n" % number
            await echoed.wait()

    async with serving(ingress, mirror), ingress.client.post("/", data=pieces(), headers=HOST) as answer:
        for number in range(5):
            assert await answer.content.readuntil(b"\n\n") == b"data: %d\n\n" % number
            echoed.set()
        assert await answer.read() == b""


async def test_large_bodies_arrive_whole(ingress: Ingress) -> None:
    async def mirror(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"".join([chunk async for chunk in request.content.iter_any()]))

    body = bytes(range(256)) * 8192
    async with serving(ingress, mirror), ingress.client.post("/", data=io.BytesIO(body), headers=HOST) as answer:
        assert await answer.read() == body


async def test_headers_for_one_connection_only_are_not_passed_on(ingress: Ingress) -> None:
    headers = HOST | {"Connection": "keep-alive, X-Hop", "X-Hop": "1", "TE": "trailers", "X-End": "1"}
    async with serving(ingress, echo), ingress.client.get("/", headers=headers) as answer:
        passed = (await answer.json())["headers"]
    assert "x-end" in passed
    assert not {"x-hop", "te"} & set(passed)


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
        ingress.routes.set("models", "linear", Route(reason='its model\nis "fetched" at 100%'))
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
async def test_what_envoy_refuses_is_told_in_the_same_form(
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
    assert calls == 1  # it may have been run: only whoever asked knows whether it may be run again


async def test_a_predictor_that_is_gone_is_503(ingress: Ingress) -> None:
    async with serving(ingress, echo):
        ingress.send_to(Traffic(100, (Backend(free_ports(1)[0]),)))
        await ingress.routes.in_force()
        status, message = await ingress.error()
        assert (status, "does not accept connections" in message) == (503, True)


async def test_a_reason_of_any_characters_and_length_is_told(ingress: Ingress) -> None:
    reason = "".join(map(chr, range(1, 300))) + "\U0001f40d %REQ(X)% %%" + "x" * 20_000
    ingress.routes.set("models", "linear", Route(reason=reason))
    await ingress.routes.in_force()
    _, message = await ingress.error()
    assert message.removeprefix(f"{NAME} is not ready: ")[:10_000] == reason[:10_000]
    ingress.routes.remove("models", "linear")


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}])
async def test_another_origins_web_page_is_refused(ingress: Ingress, headers: dict[str, str]) -> None:
    async with serving(ingress, echo):
        assert (await ingress.error(**headers))[0] == 403


METHODS = st.sampled_from(["GET", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"])
SITES = st.sampled_from([None, "none", "same-origin", "same-site", "cross-site", "None"])
NAMES = st.sampled_from(["localhost", "LocalHost:8081", "127.0.0.1", "[::1]:8081", "[::1]", NAME, f"{NAME}:80", "a.example"])
ORIGINS = st.one_of(st.none(), st.just("null"), st.builds("{}://{}".format, st.sampled_from(["http", "https"]), NAMES))


async def test_the_rule_for_other_origins_is_that_of_every_server(ingress: Ingress) -> None:
    """The same requests pass and fail here, in Lua, as `minipdk.origins` says."""

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
    """The share of the canary is within five standard deviations of what was asked for."""
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
        answers = Counter([one for _ in range(count // 8) for one in await asyncio.gather(*map(ask, range(8)))])
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

    async with predictor(count) as one, predictor(count) as two:
        ingress.send_to(Traffic(100, (one, two, Backend(free_ports(1)[0]))))
        await ingress.routes.in_force()
        for _ in range(40):
            assert set(await asyncio.gather(*(ask() for _ in range(8)))) == {200}
        assert set(seen) == {one.port, two.port}
        assert seen.total() == 320
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


async def test_a_client_that_leaves_ends_its_request(ingress: Ingress) -> None:
    """Closing one half is leaving, as with every Envoy: its predictor is told and no request is in flight any more."""
    arrived = asyncio.Event()

    async def held(_: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        return await never(_)

    async with serving(ingress, held) as backend:
        reader, writer = await asyncio.open_connection("127.0.0.1", ingress.port)
        writer.write(f"GET / HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        await arrived.wait()
        writer.write_eof()
        assert await reader.read() == b""
        assert await backend.drained(60)
        writer.close()


@pytest.mark.parametrize("path", ["/v1/models/linear:predict?x=1", "/", ""])
async def test_a_service_is_reached_by_path_below_a_loopback_host(ingress: Ingress, path: str) -> None:
    async with serving(ingress, echo), ingress.client.get(f"/serving/models/linear{path}") as answer:
        told = await answer.json()
    assert (told["path"], told["headers"]["host"]) == (path or "/", NAME)


async def test_a_path_is_no_way_for_other_hosts(ingress: Ingress) -> None:
    async with serving(ingress, echo):
        for path, host in [("/serving/models/linear/", "evil.example"), ("/serving/models/linearx/", "localhost")]:
            async with ingress.client.get(path, headers={"Host": host}) as answer:
                assert answer.status == 404


async def test_requests_are_counted_by_service_and_class(ingress: Ingress) -> None:
    async def half(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=int(request.path[1:]))

    async with predictor(half) as backend:
        ingress.routes.set("counted", "a", Route((Traffic(100, (backend,)),)))
        await ingress.routes.in_force()
        host = {"Host": "a.counted.example.com"}
        for path, headers in [("/200", host), ("/422", host), ("/500", host), ("/serving/counted/a/201", {})]:
            async with ingress.client.get(path, headers=headers):
                pass
        counts = (await asyncio.to_thread(read_counts, ingress.port))["counted/a"]
        assert (counts.total, counts.classes) == (4, {"2": 2, "4": 1, "5": 1})
    ingress.routes.remove("counted", "a")
    assert read_counts(free_ports(1)[0]) == {}


async def test_nothing_else_of_envoys_administration_is_reached(ingress: Ingress) -> None:
    for method, path in [
        ("POST", "/stats/prometheus"),
        ("GET", "/stats"),
        ("GET", "/config_dump"),
        ("POST", "/quitquitquit"),
    ]:
        async with ingress.client.request(method, path) as answer:
            assert answer.status == 404
    async with ingress.client.get("/stats/prometheus?filter=cluster") as answer:
        assert "upstream_cx" not in await answer.text()
    assert (ingress.folder / ADMIN_SOCKET).stat().st_mode & 0o777 == 0o600


class Echo(grpc.GenericRpcHandler):
    """A gRPC server that answers every unary call with its request and its name."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def answer(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            return request + details.method.encode()

        return grpc.unary_unary_rpc_method_handler(answer)


async def call(ingress: Ingress, name: str) -> bytes:
    options = [("grpc.default_authority", name)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{ingress.port}", options=options) as channel:
        answer: bytes = await channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")(b"x" * 100_000)
        return answer


async def test_grpc_goes_to_the_predictors_grpc_port(ingress: Ingress) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([Echo()])
    grpc_port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with serving(ingress, echo) as backend:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(ingress, NAME)
            assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
            assert refused.value.details() == f"{NAME} does not speak grpc"
            ingress.send_to(Traffic(100, (Backend(backend.port, grpc_port),)))
            await ingress.routes.in_force()
            assert await call(ingress, NAME) == b"x" * 100_000 + b"/inference.GRPCInferenceService/ModelInfer"
            async with ingress.client.get("/", headers=HOST) as answer:
                assert answer.status == 201
    finally:
        await server.stop(None)


async def test_a_grpc_call_is_refused_with_a_status_and_the_reason(ingress: Ingress) -> None:
    ingress.routes.set("models", "linear", Route(reason="its model is being fetched"))
    await ingress.routes.in_force()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(ingress, NAME)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert refused.value.details() == f"{NAME} is not ready: its model is being fetched"
    ingress.routes.remove("models", "linear")


async def test_http_2_is_spoken_on_the_same_port(ingress: Ingress) -> None:
    async with serving(ingress, echo):
        asking = await asyncio.create_subprocess_exec(
            *("curl", "-s", "--http2-prior-knowledge", "-w", " %{http_version} %{http_code}", "-H", f"Host: {NAME}"),
            f"http://127.0.0.1:{ingress.port}/",
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await asking.communicate()
    assert told.endswith(b" 2 201")


async def test_a_killed_envoy_is_started_again_with_the_routes_it_had(ingress: Ingress) -> None:
    async with serving(ingress, echo):
        [envoy] = [child for child in psutil.Process().children() if child.name() == "envoy"]
        envoy.kill()
        async with asyncio.timeout(60):
            while not await answers(ingress, but_not=envoy.pid):
                await asyncio.sleep(0.05)
        ingress.routes.set("models", "other", Route(reason="new"))
        await ingress.routes.in_force()


async def answers(ingress: Ingress, *, but_not: int) -> bool:
    try:
        async with ingress.client.get("/", headers=HOST) as answer:
            return answer.status == 201 and but_not not in {child.pid for child in psutil.Process().children()}
    except aiohttp.ClientError:
        return False


def test_envoy_ends_with_the_service_that_was_killed(tmp_path: Path) -> None:
    program = """
import asyncio, pathlib, sys
from minipdk.serving.gateway.gateway import gateway
from minipdk.serving.gateway.routes import Routes

async def main():
    async with gateway(Routes(), pathlib.Path(sys.argv[1]), int(sys.argv[2])):
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
    [port] = free_ports(1)
    arguments = [sys.executable, "-c", program, tmp_path / "envoy", str(port)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as service:
        assert service.stdout
        assert service.stdout.readline() == b"ready\n"
        assert is_listening(port)
        service.kill()
    wait_for(lambda: not is_listening(port), what="Envoy to end")


async def test_an_envoy_that_cannot_start_is_an_error_that_says_so(ingress: Ingress, tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match=r"Envoy 1\.40\.0 ends at once, with status 1"):
        async with gateway(Routes(), tmp_path / "second", ingress.port):
            pass


label = st.from_regex(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)


def domains(*services: ServiceKey) -> dict[str, str]:
    """The virtual host of each host name in the routes of ``services``."""
    [routes] = route_resources({service: Route() for service in services}, known=True, version=1)["resources"]
    return {domain: host["name"] for host in routes["virtual_hosts"] for domain in host["domains"]}


@given(services=st.sets(st.tuples(label, label), min_size=1, max_size=4), suffix=st.sampled_from(["", "-predictor"]))
def test_every_service_is_found_under_its_names(services: set[ServiceKey], suffix: str) -> None:
    found = domains(*services)
    for namespace, name in services:
        for domain in ("example.com", "svc.cluster.local", "example.com."):
            exact = (namespace, name + suffix) in services
            assert found[f"{name}{suffix}.{namespace}.{domain}"] == f"{namespace}/{name}{suffix if exact else ''}"
    assert len(found) - 5 == len([domain for domain in found if "/" in found[domain]])


PORTS = st.integers(20_000, 20_020)
BACKENDS = st.builds(Backend, port=PORTS, grpc_port=st.none() | PORTS, closing=st.booleans())
TRAFFIC = st.builds(Traffic, st.integers(0, 100), st.lists(BACKENDS, max_size=3).map(tuple))
ROUTES = st.builds(Route, st.lists(TRAFFIC, max_size=3).map(tuple), st.text(max_size=5))


@given(table=st.dictionaries(st.tuples(st.sampled_from("ab"), st.sampled_from(["x", "x-predictor"])), ROUTES))
def test_routes_lead_to_known_clusters_of_backends_that_are_not_closing(table: dict[ServiceKey, Route]) -> None:
    """Envoy refuses the whole table for a name that is there twice or shares that come to nothing."""
    known = {cluster.name: cluster for cluster in clusters(table)}
    [resource] = route_resources(table, known=True, version=1)["resources"]
    hosts = resource["virtual_hosts"]
    names = [domain for host in hosts for domain in host["domains"]]
    assert len(set(names)) == len(names)
    for route in (route for host in hosts for route in host["routes"]):
        shares = route.get("route", {}).get("weighted_clusters", {"clusters": [{"name": None, "weight": 1}]})["clusters"]
        assert sum(share["weight"] for share in shares) > 0
        for cluster in (known[share["name"]] for share in shares if share["name"]):
            live = [backend for backend in table[cluster.service].backends() if not backend.closing]
            assert set(cluster.ports) <= {port for backend in live for port in (backend.port, backend.grpc_port)}


def test_a_service_of_the_exact_name_comes_first() -> None:
    found = domains(("models", "a"), ("models", "a-predictor"))
    assert found["a-predictor.models.example.com"] == "models/a-predictor"
    assert found["a-predictor-predictor.models.example.com"] == "models/a-predictor"


@pytest.mark.parametrize(
    "host", ["LINEAR.models.example.com", f"{NAME}:80", f"{NAME}.", "linear-predictor.models.svc.cluster.local"]
)
async def test_case_port_and_a_last_dot_make_no_difference(ingress: Ingress, host: str) -> None:
    async with serving(ingress, echo), ingress.client.get("/", headers={"Host": host}) as answer:
        assert answer.status == 201


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8081", "linear.models", "linear.models.example.org", "..example.com"]
)
async def test_other_hosts_are_unknown(ingress: Ingress, host: str) -> None:
    async with serving(ingress, echo), ingress.client.get("/", headers={"Host": host}) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("program", ["#!/bin/sh\necho GLIBC_2.31 not found >&2; exit 1\n", None])
def test_doctor_says_that_envoy_cannot_run_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Home, program: str | None
) -> None:
    binary = tmp_path / "envoy"
    if program:
        binary.write_text(program)
        binary.chmod(0o755)
    monkeypatch.setattr(process, "binary", lambda: binary)
    [finding] = [one for one in doctor.examine(home) if one.what == "Envoy"]
    assert (finding.ok, finding.needed, finding.mend) == (False, True, process.MEND)
    assert ("GLIBC_2.31 not found" if program else "No such file") in finding.detail
