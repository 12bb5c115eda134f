"""The streaming server's limits and refusals, over its socket, with Pods that only accept connections."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from tests.minipdk.services.node.streaming.test_spdy import Client, data

from minipdk.common import unix_sockets
from minipdk.services.node.pod import PodWorker
from minipdk.services.node.streaming import server
from minipdk.services.node.streaming.server import Limits

SPDY = {"upgrade": "SPDY/3.1", "connection": "Upgrade", "x-stream-protocol-version": "portforward.k8s.io"}
WEBSOCKET = {
    "host": "localhost",
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": base64.b64encode(bytes(16)).decode(),
    "sec-websocket-protocol": "v4.channel.k8s.io",
}
FORWARD = "/portForward/models/echo/1"


class Echo:
    """A Pod whose every port sends its input back; its container does not run."""

    def __init__(self) -> None:
        self.pod = {"metadata": {"name": "echo", "uid": "1"}}

    async def connect(self, _: int) -> socket.socket:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours)

        async def echo() -> None:
            while block := await reader.read(100):
                writer.write(block)
            writer.close()

        self.echoing = asyncio.create_task(echo())
        return theirs

    def container(self, _: str) -> None:
        return None


class Pods:
    def worker(self, uid: str) -> PodWorker | None:
        return cast(PodWorker, Echo()) if uid == "1" else None


@asynccontextmanager
async def client(path: Path, target: str, headers: dict[str, str]) -> AsyncIterator[Any]:
    """A connection on which this request was sent, and the head of its answer."""
    reader, writer = await asyncio.open_connection(sock=unix_sockets.connect(path))
    lines = [f"POST {target} HTTP/1.1" if headers.get("upgrade") == "SPDY/3.1" else f"GET {target} HTTP/1.1"]
    writer.write("\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode())
    head = await reader.readuntil(b"\r\n\r\n")
    try:
        yield head.decode(), reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


REFUSED = {
    "another pod": ("/portForward/models/other/2", SPDY, 404, "pod does not exist"),
    "a container that does not run": (
        "/exec/models/echo/1/main?stdout=1&command=ls",
        SPDY,
        500,
        'container not found ("main")',
    ),
    "no upgrade": (FORWARD, {}, 400, "Upgrade request required"),
    "another upgrade": (FORWARD, SPDY | {"upgrade": "h2c"}, 400, "Upgrade request required"),
    "another protocol over SPDY": (
        *(FORWARD, SPDY | {"x-stream-protocol-version": "v9"}, 403),
        "unable to upgrade: unable to negotiate protocol: client supports [v9], server supports [portforward.k8s.io]",
    ),
    "another protocol over a WebSocket": (
        *(FORWARD, WEBSOCKET | {"sec-websocket-protocol": "v9"}, 400),
        "unable to upgrade: unable to negotiate protocol: client supports [v9], "
        "server supports [SPDY/3.1+portforward.k8s.io v4.channel.k8s.io]",
    ),
    "another version of WebSocket": (FORWARD, WEBSOCKET | {"sec-websocket-version": "1"}, 400, "Sec-WebSocket-Version"),
    "a port out of range": (f"{FORWARD}?ports=80,70000", WEBSOCKET, 400, "a port is a number from 1 to 65535"),
    "too many ports": (f"{FORWARD}?ports={','.join(['80'] * 17)}", WEBSOCKET, 400, "must have at most 16 items"),
}


@pytest.mark.parametrize(("target", "headers", "code", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_requests_are_refused_before_their_connection_leaves_http(
    tmp_path: Path, target: str, headers: dict[str, str], code: int, text: str
) -> None:
    async def ask() -> tuple[str, bytes]:
        async with server.listening(tmp_path / "socket", Pods()), client(tmp_path / "socket", target, headers) as answer:
            head, reader, _ = answer
            return head, await reader.read(1000)

    head, body = asyncio.run(ask())
    assert (head.split()[1], text in body.decode()) == (str(code), True), body


def test_a_session_more_than_the_limit_is_refused_until_one_ends(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def ask() -> list[str]:
        codes = []
        async with server.listening(path, Pods(), Limits(sessions=1)):
            async with client(path, FORWARD, SPDY) as (first, _, _), client(path, FORWARD, SPDY) as (second, _, _):
                codes += [first.split()[1], second.split()[1]]
            while codes[-1] != "101":  # the server hears of the end a moment later
                async with client(path, FORWARD, SPDY) as (third, _, _):
                    codes.append(third.split()[1])
        return codes

    codes = asyncio.run(asyncio.wait_for(ask(), 60))
    assert (codes[:2], codes[-1]) == (["101", "429"], "101")


def test_a_session_without_data_ends(tmp_path: Path) -> None:
    path, frames = tmp_path / "socket", Client()
    opening = b"".join(
        frames.open(number, streamType=kind, port="80", requestID="0") for number, kind in ((1, "error"), (3, "data"))
    )

    async def converse() -> bytes:
        async with (
            server.listening(path, Pods(), Limits(idle_seconds=0.5)),
            client(path, FORWARD, SPDY) as (_, reader, writer),
        ):
            writer.write(opening + data(3, b"hello"))
            return bytes(await asyncio.wait_for(reader.read(), 60))

    assert data(3, b"hello") in asyncio.run(converse())


def test_only_its_owner_reaches_the_socket_whose_path_may_be_long(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 40) / "socket"
    path.parent.mkdir()
    with unix_sockets.listen(path), unix_sockets.connect(path):
        assert path.stat().st_mode & 0o777 == 0o600
