"""Streams of bytes, and the bounded buffer in which bytes wait for a stream's reader."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Protocol

CAPACITY = 1 << 18
BLOCK = 1 << 15
LINGER_SECONDS = 5.0


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


class Connection:
    """The byte stream of a connection. ``active`` is called whenever it carries a stream's data."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, active: Callable[[], None] = lambda: None
    ) -> None:
        self._reader, self._writer, self.active = reader, writer, active

    async def read(self) -> bytes:
        try:
            return await self._reader.read(BLOCK)
        except OSError:  # the other side has ended the connection with a reset
            return b""

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        if self._writer.can_write_eof() and not self._writer.is_closing():
            self._writer.write_eof()

    async def finish(self) -> None:
        """End both directions, once the other side has done the same, or after `LINGER_SECONDS`.

        A connection that is closed with unread bytes is reset, and the other side could lose the last ones sent to it.
        """
        try:
            with contextlib.suppress(OSError, TimeoutError):
                await self.close()
                async with asyncio.timeout(LINGER_SECONDS):
                    while await self.read():
                        pass
        finally:
            self.abandon()

    def abandon(self) -> None:
        """End both directions immediately."""
        self._writer.close()


async def copy(source: Source, sink: Sink) -> None:
    """Pass bytes on until ``source`` ends; then ``sink`` ends too."""
    while data := await source.read():
        await sink.write(data)
    await sink.close()


async def first_of(*works: Coroutine[None, None, None]) -> None:
    """Run until one of ``works`` has ended, and raise its error; the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
