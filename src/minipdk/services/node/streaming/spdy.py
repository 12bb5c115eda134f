"""SPDY/3.1 as Kubernetes uses it: many streams over one connection, opened by the client.

kubectl speaks it for `exec` and `port-forward`: up to 1.30 on the connection itself, later for `port-forward` inside a
WebSocket. There is no maintained library. https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/

Kubernetes' implementation (moby/spdystream) neither sends nor awaits WINDOW_UPDATE frames; each side stops reading the
connection while a stream's reader is slow. So does this one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Awaitable, Callable, Mapping

from minipdk.services.node.streaming.streams import BLOCK, Inbox, ProtocolError, Stream

VERSION = 3
CONTROL = 0x8000
SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY, HEADERS = 1, 2, 3, 6, 7, 8
FINISHED = 1
REFUSED_STREAM, CANCEL = 3, 5
MOST_STREAMS = 256
LONGEST_FRAME = 1 << 20
LONGEST_HEADERS = 1 << 16
STREAM_ID = 0x7FFFFFFF

_METHODS = ("options", "head", "post", "put", "delete", "trace")
_HEADERS = (
    *("accept", "accept-charset", "accept-encoding", "accept-language", "accept-ranges", "age", "allow", "authorization"),
    *("cache-control", "connection", "content-base", "content-encoding", "content-language", "content-length"),
    *("content-location", "content-md5", "content-range", "content-type", "date", "etag", "expect", "expires", "from"),
    *("host", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified"),
    *("location", "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range", "referer"),
    *("retry-after", "server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via", "warning"),
    *("www-authenticate", "method", "get", "status", "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie"),
    *("keep-alive", "origin"),
)
_DICTIONARY = b"".join(
    [
        *(struct.pack(">I", len(word)) + word.encode() for word in (*_METHODS, *_HEADERS)),
        b"100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505",
        b"203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden",
        b"404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable",
        b"Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT",
        b"chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,",
        b"publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.",
    ]
)
"""The text with which both sides prime the compression of headers (section 2.6.10.1)."""


class SpdyStream:
    """One stream, with the ``headers`` that it was opened with."""

    def __init__(self, session: SpdySession, number: int, headers: Mapping[str, str]) -> None:
        self.number, self.headers, self._session = number, headers, session
        self.inbox = Inbox()
        self.ended = False
        """Whether the client sends no more."""
        self._closed = False

    async def read(self) -> bytes:
        return await self.inbox.get()

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), BLOCK):
            await self._session.send_data(self.number, data[start : start + BLOCK])

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._session.send_data(self.number, b"", FINISHED)
            if self.ended:
                await self._session.forget(self.number)

    async def end(self) -> None:
        """The client sends no more."""
        self.ended = True
        await self.inbox.end()
        if self._closed:
            await self._session.forget(self.number)

    async def forget(self) -> None:
        """Ignore later bytes of the client."""
        await self.inbox.discard()
        await self._session.forget(self.number)

    async def reset(self) -> None:
        """End the stream in both directions."""
        self._closed = True
        await self.forget()
        await self._session.send_control(RST_STREAM, struct.pack(">II", self.number, CANCEL))


class SpdySession:
    """The streams over ``transport``. ``opened`` is called with each stream that the client opens."""

    def __init__(
        self, transport: Stream, active: Callable[[], None], opened: Callable[[SpdyStream], Awaitable[None]]
    ) -> None:
        self._transport, self._active, self._opened = transport, active, opened
        self._streams: dict[int, SpdyStream] = {}
        self._received = bytearray()
        self._inflate, self._deflate = zlib.decompressobj(zdict=_DICTIONARY), zlib.compressobj(zdict=_DICTIONARY)

    async def run(self) -> None:
        """Receive frames until the client ends the connection. Raises ProtocolError."""
        try:
            while data := await self._transport.read():
                self._received += data
                while frame := self._next_frame():
                    if not await self._handle(*frame):
                        return
        finally:
            for number in list(self._streams):
                await self.forget(number)

    async def forget(self, number: int) -> None:
        if stream := self._streams.pop(number, None):
            await stream.inbox.end()

    async def send_data(self, number: int, data: bytes, flags: int = 0) -> None:
        self._active()
        await self._transport.write(struct.pack(">IB", number, flags) + len(data).to_bytes(3, "big") + data)

    async def send_control(self, kind: int, content: bytes) -> None:
        await self._transport.write(
            struct.pack(">HHB", CONTROL | VERSION, kind, 0) + len(content).to_bytes(3, "big") + content
        )

    def _next_frame(self) -> tuple[bytes, bytes] | None:
        """The head and the content of the next frame, once all of it is here."""
        if len(self._received) < 8:
            return None
        head, length = bytes(self._received[:8]), int.from_bytes(self._received[5:8], "big")
        if length > LONGEST_FRAME:
            raise ProtocolError(f"a frame of {length} bytes is longer than {LONGEST_FRAME}")
        if len(self._received) < 8 + length:
            return None
        content = bytes(self._received[8 : 8 + length])
        del self._received[: 8 + length]
        return head, content

    async def _handle(self, head: bytes, content: bytes) -> bool:
        """Act on a frame; False if it ends the connection."""
        version, kind, flags = struct.unpack(">HHB", head[:5])
        if not version & CONTROL:
            await self._take_data(int.from_bytes(head[:4], "big"), content, flags)
            return True
        if version & ~CONTROL != VERSION:
            raise ProtocolError(f"SPDY version {version & ~CONTROL} is not supported")
        if kind == SYN_STREAM:
            await self._open(content, flags)
        elif kind == RST_STREAM and len(content) >= 4:
            await self.forget(_number(content))
        elif kind == PING:
            await self.send_control(PING, content)
        elif kind == HEADERS:
            self._read_headers(content[4:])  # they mean nothing here, but the decompression's state depends on them
        return bool(kind != GOAWAY)

    async def _take_data(self, number: int, data: bytes, flags: int) -> None:
        self._active()
        if stream := self._streams.get(number):
            await stream.inbox.put(data)
            if flags & FINISHED:
                await stream.end()

    async def _open(self, content: bytes, flags: int) -> None:
        self._active()
        if len(content) < 10:
            raise ProtocolError("a SYN_STREAM frame is too short")
        stream = SpdyStream(self, _number(content), self._read_headers(content[10:]))
        if len(self._streams) >= MOST_STREAMS or stream.number in self._streams:
            await self.send_control(RST_STREAM, struct.pack(">II", stream.number, REFUSED_STREAM))
            return
        self._streams[stream.number] = stream
        no_headers = self._deflate.compress(struct.pack(">I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        await self.send_control(SYN_REPLY, struct.pack(">I", stream.number) + no_headers)
        if flags & FINISHED:
            await stream.end()
        await self._opened(stream)

    def _read_headers(self, block: bytes) -> dict[str, str]:
        """The headers of a compressed block: their number, then each name and value with its length."""
        try:
            text = self._inflate.decompress(block, LONGEST_HEADERS)
            if self._inflate.unconsumed_tail:
                raise ProtocolError(f"headers are longer than {LONGEST_HEADERS} bytes")
            (count,) = struct.unpack_from(">I", text)
            words, position = list[str](), 4
            for _ in range(2 * count):
                (length,) = struct.unpack_from(">I", text, position)
                (word,) = struct.unpack_from(f"{length}s", text, position + 4)
                words.append(word.decode("latin-1"))
                position += 4 + length
        except (zlib.error, struct.error) as error:
            raise ProtocolError(f"headers cannot be read: {error}") from error
        return {name.lower(): value for name, value in zip(words[::2], words[1::2], strict=True)}


def _number(content: bytes) -> int:
    return int.from_bytes(content[:4], "big") & STREAM_ID
