"""What is in flight: contents that are being written or read, and that no file may name at this moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

UnlessHeld = Callable[[Iterable[bytes], Callable[[bytes], object]], int]


class Hold:
    """Contents that must stay for as long as this object exists."""

    __slots__ = ("__weakref__", "_holds", "digests")

    def __init__(self, holds: Holds, digests: Iterable[bytes]) -> None:
        self._holds = holds
        self.digests = set(digests)

    def add(self, digest: bytes) -> None:
        """Hold one more. Whether it is there must be asked after this, not before."""
        self._holds.add(self, digest)


class Holds:
    """Every hold there is. A `Hold` ends when nothing refers to it any more, so none can be forgotten.

    ``cut_off`` counts the writes that failed: what they had stored is garbage once their holds have ended.
    """

    def __init__(self) -> None:
        self.cut_off = 0
        self._lock = threading.Lock()
        self._all: WeakSet[Hold] = WeakSet()
        self._watched: set[bytes] | None = None

    def hold(self, digests: Iterable[bytes] = ()) -> Hold:
        hold = Hold(self, digests)
        with self._lock:
            self._all.add(hold)
            if self._watched is not None:
                self._watched |= hold.digests
        return hold

    def add(self, hold: Hold, digest: bytes) -> None:
        with self._lock:
            hold.digests.add(digest)
            if self._watched is not None:
                self._watched.add(digest)

    @contextmanager
    def watch(self) -> Iterator[UnlessHeld]:
        """Yields ``unless_held(digests, do)``: it calls ``do`` with each digest that nobody held since; how many those were.

        One watch at a time.
        """
        with self._lock:
            self._watched = {digest for hold in self._all for digest in hold.digests}
            watched = self._watched

        def unless_held(digests: Iterable[bytes], do: Callable[[bytes], object]) -> int:
            with self._lock:
                free = [digest for digest in digests if digest not in watched]
                for digest in free:
                    do(digest)
                return len(free)

        try:
            yield unless_held
        finally:
            with self._lock:
                self._watched = None
