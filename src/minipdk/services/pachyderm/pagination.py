"""Limits of the lengths of lists, as pachd understands a request's ``number``: 0 and negative numbers mean all."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def first(number: int, items: Iterable[T]) -> Iterator[T]:
    """The first ``number`` items; all if it is not positive."""
    return itertools.islice(items, number if number > 0 else None)
