"""A limit on how many containers start at the same time: the number of CPUs. Further containers wait for their turn.

Twenty model servers that import their frameworks at the same time would each take longer than twenty in sequence.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

LONGEST_START = 60.0
"""Seconds after which a container that does not become ready no longer keeps others from starting."""


class StartLimit:
    """Hands out ``slots`` to starting containers, first come, first served."""

    def __init__(self, slots: int | None = None) -> None:
        self._slots = slots or os.cpu_count() or 1
        self._free = asyncio.Semaphore(self._slots)

    def slot(self) -> StartSlot:
        return StartSlot(self._free, f"waits for its turn: {self._slots} other containers are starting")


class StartSlot:
    """A slot for one container: `acquire` it before the start, `release` it when the container is ready.

    It is released after LONGEST_START seconds in any case.
    """

    def __init__(self, free: asyncio.Semaphore, message: str) -> None:
        self._free, self._message, self._acquired = free, message, False

    async def acquire(self, waiting: Callable[[str], None]) -> None:
        """Wait for a free slot; ``waiting`` is called with a message if none is free now."""
        if self._acquired:
            return
        if self._free.locked():
            waiting(self._message)
        await self._free.acquire()
        self._acquired = True
        asyncio.get_running_loop().call_later(LONGEST_START, self.release)

    def release(self) -> None:
        if self._acquired:
            self._acquired = False
            self._free.release()

    def __enter__(self) -> StartSlot:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
