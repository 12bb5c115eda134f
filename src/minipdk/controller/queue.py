"""A controller's queue of objects to reconcile, as client-go's rate limiting work queue."""

from __future__ import annotations

import asyncio

from minipdk.common.backoff import BackOff
from minipdk.controller.objects import Key

FIRST_SECONDS, LONGEST_SECONDS = 0.25, 30.0


class WorkQueue:
    """Keys of objects, each of them once. A key that fails comes back after pauses that grow until it succeeds."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._pauses: dict[Key, BackOff] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}

    def add(self, key: Key) -> None:
        """Schedule the object now, once for any number of calls before it is taken."""
        if key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    async def take(self) -> Key:
        key = await self._ready.get()
        self._waiting.discard(key)
        return key

    def retry(self, key: Key) -> None:
        """Schedule the object again after its next pause."""
        self._cancel(key)
        pause = self._pauses.setdefault(key, BackOff(FIRST_SECONDS, LONGEST_SECONDS)).pause()
        self._timers[key] = asyncio.get_running_loop().call_later(pause, self._again, key)

    def succeeded(self, key: Key) -> None:
        """Forget the object's failures: its next pause is the shortest again."""
        self._cancel(key)
        self._pauses.pop(key, None)

    def _again(self, key: Key) -> None:
        del self._timers[key]
        self.add(key)

    def _cancel(self, key: Key) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()
