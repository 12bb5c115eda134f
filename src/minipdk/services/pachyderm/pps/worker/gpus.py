"""The machine's GPUs, lent to the datums whose pipelines limit themselves to some."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NVIDIA_DEVICES = "nvidia[0-9]*"


class Gpus:
    """Lends GPUs by their numbers; a datum that wants more than are free waits."""

    def __init__(self, count: int | None = None) -> None:
        self.count = len(list(Path("/dev").glob(NVIDIA_DEVICES))) if count is None else count
        self._free = list(range(self.count))
        self._returned = threading.Condition()

    @contextmanager
    def take(self, number: int) -> Iterator[tuple[int, ...]]:
        """Hold ``number`` GPUs; the numbers are what CUDA_VISIBLE_DEVICES names. ``number`` is at most ``count``."""
        if not number:
            yield ()
            return
        with self._returned:
            self._returned.wait_for(lambda: len(self._free) >= number)
            taken = tuple(self._free[:number])
            del self._free[:number]
        try:
            yield taken
        finally:
            with self._returned:
                self._free = sorted([*self._free, *taken])
                self._returned.notify_all()
