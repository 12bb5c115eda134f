"""A program that `remote_command` joins to a client: one more command in a container, or the container's main process."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import IO, TYPE_CHECKING, TypeVar

from minipdk.services.node.process import in_thread
from minipdk.services.node.streaming.streams import BLOCK, Connection, Source

if TYPE_CHECKING:
    from minipdk.services.node.process import Process

END_OF_INPUT = b"\x04"
LARGEST_SIZE = 0xFFFF


class Output:
    """The output of a program, from a pipe or from the master of its terminal."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.BaseTransport) -> None:
        self._reader, self._transport = reader, transport

    @classmethod
    async def open(cls, file: IO[bytes]) -> Output:
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
        return cls(reader, transport)

    async def read(self) -> bytes:
        try:
            return await self._reader.read(BLOCK)
        except OSError:  # no program has the terminal open any more
            return b""

    def abandon(self) -> None:
        self._transport.close()


class Input:
    """The input of a program, into a pipe or into the master of its terminal."""

    def __init__(self, writer: asyncio.StreamWriter, end: bytes, closed: Callable[[], None]) -> None:
        self._writer, self._end, self._closed = writer, end, closed

    @classmethod
    async def open(cls, file: IO[bytes], end: bytes = b"", closed: Callable[[], None] = lambda: None) -> Input:
        """``end`` are the bytes that end a terminal's input; without any, ``file`` is closed, and ``closed`` is called."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()  # never fed: StreamWriter needs its protocol
        transport, protocol = await loop.connect_write_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
        return cls(asyncio.StreamWriter(transport, protocol, reader, loop), end, closed)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        if self._end:
            await self.write(self._end)
        else:
            self._writer.close()
            self._closed()

    def abandon(self) -> None:
        self._writer.close()


class Running:
    """A running program. It has a ``terminal``, which is its master, or pipes; a stream that is None is not joined."""

    def __init__(self, ended: asyncio.Future[int], terminal: int | None) -> None:
        self._ended, self._terminal = ended, terminal
        self.stdin: Input | None = None
        self.stdout: Source | None = None
        self.stderr: Source | None = None

    def resize(self, width: int, height: int) -> None:
        """Tell the program the size of its terminal, in characters."""
        if self._terminal is not None and 0 < width <= LARGEST_SIZE and 0 < height <= LARGEST_SIZE:
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    async def wait(self) -> int:
        """The exit status, once the program has ended."""
        return await asyncio.shield(self._ended)


@asynccontextmanager
async def command(process: Process, argv: Sequence[str], *, stdin: bool, terminal: bool) -> AsyncIterator[Running]:
    """Run one more command in the container of ``process`` within this context; leaving it ends the command.

    Raises SandboxError if it cannot be started.
    """
    started = await process.execute(argv, stdin=stdin, terminal=terminal)
    async with AsyncExitStack() as stack:
        stack.callback(started.kill)
        running = Running(in_thread(started.wait, f"wait {started.pid}", asyncio.get_running_loop()), started.terminal)
        if started.terminal is not None:
            stack.callback(os.close, started.terminal)
            running.stdin = _closing(stack, await Input.open(_duplicate(started.terminal, "wb"), END_OF_INPUT))
            running.stdout = _closing(stack, await Output.open(_duplicate(started.terminal, "rb")))
        if started.stdin:
            running.stdin = _closing(stack, await Input.open(started.stdin))
        if started.stdout and started.stderr:
            running.stdout = _closing(stack, await Output.open(started.stdout))
            running.stderr = _closing(stack, await Output.open(started.stderr))
        yield running


@asynccontextmanager
async def main_process(process: Process, *, stdin: bool, once: bool) -> AsyncIterator[Running]:
    """The container's main process, joined within this context; it does not end with it.

    ``once``: its input ends with the client's. Otherwise it stays open for another client.
    """
    async with AsyncExitStack() as stack:
        terminal = None if process.terminal is None else os.dup(process.terminal)
        if terminal is not None:
            stack.callback(os.close, terminal)
        running = Running(process.ended, terminal)
        reader, writer = await asyncio.open_connection(sock=stack.enter_context(process.output()))
        stack.callback(writer.close)
        running.stdout = Connection(reader, writer)
        if stdin and process.stdin is not None:
            end = END_OF_INPUT if once and terminal is not None else b""
            closed = process.close_stdin if once else lambda: None
            stack.callback(closed)
            running.stdin = _closing(stack, await Input.open(_duplicate(process.stdin, "wb"), end, closed))
        yield running


def _duplicate(descriptor: int, mode: str) -> IO[bytes]:
    """A separate file over ``descriptor``."""
    file: IO[bytes] = os.fdopen(os.dup(descriptor), mode, buffering=0)
    return file


Closable = TypeVar("Closable", Input, Output)


def _closing(stack: AsyncExitStack, stream: Closable) -> Closable:
    """``stream``, which ``stack`` closes."""
    stack.callback(stream.abandon)
    return stream
