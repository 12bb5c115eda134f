"""Cuts bytes into chunks where their content says so: a change in a large file leaves most of its chunks as they were.

A chunk ends behind the first eight bytes, beyond its first half MiB, whose product with an odd constant is small: that
happens once in a MiB of varied bytes, wherever it stands. Cutting at fixed offsets would be simpler, but then one byte put
in near the start of a file would change every chunk behind it. The search is numpy's, at more than a GB/s: plain Python
would need a second for each MiB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

SMALLEST = 512 << 10
LARGEST = 4 << 20
_WINDOW = 8
_STEP = 256 << 10  # what is searched at once: it stays in the processor's cache
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_LIMIT = np.uint64((1 << 64) >> 20)


def chunks(pieces: Iterable[bytes | memoryview]) -> Iterator[bytearray]:
    """The concatenation of ``pieces`` in chunks of half a MiB to 4 MiB, the last of them maybe smaller.

    Where it is cut depends on the bytes alone, not on the pieces they come in. Nothing comes of no bytes.
    """
    search, chunk = _Search(), bytearray()
    for piece in pieces:
        view = memoryview(piece)
        while view:
            taken = min(_STEP, LARGEST - len(chunk), len(view))
            start = max(SMALLEST, len(chunk) + 1) - _WINDOW
            chunk += view[:taken]
            view = view[taken:]
            end = search.first_end(chunk, start)
            if end is None and len(chunk) == LARGEST:
                end = LARGEST
            if end is not None:
                rest = chunk[end:]
                del chunk[end:]
                yield chunk
                chunk = rest
        del piece, view  # a piece may be large: it goes before the next one comes
    if chunk:
        yield chunk


class _Search:
    """Looks for windows that end a chunk. Its arrays are made once: new ones each time would take longer than the search."""

    def __init__(self) -> None:
        self._products = np.empty(_STEP // _WINDOW + 1, np.uint64)
        self._small = np.empty(_STEP // _WINDOW + 1, np.bool_)

    def first_end(self, chunk: bytearray, start: int) -> int | None:
        """Where to end the chunk, if one of the windows from ``start`` on says so."""
        first: int | None = None
        for offset in range(start, min(start + _WINDOW, len(chunk) - _WINDOW + 1)):
            count = (len(chunk) - offset) // _WINDOW
            windows = np.frombuffer(chunk, "<u8", count, offset)
            products = np.multiply(windows, _FACTOR, out=self._products[:count])
            small = np.less(products, _LIMIT, out=self._small[:count])
            if small[at := int(small.argmax())]:
                end = offset + (at + 1) * _WINDOW
                first = end if first is None else min(first, end)
        return first
