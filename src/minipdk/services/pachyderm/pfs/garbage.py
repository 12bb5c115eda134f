"""Taking away the contents that no file names any more, while others go on reading and writing.

First the names of all live contents are read from one state of the database; then whatever is stored, not among them and
not held by someone (`holds`) is deleted. A content that is named after that state was read is held at some moment between:
writers hold what they store until the transaction that names it has begun, and the watch on holds starts between two
transactions. A kill at any moment leaves garbage at worst.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice

from minipdk.services.pachyderm.pfs import content
from minipdk.services.pachyderm.pfs.files.filesets import FileSets
from minipdk.services.pachyderm.pfs.pins import UnlessHeld
from minipdk.services.pachyderm.pfs.transactions import State

logger = logging.getLogger(__name__)

_PAGE = 2000
_SHORTEST_PAUSE = 1.0
_SHARE = 20  # of the time, one part in so many may go into collecting
_EVERY = 600.0  # seconds after which it is done although nothing was deleted: writes may have been cut off


@dataclass(frozen=True)
class Collected:
    """How many contents were deleted: blobs on disk, and small ones from the database; ``held``: how many could not be."""

    blobs: int
    small: int
    held: int


class Garbage:
    """Collects garbage, in a thread of its own once `start` was called."""

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
                unless_held = stack.enter_context(self._state.content.holds.watch())
            live = self._live()
            blobs, held_blobs = self._sweep_blobs(live, unless_held)
            small, held_small = self._sweep_small(live, unless_held)
            return Collected(blobs, small, held_blobs + held_small)

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
                self._next = 0.0 if collected.held else time.monotonic() + _EVERY
                self._stop.wait(max(_SHORTEST_PAUSE, _SHARE * (time.monotonic() - start)))

    def _is_due(self) -> bool:
        """Whether layers were dropped or writes cut off since the last time, a file set expired, or that was long ago."""
        dropped = self._state.connection.execute("SELECT dropped FROM dropped_layers").fetchone()["dropped"]
        seen, self._seen = self._seen, (dropped, self._state.content.holds.cut_off)
        return seen != self._seen or time.monotonic() >= self._next or self._filesets.some_expired()

    def _live(self) -> set[bytes]:
        """The digests of all contents that some file names."""
        live: set[bytes] = set()
        with self._state.database.snapshot() as connection:
            files = "FROM entries WHERE children IS NULL AND size > 0 AND parts IS"
            live.update(row[0] for row in connection.execute(f"SELECT hash {files} NULL"))
            for row in connection.execute(f"SELECT parts {files} NOT NULL"):
                live.update(part.digest for part in content.unpack(row["parts"]))
        return live

    def _sweep_blobs(self, live: set[bytes], unless_held: UnlessHeld) -> tuple[int, int]:
        """How many were deleted, and how many were held."""
        blobs = self._state.content.blobs
        dead = [digest for digest in map(bytes.fromhex, blobs.digests()) if digest not in live]
        deleted = sum(unless_held([digest], lambda one: blobs.delete(one.hex())) for digest in dead)
        return deleted, len(dead) - deleted

    def _sweep_small(self, live: set[bytes], unless_held: UnlessHeld) -> tuple[int, int]:
        deleted = held = 0
        dead = (digest for digest in _small_digests(self._state.connection) if digest not in live)
        while page := list(islice(dead, _PAGE)):
            with self._state.database.transaction() as connection:
                free = unless_held(page, partial(_delete_small, connection))
                deleted, held = deleted + free, held + len(page) - free
                connection.execute("PRAGMA incremental_vacuum").fetchall()
        return deleted, held


def _delete_small(connection: sqlite3.Connection, digest: bytes) -> None:
    connection.execute("DELETE FROM small_contents WHERE digest = ?", (digest,))


def _small_digests(connection: sqlite3.Connection) -> Iterator[bytes]:
    """All of them, fetched by the page so that no statement stays open between."""
    last = b""
    while page := connection.execute(
        "SELECT digest FROM small_contents WHERE digest > ? ORDER BY digest LIMIT ?", (last, _PAGE)
    ).fetchall():
        yield from (row["digest"] for row in page)
        last = page[-1]["digest"]
