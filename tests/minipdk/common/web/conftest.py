"""A server with small limits, and raw connections to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from tests.conftest import wait_for

from minipdk.common.home import Home
from minipdk.common.web import Limits, Policy, RefusedError
from minipdk.common.web.server import HttpServer, bind
from minipdk.services.kubernetes.certificates import ensure_tls, server_certificate, server_key

TOKEN = b"Authorization: secret\r\n"
LIMITS = Limits(
    body=1 << 20,
    open_body=1 << 10,
    stall=0.6,
    open_seconds=0.6,
    head=4 << 10,
    fields=20,
    head_seconds=0.6,
    handshake_seconds=0.6,
    connections=20,
    unread=64 << 10,
    unread_seconds=0.6,
)
"""Times are long enough for a busy machine and short enough to wait for."""


async def authenticate(connection: HTTPConnection) -> bool:
    if connection.url.path == "/open":
        return False
    if connection.headers.get("authorization") != "secret":
        raise RefusedError(PlainTextResponse("no token", 401))
    return True


POLICY = Policy(LIMITS, authenticate, lambda status, reason: PlainTextResponse(f"vendor's form: {reason}", status))


@dataclass
class Server:
    """A running server, and the requests that have reached its application."""

    port: int
    tls: ssl.SSLContext | None = None
    reached: list[str] = field(default_factory=list)

    def connect(self, timeout: float = 20) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout)
        return self.tls.wrap_socket(connection, server_hostname="localhost") if self.tls else connection

    def answer(self, request: bytes) -> bytes:
        """All bytes that the server sends to a client that sends ``request`` and no more."""
        with self.connect() as connection:
            connection.sendall(request)
            return everything(connection)

    def status(self, request: bytes) -> int:
        return status_of(self.answer(request))


def everything(connection: socket.socket) -> bytes:
    """The bytes that come before the connection ends; a reset is an end."""
    received = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while piece := connection.recv(65536):
            received += piece
    return received


def status_of(answer: bytes) -> int:
    assert answer, "the connection ended without an answer"
    return int(answer.split(b" ", 2)[1])


def head(method: str = "GET", target: str = "/", *fields: str, host: str = "localhost", token: bool = True) -> bytes:
    """The head of a request that is the last of its connection."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *fields]
    return "\r\n".join(lines).encode() + b"\r\n" + (TOKEN if token else b"") + b"\r\n"


def application(server: Server) -> Starlette:
    async def echo(request: Request) -> Response:
        server.reached.append(request.url.path)
        try:
            return PlainTextResponse(f"{len(await request.body())} bytes")
        except ClientDisconnect:
            return PlainTextResponse("the application's own words", 500)

    async def wait(request: Request) -> Response:
        server.reached.append(request.url.path)
        while not await request.is_disconnected():
            await asyncio.sleep(0.02)
        return PlainTextResponse("waited")

    async def socket_(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    methods = ["GET", "POST", "PUT", "DELETE"]
    return Starlette(
        routes=[Route("/wait", wait), Route("/{path:path}", echo, methods=methods), WebSocketRoute("/ws", socket_)]
    )


@contextlib.contextmanager
def running(make: Callable[[Server], Starlette], policy: Policy, home: Home | None = None) -> Iterator[Server]:
    listening = bind(0)
    server = Server(listening.getsockname()[1])
    files: dict[str, Any] = {}
    if home:
        ensure_tls(home)
        server.tls = ssl.create_default_context(cafile=str(home.ca_certificate))
        files = {"ssl_certfile": str(server_certificate(home)), "ssl_keyfile": str(server_key(home))}
    http = HttpServer(make(server), policy, **files)
    thread = threading.Thread(target=http.run, args=([listening],))
    thread.start()
    wait_for(lambda: http.started, what="the server to start")
    try:
        yield server
    finally:
        http.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(application, POLICY) as server:
        yield server


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    from tests.conftest import new_home

    home: Path = tmp_path_factory.mktemp("tls")
    with running(application, POLICY, new_home(home / "home")) as server:
        yield server
