"""Containers start in an orderly way: as many at the same time as the machine has CPUs, the others wait for their turn.

Twenty model servers that import their frameworks at once would take all longer than one after the other.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

LONGEST_TURN = 60.0
"""How many seconds a container that does not become ready keeps others from starting."""


class Turns:
    """Hands out turns to start, first come, first served."""

    def __init__(self, places: int | None = None) -> None:
        self._places = places or os.cpu_count() or 1
        self._free = asyncio.Semaphore(self._places)

    def turn(self) -> Turn:
        return Turn(self._free, f"waits for its turn: {self._places} other containers are starting")


class Turn:
    """One container's turn: `take` it before the start, `give_back` when the container is up; it ends by itself as well."""

    def __init__(self, free: asyncio.Semaphore, why: str) -> None:
        self._free, self._why, self._mine = free, why, False

    async def take(self, waiting: Callable[[str], None]) -> None:
        """Wait for the turn; ``waiting`` is told why, if it has to be waited for."""
        if self._mine:
            return
        if self._free.locked():
            waiting(self._why)
        await self._free.acquire()
        self._mine = True
        asyncio.get_running_loop().call_later(LONGEST_TURN, self.give_back)

    def give_back(self) -> None:
        if self._mine:
            self._mine = False
            self._free.release()

    def __enter__(self) -> Turn:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()
