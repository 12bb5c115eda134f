"""One run of one of a Pod's containers: its process in a sandbox, its log, its end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from minipdk.common.home import Home
from minipdk.services.node.logs import ContainerLog

if TYPE_CHECKING:
    from minipdk.sandbox import Container, ContainerSpec

KILLED = 128 + signal.SIGKILL
T = TypeVar("T")


class Process:
    """A running container. ``ended`` gets its exit status when it has ended and its log is complete."""

    def __init__(self, container: Container, log: ContainerLog, loop: asyncio.AbstractEventLoop) -> None:
        self._container, self._log = container, log
        self.ended: asyncio.Future[int] = in_thread(self._wait, f"wait {log.path.parent.name}", loop)

    def _wait(self) -> int:
        assert self._container.stdout is not None
        with self._container.stdout as output:
            self._log.copy_from(output)
        return self._container.wait()

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

    def memory(self) -> int:
        """The bytes of memory of its processes, without memory that is backed by files."""
        return sum(map(_private_memory, _descendants(self._container.pid)))


def start(home: Home, spec: ContainerSpec, log: ContainerLog, loop: asyncio.AbstractEventLoop) -> Process:
    """Start the container of ``spec``; a blocking call. Raises SandboxError."""
    from minipdk.sandbox import PIPE, STDOUT
    from minipdk.sandbox import start as start_container

    return Process(start_container(home, spec, stdin=b"", stdout=PIPE, stderr=STDOUT), log, loop)


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
