"""Strangers that keep a port busy without a token, in a separate process: all shapes at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
IDLE, SLOW_HEADS, SLOW_BODIES, LARGE, MANY_FIELDS = 500, 50, 50, 4, 4
PAUSE, SLOW = 2.0, 0.5
"""Seconds before a connection that has ended is opened again, and between two bytes of a slow one."""
POST = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
"""Determined's master takes it without a token, so its body is read."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
PIECE = bytes(1 << 16)

Shape = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


@contextmanager
def strangers(port: int, *, tls: bool = False) -> Iterator[None]:
    """All of them at ``port`` within this context."""
    command = [sys.executable, "-m", __spec__.name, str(port), str(int(tls))]
    process = subprocess.Popen(command, cwd=REPOSITORY)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


async def idle(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def slow_head(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
    await trickle(writer)


async def slow_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(POST + b"Content-Length: 1000000\r\n\r\n")
    await trickle(writer)


async def large_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(POST + b"Content-Length: %d\r\n\r\n" % (1 << 30))
    for _piece in range((1 << 30) // len(PIECE)):
        writer.write(PIECE)
        await writer.drain()


async def many_fields(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X%d: x\r\n" % n for n in range(10_000)) + b"\r\n")
    await reader.read()


async def silent_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(PREFACE)
    await reader.read()


async def trickle(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(SLOW)


async def again_and_again(port: int, context: ssl.SSLContext | None, shape: Shape) -> None:
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            try:
                await shape(reader, writer)
            finally:
                writer.transport.abort()
        await asyncio.sleep(PAUSE)


async def main(port: int, *, tls: bool) -> None:
    context = ssl._create_unverified_context() if tls else None  # a stranger does not care
    counts: dict[Shape, int] = {
        slow_head: SLOW_HEADS,
        slow_body: SLOW_BODIES,
        large_body: LARGE,
        many_fields: MANY_FIELDS,
        silent_http2: SLOW_HEADS,
    }
    tasks = [again_and_again(port, context, shape) for shape, count in counts.items() for _ in range(count)]
    tasks += [again_and_again(port, None, idle) for _ in range(IDLE)]
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), tls=sys.argv[2] == "1"))
