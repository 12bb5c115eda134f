"""A client's connection: uvicorn's HTTP/1.1 protocol, with a deadline and limits for the head of each request.

uvicorn waits without end for the rest of a head, and keeps it all. The limits also bound a body's framing (extensions of
chunks, and trailers), which no application sees. Errors at this level are answered in plain text, as Go's net/http, on which
the vendors' servers are built, answers them.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from minipdk.common.web.policy import Limits
from minipdk.common.web.upgrades import Streams, UpgradableProtocol

MOST_PIPELINED = 64


class Owner(Protocol):
    """The listener that accepted a connection, and that the connection reports its state to."""

    def opened(self, connection: Connection) -> None: ...
    def trusted(self, connection: Connection) -> None: ...
    def idle(self, connection: Connection) -> None: ...
    def closed(self, connection: Connection) -> None: ...


class Connection(UpgradableProtocol):
    """One connection. ``known``: a request on it came from a known caller. ``busy``: a request on it is being answered."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], listener: Owner, limits: Limits
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._listener, self._limits = listener, limits
        self.known = False
        self._refusal: tuple[int, str] = (400, "malformed request")
        self._unparsed = 0  # bytes since the parser made anything of them
        self._head_size = 0
        self._in_head = False
        self._body_open = False
        self._unread = 0
        self._lingering = False
        self._broken = False
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    # The transport's side

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._listener.opened(self)
        self._set_deadline(self._limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        self._unset_keepalive_if_required()
        self._listener.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._lingering or self._broken:
            self._discard(len(data))
            return
        self._unset_keepalive_if_required()
        self._unparsed += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._upgrade()
            return
        except httptools.HttpParserError:
            self._reject()
            return
        if self._unparsed > self._limits.head:
            self._refusal = (431, "the request's header fields, or the framing of its body, are too large")
            self._reject()
        elif self._deadline is None and (self._in_head or not (self.busy or self._body_open)):
            self._set_deadline(self._limits.head_seconds)

    def eof_received(self) -> None:
        if self._lingering:
            self.transport.abort()

    # The parser's side

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_size = True, 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._unparsed = False, 0
        self._body_open, self._unread = True, 0
        if not self.url.startswith(b"/"):
            self._take_absolute_url()
        if len(self.pipeline) >= MOST_PIPELINED:
            self._refuse(429, "too many requests wait on this connection")
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.transport = cast("asyncio.Transport", _Reply(self))
            self._clear_deadline()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        if self.cycle.response_complete:
            self._unread += len(body)
            if self._unread > self._limits.unread:
                self._refuse(413, "the request's body goes on after it was answered")
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._body_open, self._unparsed = False, 0
        super().on_message_complete()
        if not self.busy:
            self._clear_deadline()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._listener.idle(self)
        if self._body_open:
            self._set_deadline(self._limits.unread_seconds)

    # The application's side

    def hijack(self) -> Streams:
        self._clear_deadline()
        self._listener.closed(self)
        return super().hijack()

    # The guard's side

    def trust(self) -> None:
        """Note that the connection has a known caller."""
        self.known = True
        self._listener.trusted(self)

    # Refusals

    def _count(self, size: int) -> None:
        """Bound the head, and the trailers, of which uvicorn keeps every field."""
        self._head_size += size
        if self._head_size > self._limits.head or len(self.headers) >= self._limits.fields:
            limits = f"{self._limits.fields} fields and {self._limits.head} bytes"
            self._refuse(431, f"the request's header fields are more than {limits}")

    def _take_absolute_url(self) -> None:
        """For a target like http://host/path the URL names the host, not the Host header (RFC 9112, section 3.2.2)."""
        url = httptools.parse_url(self.url)
        if not url.host or url.path is None:
            self._refuse(400, "malformed request target")
        self.headers[:] = [(name, value) for name, value in self.headers if name != b"host"]
        host = url.host if url.port is None else url.host + b":%d" % url.port
        self.headers.append((b"host", host))

    def _refuse(self, status: int, reason: str) -> None:
        """Stop parsing: the parser wraps the exception in its error."""
        self._refusal = (status, reason)
        raise ValueError(reason)

    def _reject(self) -> None:
        """Answer a request that cannot be read, and end the connection."""
        if self.transport.is_closing():
            return
        if self.busy and not self._body_open:
            self._broken, self.cycle.keep_alive = True, False  # the request before is still answered
            return
        if not (self.busy and self.cycle.response_started):
            status, reason = self._refusal
            body = reason.encode()
            fields = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + fields % len(body) + body)
        if self.busy:
            self.cycle.disconnected = True  # the application's answer has no reader any more
            self.cycle.message_event.set()
        self._linger()

    def _upgrade(self) -> None:
        if not self._should_upgrade():
            return  # the request is answered as if it had not asked
        self._clear_deadline()
        self._listener.closed(self)
        self.handle_websocket_upgrade()

    def finish(self) -> None:
        """End the connection after a response: let a client whose body was not read receive the response first.

        A connection that is closed with unread bytes is reset, and most clients then lose the response. So its end is sent
        first; then some of the body is read; then a client that still sends gets EPIPE, which clients take as the sign to
        read the response.
        """
        if (self._body_open or self._broken) and not self.transport.is_closing():
            self._linger()
        else:
            self.transport.close()

    def _linger(self) -> None:
        if self._lingering:
            return
        self._lingering = True
        self._unset_keepalive_if_required()
        self._set_deadline(self._limits.unread_seconds)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _discard(self, size: int) -> None:
        self._unread += size
        if self._unread > self._limits.unread:
            self._end()

    def _set_deadline(self, seconds: float) -> None:
        self._clear_deadline()
        self._deadline = self.loop.call_later(seconds, self._end)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self._clear_deadline()
        if self.transport.can_write_eof():
            self.transport.abort()
        else:
            self.transport.close()  # TLS: written data is still sent

    def evict(self) -> None:
        """Give way to another client."""
        self.transport.abort()


class _Reply:
    """The transport as the cycle of a request and its response sees it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.is_closing = connection.transport.is_closing

    def write(self, data: bytes) -> None:
        if not self.is_closing():  # it may have had to end before its client knew
            self._connection.transport.write(data)

    def close(self) -> None:
        self._connection.finish()
