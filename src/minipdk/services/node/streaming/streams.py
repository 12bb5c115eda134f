"""Streams of bytes, and the bounded buffer in which bytes wait for a stream's reader."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

CAPACITY = 1 << 18
BLOCK = 1 << 15


class ProtocolError(Exception):
    """The client has broken the rules of its protocol; the connection ends."""


class Source(Protocol):
    """Bytes to read."""

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        ...


class Sink(Protocol):
    """A place to write bytes to. A write returns when there is room for more."""

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None:
        """Write no more."""
        ...


class Stream(Source, Sink, Protocol):
    """Bytes in both directions."""


class Inbox:
    """The bytes that wait for a stream's reader. A writer waits while there are more than CAPACITY of them."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = self._discarding = False
        self._changed = asyncio.Condition()

    async def put(self, data: bytes) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._size < CAPACITY or self._discarding)
            if data and not self._ended and not self._discarding:
                self._chunks.append(data)
                self._size += len(data)
                self._changed.notify_all()

    async def end(self) -> None:
        """No more bytes come; readers get the remaining ones."""
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def discard(self) -> None:
        """Drop the bytes that wait and later ones, since no reader is left."""
        async with self._changed:
            self._discarding = True
            self._chunks.clear()
            self._changed.notify_all()

    async def get(self) -> bytes:
        """The next bytes; empty at the end."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._chunks) or self._ended or self._discarding)
            if not self._chunks:
                return b""
            chunk = self._chunks.popleft()
            self._size -= len(chunk)
            self._changed.notify_all()
            return chunk


async def copy(source: Source, sink: Sink) -> None:
    """Pass bytes on until ``source`` ends; then ``sink`` ends too."""
    while data := await source.read():
        await sink.write(data)
    await sink.close()
