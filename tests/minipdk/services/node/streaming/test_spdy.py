"""SPDY/3.1 frames, as bytes: the server's side against the rules of the specification."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minipdk.services.node.streaming import spdy
from minipdk.services.node.streaming.spdy import SpdySession, SpdyStream
from minipdk.services.node.streaming.streams import ProtocolError


class Wire:
    """A transport on which the client has sent ``chunks``; ``sent`` is what the server has sent."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks, self.sent = list(chunks), b""

    async def read(self) -> bytes:
        return self._chunks.pop(0) if self._chunks else b""

    async def write(self, data: bytes) -> None:
        self.sent += data

    async def close(self) -> None:
        pass


class Client:
    """Writes a client's frames."""

    def __init__(self) -> None:
        self._compress = zlib.compressobj(zdict=spdy._DICTIONARY)

    def headers(self, headers: dict[str, str]) -> bytes:
        words = [word.encode() for pair in headers.items() for word in pair]
        return self.block(struct.pack(">I", len(headers)) + b"".join(struct.pack(">I", len(word)) + word for word in words))

    def block(self, text: bytes) -> bytes:
        return self._compress.compress(text) + self._compress.flush(zlib.Z_SYNC_FLUSH)

    def open(self, number: int, flags: int = 0, **headers: str) -> bytes:
        return control(spdy.SYN_STREAM, struct.pack(">IIH", number, 0, 0) + self.headers(headers), flags)


def control(kind: int, content: bytes, flags: int = 0) -> bytes:
    return struct.pack(">HHB", 0x8003, kind, flags) + len(content).to_bytes(3, "big") + content


def data(number: int, content: bytes, flags: int = 0) -> bytes:
    return struct.pack(">IB", number, flags) + len(content).to_bytes(3, "big") + content


def served(chunks: Sequence[bytes]) -> tuple[Wire, list[SpdyStream]]:
    """Serve a client that sends ``chunks`` and ends."""
    wire, opened = Wire(chunks), list[SpdyStream]()

    async def on_open(stream: SpdyStream) -> None:
        opened.append(stream)

    async def serve() -> None:
        await SpdySession(wire, lambda: None, on_open).run()

    asyncio.run(serve())
    return wire, opened


async def everything(stream: SpdyStream) -> bytes:
    content = b""
    while chunk := await stream.read():
        content += chunk
    return content


pieces = st.lists(st.tuples(st.sampled_from([1, 3, 5]), st.binary(max_size=200)), max_size=12)


@settings(max_examples=30)
@given(pieces=pieces, size=st.integers(1, 64))
def test_streams_are_the_same_however_their_frames_are_cut(pieces: list[tuple[int, bytes]], size: int) -> None:
    client = Client()
    sent = b"".join(client.open(number, streamType="data", port=str(number)) for number in (1, 3, 5))
    sent += b"".join(data(number, content) for number, content in pieces)
    sent += b"".join(data(number, b"", spdy.FINISHED) for number in (1, 3, 5))
    _, streams = served([sent[start : start + size] for start in range(0, len(sent), size)])
    assert [stream.headers for stream in streams] == [{"streamtype": "data", "port": str(n)} for n in (1, 3, 5)]

    async def contents() -> list[bytes]:
        return [await everything(stream) for stream in streams]

    assert asyncio.run(contents()) == [b"".join(part for to, part in pieces if to == n) for n in (1, 3, 5)]


def test_a_stream_is_answered_and_a_ping_comes_back() -> None:
    wire, _ = served([Client().open(1, streamType="error"), control(spdy.PING, b"\0\0\0\7")])
    reply, ping = wire.sent[:-12], wire.sent[-12:]
    assert (reply[:4], reply[8:12], ping) == (b"\x80\x03\x00\x02", b"\0\0\0\1", control(spdy.PING, b"\0\0\0\7"))
    assert zlib.decompressobj(zdict=spdy._DICTIONARY).decompress(reply[12:]) == b"\0\0\0\0"


def test_streams_beyond_the_limit_are_refused() -> None:
    client = Client()
    wire, streams = served([client.open(2 * number + 1, port="1") for number in range(spdy.MOST_STREAMS + 1)])
    refused = control(spdy.RST_STREAM, struct.pack(">II", 2 * spdy.MOST_STREAMS + 1, spdy.REFUSED_STREAM))
    assert (len(streams), wire.sent.endswith(refused)) == (spdy.MOST_STREAMS, True)


BAD = {
    "a frame of 16 MiB": data(1, b"")[:5] + b"\xff\xff\xff",
    "another version": struct.pack(">HHB", 0x8002, 1, 0) + bytes(3),
    "a short SYN_STREAM": control(spdy.SYN_STREAM, b"123"),
    "headers that are not compressed": control(spdy.SYN_STREAM, bytes(10) + b"plain"),
    "a value longer than its block": control(
        spdy.SYN_STREAM, bytes(10) + Client().block(b"\0\0\0\1\0\0\0\4name\0\0\0\x09value")
    ),
    "headers of 1 MiB in 1 KiB": control(spdy.SYN_STREAM, bytes(10) + Client().headers({"a": "b" * (1 << 20)})),
}


@pytest.mark.parametrize("frame", BAD.values(), ids=BAD.keys())
def test_a_client_that_breaks_the_rules_is_disconnected(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        served([frame])
