"""Wakes requests that wait for a change (log streams, long polls), from any thread, once the change is committed."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from minipdk.storage import Database
from minipdk.storage.database import Step


class Changes:
    """Wake-ups by topic. A waiter checks its condition again after each; wake-ups may be spurious, never lost."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._thread = threading.local()
        self.closing = False

    def bind(self) -> None:
        """Use the running event loop for waiters from now on."""
        self._loop = asyncio.get_running_loop()

    def notify(self, topic: str) -> None:
        """Wake the waiters of ``topic``; inside `held`, do so when it is left."""
        pending: set[str] | None = getattr(self._thread, "pending", None)
        if pending is not None:
            pending.add(topic)
        elif self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, topic)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep this thread's notifications back until the outermost ``held`` is left."""
        if getattr(self._thread, "pending", None) is not None:
            yield
            return
        self._thread.pending = pending = set[str]()
        try:
            yield
        finally:
            self._thread.pending = None
            for topic in pending:
                self.notify(topic)

    def close(self) -> None:
        """Wake every waiter for the last time: the master stops."""
        self.closing = True
        for topic in list(self._waiting):
            self.notify(topic)

    @contextmanager
    def subscribe(self, topic: str) -> Iterator[Subscription]:
        """Begin to listen, before the first look at the condition, so that no change falls between the two."""
        event = asyncio.Event()
        self._waiting[topic].add(event)
        try:
            yield Subscription(event)
        finally:
            self._waiting[topic].discard(event)
            if not self._waiting[topic]:
                del self._waiting[topic]

    def _wake(self, topic: str) -> None:
        for event in self._waiting.get(topic, ()):
            event.set()


class Subscription:
    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    async def wait(self, seconds: float) -> None:
        """Return when the topic changed since the last wait, or after ``seconds``."""
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return
        self._event.clear()


class WatchedDatabase(Database):
    """A database whose transactions hold notifications back until they are committed."""

    def __init__(self, path: Path, steps: Sequence[Step], changes: Changes) -> None:
        self._changes = changes
        super().__init__(path, steps)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with self._changes.held(), super().transaction() as rows:
            yield rows


def trial_topic(trial_id: int) -> str:
    """Logs and states of a trial."""
    return f"trial/{trial_id}"


def allocation_topic(allocation_id: str) -> str:
    """Preemption of an allocation."""
    return f"allocation/{allocation_id}"
