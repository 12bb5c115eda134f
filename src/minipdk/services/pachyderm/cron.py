"""Cron expressions as pachd reads them, always in UTC.

``parse("*/5 * * * *")`` is a `Schedule`; ``schedule.next(t)`` is the first time after ``t`` that it names. Five fields:
minute, hour, day of the month, month, day of the week (0 is Sunday), each ``*`` or ``?``, numbers, names (``jan``, ``mon``),
ranges ``a-b``, steps ``/n`` and lists of these. If both days are given, either may match. Instead of the fields: ``@yearly``
(or ``@annually``), ``@monthly``, ``@weekly``, ``@daily`` (or ``@midnight``), ``@hourly``, ``@every 1h30m`` and ``@never``.

Times are integer nanoseconds since 1970. An invalid expression raises `CronError` with the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

SECOND = 1_000_000_000
NEVER = int(datetime(2262, 1, 1, tzinfo=UTC).timestamp()) * SECOND
"""The answer of `Schedule.next` without a next time: near the end of 64 bits of nanoseconds."""

_YEARS_SEARCHED = 5
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_UNITS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
_LONGEST = (1 << 63) - 1  # nanoseconds: the longest duration


class CronError(ValueError):
    """A cron expression that cannot be read, with the reason."""


class Schedule(Protocol):
    def next(self, after: int) -> int:
        """The first time of the schedule after ``after``; `NEVER` if there is none."""

    def resume(self, last: int, now: int) -> int:
        """The first time after ``now`` in the sequence that follows ``last``: times missed in between are left out."""


@dataclass(frozen=True)
class Never:
    def next(self, after: int) -> int:  # noqa: ARG002 (as every schedule)
        return NEVER

    def resume(self, last: int, now: int) -> int:  # noqa: ARG002 (as every schedule)
        return NEVER


@dataclass(frozen=True)
class Every:
    """Every ``delay`` nanoseconds, a whole number of seconds; the times are whole seconds too."""

    delay: int

    def next(self, after: int) -> int:
        return min(after - after % SECOND + self.delay, NEVER)

    def resume(self, last: int, now: int) -> int:
        first = self.next(last)
        return first if first > now else self.next(first + (now - first) // self.delay * self.delay)


@dataclass(frozen=True)
class Calendar:
    """Minutes, hours, days, months and weekdays that match; ``either_day``: one of the two kinds of day is enough."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    def next(self, after: int) -> int:
        start = datetime.fromtimestamp(min(after, NEVER) // SECOND, UTC)
        for ahead in range(366 * _YEARS_SEARCHED):
            try:
                day = start.date() + timedelta(days=ahead)
            except OverflowError:
                return NEVER
            if self._has(day):
                for moment in self._moments(day):
                    if moment > start:
                        return min(int(moment.timestamp()) * SECOND, NEVER)
        return NEVER

    def resume(self, last: int, now: int) -> int:
        return self.next(max(last, now))

    def _has(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_month or by_week if self.either_day else by_month and by_week

    def _moments(self, day: date) -> list[datetime]:
        return [datetime.combine(day, time(hour, minute), UTC) for hour in self.hours for minute in self.minutes]


@dataclass(frozen=True)
class _Bounds:
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.low
        return _number(text)


_MINUTE, _HOUR, _DAY = _Bounds(0, 59), _Bounds(0, 23), _Bounds(1, 31)
_MONTH, _WEEKDAY = _Bounds(1, 12, _MONTHS), _Bounds(0, 6, _DAYS)


def parse(spec: str) -> Schedule:
    """The schedule that ``spec`` describes. Raises CronError."""
    if spec.strip() == "@never":
        return Never()
    if not spec:
        raise CronError("Empty spec string")
    if spec.startswith("@every "):
        return Every(max(_duration(spec) // SECOND, 1) * SECOND)
    if spec.startswith("@") and spec not in _DESCRIPTORS:
        raise CronError(f"Unrecognized descriptor: {spec}")
    fields = _DESCRIPTORS.get(spec, spec).split()
    if len(fields) != 5:
        raise CronError(f"Expected exactly 5 fields, found {len(fields)}: {spec}")
    minutes, hours, days, months, weekdays = (
        _field(text, bounds) for text, bounds in zip(fields, (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY), strict=True)
    )
    restricted = not any(_is_star(part) for text in (fields[2], fields[4]) for part in text.split(","))
    return Calendar(
        tuple(sorted(minutes)), tuple(sorted(hours)), frozenset(days), frozenset(months), frozenset(weekdays), restricted
    )


def _is_star(part: str) -> bool:
    """Whether a part means the whole range, also in steps: such a day leaves the choice to the other field."""
    return part.partition("/")[0] in ("*", "?")


def _field(text: str, bounds: _Bounds) -> set[int]:
    return {number for part in text.split(",") if part for number in _range(part, bounds)}


def _range(part: str, bounds: _Bounds) -> range:
    ends, *steps = part.split("/")
    low, *highs = ends.split("-")
    if low in ("*", "?"):
        start, end = bounds.low, bounds.high
    elif len(highs) > 1:
        raise CronError(f"Too many hyphens: {part}")
    else:
        start = bounds.number(low)
        end = bounds.number(highs[0]) if highs else start
    if len(steps) > 1:
        raise CronError(f"Too many slashes: {part}")
    step = _number(steps[0]) if steps else 1
    if steps and not highs:
        end = bounds.high
    if start < bounds.low:
        raise CronError(f"Beginning of range ({start}) below minimum ({bounds.low}): {part}")
    if end > bounds.high:
        raise CronError(f"End of range ({end}) above maximum ({bounds.high}): {part}")
    if start > end:
        raise CronError(f"Beginning of range ({start}) beyond end of range ({end}): {part}")
    if step == 0:
        raise CronError(f"Step of range should be a positive number: {part}")
    return range(start, end + 1, step)


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise CronError(f"Failed to parse int from {text}: invalid syntax")
    return int(text)


def _duration(spec: str) -> int:
    """The nanoseconds of ``@every 1h30m``."""
    text = spec.removeprefix("@every ")
    sign, digits = (-1 if text.startswith("-") else 1), text.removeprefix("-") if text[:1] == "-" else text.removeprefix("+")
    parts = _DURATION_PART.findall(digits)
    if digits == "0":
        return 0
    if not parts or "".join(number + unit for number, unit in parts) != digits:
        raise CronError(f'Failed to parse duration {spec}: invalid duration "{text}"')
    total = sum(_nanoseconds(number, _UNITS[unit]) for number, unit in parts)
    if total > _LONGEST:
        raise CronError(f'Failed to parse duration {spec}: invalid duration "{text}"')
    return sign * total


def _nanoseconds(number: str, unit: int) -> int:
    whole, _, fraction = number.partition(".")
    scale: int = 10 ** len(fraction)
    return int(whole or 0) * unit + int(fraction or 0) * unit // scale
