"""The byte stream of a connection that has left HTTP (`upgrades`), and works in both of its directions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine

BLOCK = 1 << 15
LINGER_SECONDS = 5.0


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
