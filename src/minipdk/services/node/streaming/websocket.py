"""A WebSocket over a connection that has just left HTTP; the websockets library has the protocol."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from http import HTTPStatus

from websockets.exceptions import InvalidState
from websockets.frames import DATA_OPCODES, Frame
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from minipdk.services.node.streaming.streams import Connection

LONGEST_MESSAGE = 1 << 20
PROTOCOL_HEADER = "sec-websocket-protocol"
QUIET = logging.getLogger(f"{__name__}.library")
QUIET.setLevel(logging.WARNING)


class Handshake:
    """The client's request for a WebSocket, and the answer to it, with the first of ``protocols`` that the client speaks."""

    def __init__(self, headers: Iterable[tuple[str, str]], protocols: Sequence[str]) -> None:
        listed = list(headers)
        offered = [name.strip() for header, line in listed if header == PROTOCOL_HEADER for name in line.split(",")]
        self.chosen = next((name for name in protocols if name in offered), "")
        self._offered, self._protocols = offered, protocols
        self._protocol = ServerProtocol(max_size=LONGEST_MESSAGE, logger=QUIET)
        # The library does not accept Kubernetes' names of subprotocols, which have slashes in them.
        head = "".join(f"{name}: {value}\r\n" for name, value in listed if name != PROTOCOL_HEADER)
        self._protocol.receive_data(f"GET / HTTP/1.1\r\n{head}\r\n".encode("latin-1"))
        [request] = self._protocol.events_received()
        assert isinstance(request, Request)
        self._response = self._protocol.accept(request)
        self._response.headers[PROTOCOL_HEADER] = self.chosen

    @property
    def refusal(self) -> str:
        """The reason for which the request is refused; empty if it is accepted."""
        if self._response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            return self._response.body.decode(errors="replace").strip()
        supported = f"client supports [{' '.join(self._offered)}], server supports [{' '.join(self._protocols)}]"
        return "" if self.chosen else f"unable to upgrade: unable to negotiate protocol: {supported}"

    async def complete(self, connection: Connection) -> WebSocket:
        """Answer on the connection."""
        self._protocol.send_response(self._response)
        socket = WebSocket(self._protocol, connection, self.chosen)
        await socket.flush()
        return socket


class WebSocket:
    """Binary messages in both directions. As a `Stream`, its bytes are those of the messages."""

    def __init__(self, protocol: ServerProtocol, connection: Connection, protocol_name: str) -> None:
        self._protocol, self._connection, self.protocol_name = protocol, connection, protocol_name
        self._frames: list[Frame] = []
        self._parts: list[bytes] = []

    async def receive(self) -> bytes | None:
        """The next message, which may be empty; None when the client has ended the connection."""
        while True:
            while self._frames:
                if (message := self._joined(self._frames.pop(0))) is not None:
                    return message
            data = await self._connection.read()
            if not data or self._protocol.state is not OPEN:
                return None
            self._protocol.receive_data(data)
            self._frames = [event for event in self._protocol.events_received() if isinstance(event, Frame)]
            await self.flush()  # the answers to pings and to the end

    async def read(self) -> bytes:
        while (message := await self.receive()) == b"":
            pass
        return message or b""

    async def write(self, data: bytes) -> None:
        """Send a message; nothing once the connection has ended."""
        try:
            self._protocol.send_binary(data)
        except InvalidState:
            return
        await self.flush()

    async def close(self) -> None:
        if self._protocol.state is OPEN:
            self._protocol.send_close(1000)
            await self.flush()

    async def flush(self) -> None:
        if data := b"".join(self._protocol.data_to_send()):
            await self._connection.write(data)

    def _joined(self, frame: Frame) -> bytes | None:
        """The message that ends with ``frame``; None for control frames, and for parts of a message that goes on."""
        if frame.opcode not in DATA_OPCODES:
            return None
        self._connection.active()
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return None
        message, self._parts = b"".join(self._parts), []
        return message
