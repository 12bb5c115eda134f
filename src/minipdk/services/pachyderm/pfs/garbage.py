"""Collect the contents that no file refers to any more, while clients go on reading and writing.

First the digests of all live contents are read from one state of the database. Then every stored content that is neither
among them nor pinned is deleted (see `pins`). A content that a file refers to only after that state was read is pinned at
some moment between: writers pin the contents they store until the transaction that refers to them has begun, and the watch
on pins starts between two transactions. A kill at any moment leaves garbage at worst.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice

from minipdk.services.pachyderm.pfs import store
from minipdk.services.pachyderm.pfs.files.filesets import FileSets
from minipdk.services.pachyderm.pfs.pins import UnlessPinned
from minipdk.services.pachyderm.pfs.transactions import State

logger = logging.getLogger(__name__)

_PAGE = 2000
_SHORTEST_PAUSE = 1.0
_SHARE = 20  # collecting may take one part in so many of the time
_EVERY = 600.0  # seconds after which it runs although nothing was deleted, because writes may have been cut off


@dataclass(frozen=True)
class Collected:
    """The number of deleted contents, on disk (``blobs``) and in the database (``small``), and of ``pinned`` ones."""

    blobs: int
    small: int
    pinned: int


class Garbage:
    """Collects garbage, in a separate thread once `start` was called."""

    def __init__(self, state: State, filesets: FileSets) -> None:
        self._state = state
        self._filesets = filesets
        self._one_at_a_time = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="garbage", daemon=True)
        self._seen: tuple[int, int] | None = None
        self._next = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._state.transactions.wake()
        self._thread.join()

    def collect(self) -> Collected:
        """Delete all garbage there is now, expired file sets included."""
        self._filesets.drop_expired()
        with self._one_at_a_time, ExitStack() as stack:
            with self._state.database.transaction():
                unless_pinned = stack.enter_context(self._state.content.pins.watch())
            with self._state.database.snapshot() as connection:
                live = store.contents.live_digests(connection)
            blobs, pinned_blobs = self._sweep_blobs(live, unless_pinned)
            small, pinned_small = self._sweep_small(live, unless_pinned)
            return Collected(blobs, small, pinned_blobs + pinned_small)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is deleted meanwhile."""
        with self._one_at_a_time:
            yield

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._state.transactions.wait(self._is_due, self._stop):
                start = time.monotonic()
                collected = self.collect()
                if collected.blobs or collected.small:
                    logger.info("garbage: %d blobs and %d small contents deleted", collected.blobs, collected.small)
                self._next = 0.0 if collected.pinned else time.monotonic() + _EVERY
                self._stop.wait(max(_SHORTEST_PAUSE, _SHARE * (time.monotonic() - start)))

    def _is_due(self) -> bool:
        """Whether layers were dropped or writes failed since the last check, a file set expired, or it is time."""
        dropped = store.contents.dropped_layers(self._state.connection)
        seen, self._seen = self._seen, (dropped, self._state.content.pins.failed_writes)
        return seen != self._seen or time.monotonic() >= self._next or self._filesets.some_expired()

    def _sweep_blobs(self, live: set[bytes], unless_pinned: UnlessPinned) -> tuple[int, int]:
        """How many blobs were deleted, and how many were pinned."""
        blobs = self._state.content.blobs
        dead = [digest for digest in map(bytes.fromhex, blobs.digests()) if digest not in live]
        deleted = sum(unless_pinned([digest], lambda free: blobs.delete(free.hex())) for digest in dead)
        return deleted, len(dead) - deleted

    def _sweep_small(self, live: set[bytes], unless_pinned: UnlessPinned) -> tuple[int, int]:
        """The same for small contents."""
        deleted = pinned = 0
        dead = (digest for digest in store.contents.digests(self._state.connection) if digest not in live)
        while page := list(islice(dead, _PAGE)):
            with self._state.database.transaction() as connection:
                free = unless_pinned(page, partial(store.contents.delete, connection))
                deleted, pinned = deleted + free, pinned + len(page) - free
                store.contents.release_space(connection)
        return deleted, pinned
