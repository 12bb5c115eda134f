"""One run of one of a Pod's containers: its process in a sandbox, its log, its end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from minipdk.common.home import Home
from minipdk.services.node.logs import ContainerLog
from minipdk.services.node.streaming.broadcast import Broadcast

if TYPE_CHECKING:
    from minipdk.sandbox import Command, Container, ContainerSpec

KILLED = 128 + signal.SIGKILL
T = TypeVar("T")


class Process:
    """A running container. ``ended`` gets its exit status when it has ended and its log is complete.

    ``stdin`` is a descriptor of its input, if it has one, and ``terminal`` the master of its terminal.
    """

    def __init__(self, container: Container, log: ContainerLog, loop: asyncio.AbstractEventLoop) -> None:
        self._container, self._log, self._loop = container, log, loop
        self.terminal = container.terminal
        self._stdin = container.stdin
        self._commands: list[Command] = []
        self._output = Broadcast()
        self.ended: asyncio.Future[int] = in_thread(self._wait, f"wait {log.path.parent.name}", loop)

    def _wait(self) -> int:
        output = self._container.stdout if self.terminal is None else os.fdopen(self.terminal, "rb", buffering=0)
        assert output is not None
        with output:
            self._log.copy_from(output, self._output.send)
        self._output.end()
        self.close_stdin()
        return self._container.wait()

    @property
    def stdin(self) -> int | None:
        """A descriptor of its input, if it has one that is open."""
        if self.terminal is not None:
            return self.terminal
        return None if self._stdin is None or self._stdin.closed else self._stdin.fileno()

    def close_stdin(self) -> None:
        """End its input."""
        if self._stdin:
            self._stdin.close()

    def output(self) -> contextlib.AbstractContextManager[socket.socket]:
        """A socket from which to read all output from now on; it ends with the container."""
        return self._output.subscription()

    async def stop(self, grace: float) -> None:
        """SIGTERM, then SIGKILL after ``grace`` seconds."""
        if self.ended.done():
            return
        self._container.terminate()
        await asyncio.wait([self.ended], timeout=grace)
        self.kill()
        await asyncio.wait([self.ended])

    def kill(self) -> None:
        """SIGKILL to everything inside."""
        if not self.ended.done():
            self._container.kill()

    async def run(self, argv: Sequence[str], timeout: float) -> tuple[int, bytes]:
        """Run one more command inside; its exit status and output. Raises TimeoutError and SandboxError."""
        return await asyncio.to_thread(self._container.run, argv, timeout)

    async def execute(self, argv: Sequence[str], *, stdin: bool, terminal: bool) -> Command:
        """Start one more command inside, with pipes or a terminal. Raises SandboxError."""
        from minipdk.sandbox import PIPE

        streams = {} if terminal else {"stdin": PIPE if stdin else None, "stdout": PIPE, "stderr": PIPE}
        start = functools.partial(self._container.execute, argv, terminal=terminal, **streams)
        starting = in_thread(start, f"execute {argv[0]}", self._loop)
        try:
            command = await asyncio.shield(starting)
        except asyncio.CancelledError:
            (await starting).kill()
            raise
        self._commands = [*(earlier for earlier in self._commands if earlier.is_running()), command]
        return command

    def memory(self) -> int:
        """The bytes of memory of its processes, without memory that is backed by files."""
        pids = [self._container.pid, *(command.pid for command in self._commands if command.is_running())]
        return sum(_private_memory(pid) for parent in pids for pid in _descendants(parent))


def start(
    home: Home, spec: ContainerSpec, log: ContainerLog, loop: asyncio.AbstractEventLoop, *, stdin: bool, terminal: bool
) -> Process:
    """Start the container of ``spec``, with an open input or a terminal; a blocking call. Raises SandboxError."""
    from minipdk.sandbox import PIPE, STDOUT
    from minipdk.sandbox import start as start_container

    if terminal:
        return Process(start_container(home, spec, terminal=True), log, loop)
    return Process(start_container(home, spec, stdin=PIPE if stdin else b"", stdout=PIPE, stderr=STDOUT), log, loop)


def in_thread(function: Callable[[], T], name: str, loop: asyncio.AbstractEventLoop) -> asyncio.Future[T]:
    """The outcome of ``function`` in a daemon thread, which the end of this process does not wait for."""
    future: asyncio.Future[T] = loop.create_future()

    def settle(set_outcome: Callable[[], None]) -> None:
        if not future.cancelled():
            set_outcome()

    def run() -> None:
        try:
            set_outcome = functools.partial(future.set_result, function())
        except Exception as error:
            set_outcome = functools.partial(future.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the service has ended meanwhile, and its loop with it
            loop.call_soon_threadsafe(settle, set_outcome)

    threading.Thread(target=run, daemon=True, name=name).start()
    return future


def _descendants(pid: int) -> list[int]:
    pids: list[int] = []
    with contextlib.suppress(OSError):  # it has ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                pids += [int(child), *_descendants(int(child))]
    return pids


def _private_memory(pid: int) -> int:
    kibibytes = 0
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(("RssAnon:", "RssShmem:")):
                kibibytes += int(line.split()[1])
    return kibibytes << 10
