"""How a job's datums are split into the sets that a worker takes at a time, by the pipeline's datum_set_spec."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
SETS_PER_WORKER = 4


def datum_sets(todo: Sequence[T], spec: Any, workers: int, size: Callable[[T], int]) -> list[Sequence[T]]:
    """``todo`` in sets, by ``spec`` (a DatumSetSpec) of so many datums or of about so many bytes, which ``size`` tells.

    A spec that says neither makes so many sets for each worker, 4 unless it says how many.
    """
    if spec.size_bytes:
        return list(_by_size(todo, spec.size_bytes, size))
    number = spec.number or len(todo) // (workers * (spec.per_worker or SETS_PER_WORKER)) or 1
    return [todo[start : start + number] for start in range(0, len(todo), number)]


def _by_size(todo: Sequence[T], wanted: int, size: Callable[[T], int]) -> Iterator[Sequence[T]]:
    start = filled = 0
    for index, one in enumerate(todo):
        if filled >= wanted:
            yield todo[start:index]
            start, filled = index, 0
        filled += size(one)
    if todo[start:]:
        yield todo[start:]
