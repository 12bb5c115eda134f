"""The ingress gateway: a reverse proxy on loopback that routes by Host, as Istio's does in front of KServe.

It answers by itself, always as ``{"error": "..."}``:

    403  a web page of another origin sent an unsafe request
    404  no InferenceService has this host name
    413  the request's body is larger than MAX_BODY
    502  the predictor broke the connection
    503  the service has no ready predictor (with the reason), or too many requests are waiting
    504  the predictor did not answer in time
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from minipdk import origins
from minipdk.home import HOST
from minipdk.serving.errors import GatewayError

from .routes import Backend, Routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
SMALL = 1 << 16
CONNECT_TIMEOUT = 5.0
IDLE_SECONDS = 4.0  # under the five seconds after which many model servers (uvicorn's default) close an idle connection
MAX_IN_FLIGHT = 1000
MAX_BODY = 100 << 20
TOO_LARGE = GatewayError(413, f"the request body is larger than the ingress's limit of {MAX_BODY} bytes")

RANDOM = secrets.SystemRandom()

log = logging.getLogger(__name__)


@asynccontextmanager
async def gateway(routes: Routes, port: int) -> AsyncIterator[None]:
    """Serve the ingress on the loopback ``port`` within this context; on leaving it, requests in flight are finished."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS)
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        server = web.Server(Proxy(routes, session).handle, access_log=None, keepalive_timeout=75)
        runner = web.ServerRunner(server, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
            yield
        finally:
            await runner.cleanup()


class Proxy:
    """Passes each request to the predictor that its Host names, over connections that are kept."""

    def __init__(self, routes: Routes, session: aiohttp.ClientSession) -> None:
        self._routes, self._session = routes, session

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            _refuse_other_origins(request)
            backend = self._backend(request)
            with backend:
                return await self._forward(request, backend)
        except GatewayError as error:
            return web.json_response({"error": str(error)}, status=error.status)

    def _backend(self, request: web.BaseRequest) -> Backend:
        host = request.headers.get("Host", "")
        route = self._routes.resolve(host)
        if route is None and not self._routes.known:
            raise GatewayError(503, "the gateway is starting and has not read the InferenceServices yet: try again")
        if route is None:
            raise GatewayError(
                404,
                f"no InferenceService is served at Host {host!r}: send <name>.<namespace>.example.com (kubectl get isvc -A)",
            )
        shares = [
            (share.percent, live) for share in route.traffic if (live := [one for one in share.backends if not one.closing])
        ]
        if not shares:
            raise GatewayError(503, f"{host} is not ready: {route.reason or 'its predictor is stopping'}")
        [backends] = RANDOM.choices([live for _, live in shares], [percent for percent, _ in shares])
        backend = min(backends, key=lambda one: one.in_flight)
        if backend.in_flight >= MAX_IN_FLIGHT:
            raise GatewayError(503, f"{host} has {MAX_IN_FLIGHT} requests waiting: try again later")
        return backend

    async def _forward(self, request: web.BaseRequest, backend: Backend) -> web.StreamResponse:
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await _body(request)
        # Encoded already: the path must reach the predictor as it was sent.
        url = URL(f"http://{HOST}:{backend.port}{request.rel_url.raw_path_qs}", encoded=True)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=backend.timeout)
        headers = _end_to_end(request.headers)
        with _predictor_errors(backend):
            async with self._session.request(
                request.method, url, data=body, headers=headers, allow_redirects=False, timeout=timeout
            ) as answer:
                return await _pass_on(request, answer)


async def _body(request: web.BaseRequest) -> bytes | AsyncIterator[bytes] | None:
    """The request's body: whole where it is small, else as it arrives."""
    if not request.body_exists:
        return None
    if request.content_length is None:
        return _limited(request.content)
    if request.content_length > MAX_BODY:
        raise TOO_LARGE
    return await request.read() if request.content_length <= SMALL else request.content.iter_any()


async def _limited(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    received = 0
    async for chunk in content.iter_any():
        received += len(chunk)
        if received > MAX_BODY:
            raise TOO_LARGE
        yield chunk


async def _pass_on(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = _end_to_end(answer.headers)
    if answer.content_length is not None and answer.content_length <= SMALL and request.method != "HEAD":
        headers.popall("Content-Length", None)
        return web.Response(body=await answer.read(), status=answer.status, reason=answer.reason, headers=headers)
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    await response.prepare(request)
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response


@contextmanager
def _predictor_errors(backend: Backend) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:  # before the others: aiohttp's timeouts are also connection errors
        raise GatewayError(504, f"the predictor did not answer within {backend.timeout:.0f} s") from error
    except aiohttp.ClientConnectorError as error:
        raise GatewayError(503, "the predictor does not accept connections: it may be restarting, try again") from error
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
        if isinstance(error.__cause__, GatewayError):  # raised while the body was being sent
            raise error.__cause__ from None
        raise GatewayError(502, f"the predictor broke the connection: {type(error).__name__}") from error


def _refuse_other_origins(request: web.BaseRequest) -> None:
    headers = request.headers
    reason = origins.refusal(
        request.method, headers.get("Host", ""), origin=headers.get("Origin"), fetch_site=headers.get("Sec-Fetch-Site")
    )
    if reason:
        raise GatewayError(403, reason)


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    named = {token.strip().lower() for token in headers.get("Connection", "").split(",")}
    dropped = HOP_BY_HOP | named | {"expect"}
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)
