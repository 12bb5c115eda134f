"""Pins: they keep contents that are being written or read from garbage collection, although no file may refer to them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

UnlessPinned = Callable[[Iterable[bytes], Callable[[bytes], object]], int]


class Pin:
    """Contents that must stay for as long as this object exists."""

    __slots__ = ("__weakref__", "_pins", "digests")

    def __init__(self, pins: Pins, digests: Iterable[bytes]) -> None:
        self._pins = pins
        self.digests = set(digests)

    def add(self, digest: bytes) -> None:
        """Pin another content. Check that it exists after this call, not before."""
        self._pins.add(self, digest)


class Pins:
    """All pins. A `Pin` ends when nothing refers to it any more, so none can be forgotten.

    ``failed_writes`` counts the writes that failed: the contents they stored are garbage once their pins have ended.
    """

    def __init__(self) -> None:
        self.failed_writes = 0
        self._lock = threading.Lock()
        self._all: WeakSet[Pin] = WeakSet()
        self._watched: set[bytes] | None = None

    def pin(self, digests: Iterable[bytes] = ()) -> Pin:
        pin = Pin(self, digests)
        with self._lock:
            self._all.add(pin)
            if self._watched is not None:
                self._watched |= pin.digests
        return pin

    def add(self, pin: Pin, digest: bytes) -> None:
        with self._lock:
            pin.digests.add(digest)
            if self._watched is not None:
                self._watched.add(digest)

    @contextmanager
    def watch(self) -> Iterator[UnlessPinned]:
        """Yields ``unless_pinned(digests, do)``, which calls ``do`` with each digest that was not pinned during the watch.

        It returns the number of these digests. There may be one watch at a time.
        """
        with self._lock:
            self._watched = {digest for pin in self._all for digest in pin.digests}
            watched = self._watched

        def unless_pinned(digests: Iterable[bytes], do: Callable[[bytes], object]) -> int:
            with self._lock:
                free = [digest for digest in digests if digest not in watched]
                for digest in free:
                    do(digest)
                return len(free)

        try:
            yield unless_pinned
        finally:
            with self._lock:
                self._watched = None
