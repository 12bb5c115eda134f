"""Which Event an occurrence becomes: a new one, one more of a known one, one for many similar ones, or none at all.

As client-go's EventCorrelator: https://github.com/kubernetes/client-go/blob/v0.31.0/tools/record/events_cache.go. The same
occurrence is counted. From the tenth different message of one reason about one object within ten minutes on, a single Event
stands for all of them. An object has 25 Events at once, then one every five minutes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

REMEMBERED = 4096
SIMILAR, SIMILAR_SECONDS = 10, 600.0
COMBINED = "(combined from similar events): "
BURST, REFILL_SECONDS = 25, 300.0

Value = TypeVar("Value")


@dataclass(frozen=True)
class Occurrence:
    """``reason`` happened to the object with the uid ``about``; ``kind`` is Normal or Warning."""

    about: str
    kind: str
    reason: str
    message: str


@dataclass
class Known:
    """An Event that was written: its name, the time of its first occurrence, and their number."""

    name: str
    first: str
    count: int


@dataclass
class _Similar:
    """The different messages of one reason about one object."""

    messages: dict[str, None] = field(default_factory=dict)
    last: float = 0.0


@dataclass
class _Bucket:
    tokens: float
    filled: float


class _Recent(Generic[Value]):
    """The last REMEMBERED values that were used."""

    def __init__(self) -> None:
        self._values: OrderedDict[object, Value] = OrderedDict()

    def get(self, key: object, make: Callable[[], Value]) -> Value:
        value = self._values.pop(key, None)
        value = self._values[key] = make() if value is None else value
        if len(self._values) > REMEMBERED:
            self._values.popitem(last=False)
        return value


class Correlator:
    """The Events of one source. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._similar: _Recent[_Similar] = _Recent()
        self._known: _Recent[Known] = _Recent()
        self._buckets: _Recent[_Bucket] = _Recent()

    def correlate(self, occurrence: Occurrence, make: Callable[[], Known]) -> tuple[Known, str] | None:
        """The Event to write, counted, with its message; None to write none. ``make`` is an Event without occurrences."""
        group = (occurrence.about, occurrence.kind, occurrence.reason)
        combined = self._is_one_of_many(group, occurrence.message)
        known = self._known.get(group if combined else occurrence, make)
        known.count += 1
        if not self._takes_token(occurrence.about):
            return None
        return known, f"{COMBINED}{occurrence.message}" if combined else occurrence.message

    def _is_one_of_many(self, group: object, message: str) -> bool:
        similar, now = self._similar.get(group, _Similar), self._clock()
        if now - similar.last > SIMILAR_SECONDS:
            similar.messages.clear()
        similar.messages[message], similar.last = None, now
        if len(similar.messages) < SIMILAR:
            return False
        similar.messages.popitem()
        return True

    def _takes_token(self, about: str) -> bool:
        now = self._clock()
        bucket = self._buckets.get(about, lambda: _Bucket(BURST, now))
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.filled) / REFILL_SECONDS)
        bucket.filled = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
