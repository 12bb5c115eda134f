"""The sessions of `kubectl port-forward`: each connection to the client's port becomes one to a port of the Pod.

Over SPDY, directly or inside a WebSocket, a client opens two streams for each connection: ``error`` and ``data``, which the
header ``requestID`` pairs. Over a WebSocket with channels, two channels for each port of the query carry one connection; the
first bytes on each are the port. https://github.com/kubernetes/kubelet, pkg/cri/streaming/portforward
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Protocol

from minipdk.services.node.streaming.channels import Channels
from minipdk.services.node.streaming.spdy import SpdySession, SpdyStream
from minipdk.services.node.streaming.streams import Connection, Stream, copy, first_of
from minipdk.services.node.streaming.upgrade import SPDY, Client

PROTOCOL = "portforward.k8s.io"
TUNNEL = f"{SPDY}+{PROTOCOL}"
"""The subprotocol of a WebSocket whose messages carry SPDY."""
DATA, ERROR = "data", "error"
PAIR_SECONDS = 30.0
LARGEST_PORT = 65535


class Reachable(Protocol):
    """A Pod, whose ports a session reaches."""

    async def connect(self, port: int) -> Connection:
        """A connection to ``port``. Raises OSError, which says why, if no program accepts it."""
        ...


async def forward(pod: Reachable, port: int, data: Stream, error: Stream) -> None:
    """Join ``data`` to the Pod's ``port`` until the program there ends the connection; a failure goes to ``error``."""
    try:
        connection = await pod.connect(port)
    except OSError as failure:
        await error.write(str(failure).encode())
        return
    inward = asyncio.create_task(copy(data, connection))
    try:
        await copy(connection, data)
    finally:
        inward.cancel()
        await asyncio.gather(inward, return_exceptions=True)
        connection.abandon()


class SpdyForwarding:
    """Forwards over the streams of a SPDY session."""

    def __init__(self, pod: Reachable, transport: Stream, active: Callable[[], None]) -> None:
        self._pod = pod
        self._pairs: dict[str, dict[str, SpdyStream]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session = SpdySession(transport, active, self._opened)

    async def run(self) -> None:
        """Forward until the client ends the connection. Raises ProtocolError."""
        try:
            await self._session.run()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _opened(self, stream: SpdyStream) -> None:
        kind, request = stream.headers.get("streamtype", ""), stream.headers.get("requestid", "")
        port = stream.headers.get("port", "")
        if kind not in (DATA, ERROR) or not port.isdecimal() or not 0 < int(port[:6]) <= LARGEST_PORT:
            await stream.reset()
            return
        pair = self._pairs.setdefault(request, {})
        if kind in pair:
            await stream.reset()
            return
        pair[kind] = stream
        if len(pair) == 1:
            asyncio.get_running_loop().call_later(PAIR_SECONDS, self._give_up, request, pair)
        else:
            del self._pairs[request]
            self._begin(self._forward(int(port), pair[DATA], pair[ERROR]))

    async def _forward(self, port: int, data: SpdyStream, error: SpdyStream) -> None:
        with contextlib.suppress(OSError):  # the client has gone
            await forward(self._pod, port, data, error)
            for stream in (data, error):
                await stream.close()
                await stream.forget()

    def _give_up(self, request: str, pair: dict[str, SpdyStream]) -> None:
        """Reset a stream without its partner."""
        if self._pairs.get(request) is pair:
            del self._pairs[request]
            for stream in pair.values():
                self._begin(stream.reset())

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def forward_channels(pod: Reachable, channels: Channels, ports: Sequence[int]) -> None:
    """Forward one connection to each of ``ports`` until all have ended."""
    for index, port in enumerate(ports):
        for number in (2 * index, 2 * index + 1):
            await channels[number].write(port.to_bytes(2, "little"))
    async with asyncio.TaskGroup() as tasks:
        for index, port in enumerate(ports):
            tasks.create_task(forward(pod, port, channels[2 * index], channels[2 * index + 1]))


async def serve_ports(client: Client, pod: Reachable, ports: Sequence[int]) -> None:
    """Forward the client's connections until it leaves. ``ports`` are the ports of its query. Raises ProtocolError."""
    if client.socket and client.socket.protocol_name != TUNNEL:
        channels = Channels(client.socket, 2 * len(ports))
        await first_of(channels.run(), forward_channels(pod, channels, ports))
        return
    await SpdyForwarding(pod, client.socket or client.connection, client.connection.active).run()
