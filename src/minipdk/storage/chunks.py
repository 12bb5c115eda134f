"""Content-defined chunks: a small change in a large file leaves most of its chunks as they were.

A chunk ends after the first eight bytes, beyond its first half MiB, whose product with an odd constant is small. In varied
bytes that happens once in a MiB, and it does not depend on the offset. Cutting at fixed offsets would be simpler, but then
one byte inserted near the start of a file would change every chunk after it. The search uses numpy and reaches more than a
GB/s: plain Python would need a second for each MiB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

SMALLEST = 512 << 10
LARGEST = 4 << 20
_WINDOW = 8
_STEP = 256 << 10  # bytes per search: they fit in the processor's cache
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_LIMIT = np.uint64((1 << 64) >> 20)


def chunks(pieces: Iterable[bytes | memoryview]) -> Iterator[bytearray]:
    """The concatenation of ``pieces`` in chunks of half a MiB to 4 MiB; the last one may be smaller.

    The cuts depend on the bytes alone, not on the pieces they arrive in. No bytes give no chunks.
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
        del piece, view  # a piece may be large: free it before the next one arrives
    if chunk:
        yield chunk


class _Search:
    """Finds windows that end a chunk. It allocates its arrays once, because allocating takes longer than the search."""

    def __init__(self) -> None:
        self._products = np.empty(_STEP // _WINDOW + 1, np.uint64)
        self._small = np.empty(_STEP // _WINDOW + 1, np.bool_)

    def first_end(self, chunk: bytearray, start: int) -> int | None:
        """The end of the first window from ``start`` on that ends the chunk; None if no window does."""
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
