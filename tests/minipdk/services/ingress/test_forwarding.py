"""Requests and answers pass through the ingress unchanged: HTTP/1.1, HTTP/2 and gRPC, streamed."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import grpc
import pytest
from aiohttp import web
from tests.minipdk.services.ingress.conftest import HOST, NAME, Ingress, echo, never, serving

from minipdk.controller.routes import Backend, Traffic

pytestmark = pytest.mark.anyio


async def test_method_path_headers_status_and_body_pass_unchanged(ingress: Ingress) -> None:
    path = "/v1/models/a%2Fb:predict?x=%20y"
    headers = HOST | {"X-Request-Id": "7"}
    async with serving(ingress, echo), ingress.client.put(path, data=b"12345", headers=headers) as answer:
        seen = await answer.json()
        assert (answer.status, answer.headers["X-Model"]) == (201, "linear")
        assert not {name for name in answer.headers if name.lower().startswith("x-envoy")}
    assert (seen["method"], seen["path"], seen["length"]) == ("PUT", path, 5)
    assert seen["headers"]["host"] == NAME
    assert seen["headers"]["x-request-id"] == "7"
    assert not {name for name in seen["headers"] if name.startswith("x-envoy") or name == "x-forwarded-for"}


async def test_bodies_are_streamed_both_ways(ingress: Ingress) -> None:
    """Each piece is answered before the next is sent: no server on the way waits for the whole."""

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


async def test_a_client_that_leaves_ends_its_request(ingress: Ingress) -> None:
    """Closing one half ends the request, as with every Envoy: its predictor notices, and no request is in flight."""
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


async def test_http_2_is_spoken_on_the_same_port(ingress: Ingress) -> None:
    async with serving(ingress, echo):
        asking = await asyncio.create_subprocess_exec(
            *("curl", "-s", "--http2-prior-knowledge", "-w", " %{http_version} %{http_code}", "-H", f"Host: {NAME}"),
            f"http://127.0.0.1:{ingress.port}/",
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await asking.communicate()
    assert output.endswith(b" 2 201")


class Echo(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no type annotations
    """A gRPC server that answers every unary call with its request and its name."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def answer(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            return request + str(details.method).encode()

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
    ingress.set("models", "linear", reason="its model is being fetched")
    await ingress.routes.in_force()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(ingress, NAME)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert refused.value.details() == f"{NAME} is not ready: its model is being fetched"
    ingress.routes.remove("models", "linear")
