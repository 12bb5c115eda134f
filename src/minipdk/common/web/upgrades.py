"""Leave HTTP for another protocol on the same connection (the Upgrade header, RFC 9110 section 7.8).

ASGI has no message for this. An application can take over the connection of its request, as with Go's http.Hijacker, and
then itself answers "101 Switching Protocols". Until then the request is like any other: routed, guarded, authenticated and
refused in the same way.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
CONNECTION = "minipdk.connection"
"""The extension of a request's scope with the protocol of the connection on which it came."""
BUFFER = 1 << 16


class UpgradableProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, of which an application can take over the connection with `hijack`."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: self}  # type: ignore[dict-item]  # a server may have its own

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: the application decides about each upgrade."""

    def hijack(self) -> Streams:
        """Streams of this connection, which is no longer the server's."""
        self.cycle.disconnected = True  # nothing that the application returns is sent
        self.connections.discard(self)
        self._unset_keepalive_if_required()
        reader = asyncio.StreamReader(BUFFER, self.loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=self.loop)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        self.flow.resume_reading()
        return reader, asyncio.StreamWriter(self.transport, protocol, reader, self.loop)


class Hijacked(Response):
    """The response of a handler that has taken over its connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pass


def hijack(scope: Scope) -> Streams:
    """Take over the connection of the request with this ``scope``."""
    streams: Streams = scope["extensions"][CONNECTION].hijack()
    return streams


def switching(headers: dict[str, str]) -> bytes:
    """The head of the answer with which a connection leaves HTTP."""
    lines = [f"HTTP/1.1 101 {HTTPStatus(101).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
