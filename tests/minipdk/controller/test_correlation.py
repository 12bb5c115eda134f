"""Which events an API object gets: the limits of client-go's EventCorrelator."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from minipdk.controller.correlation import BURST, COMBINED, REFILL_SECONDS, SIMILAR_SECONDS, Correlator, Known, Occurrence


class Source:
    """A source of events about objects, at a time that the test sets."""

    def __init__(self) -> None:
        self.time = 0.0
        self.made = 0
        self._correlator = Correlator(lambda: self.time)

    def emit(
        self, message: str, *, about: str = "pod", kind: str = "Warning", reason: str = "Failed"
    ) -> tuple[str, int] | None:
        """The name and the count of the event that is written; its message is checked."""
        correlated = self._correlator.correlate(Occurrence(about, kind, reason, message), self._make)
        if correlated is None:
            return None
        known, text = correlated
        assert text in (message, f"{COMBINED}{message}")
        return f"combined {known.name}" if text != message else known.name, known.count

    def _make(self) -> Known:
        self.made += 1
        return Known(str(self.made), "now", 0)


@pytest.fixture
def source() -> Source:
    return Source()


def test_the_same_occurrence_is_counted(source: Source) -> None:
    assert [source.emit("a") for _ in range(3)] == [("1", 1), ("1", 2), ("1", 3)]


@pytest.mark.parametrize(
    "different",
    [
        lambda source: source.emit("b"),
        lambda source: source.emit("a", about="another"),
        lambda source: source.emit("a", kind="Normal"),
        lambda source: source.emit("a", reason="BackOff"),
    ],
    ids=["message", "object", "kind", "reason"],
)
def test_a_different_occurrence_is_another_event(source: Source, different: Callable[[Source], object]) -> None:
    assert (source.emit("a"), different(source)) == (("1", 1), ("2", 1))


def test_the_tenth_similar_event_stands_for_those_that_follow(source: Source) -> None:
    written = [source.emit(f"message {number}") for number in range(12)]
    assert written == [*((str(number), 1) for number in range(1, 10)), *(("combined 10", count) for count in (1, 2, 3))]
    assert source.emit("message 0", reason="BackOff") == ("11", 1)


def test_similar_events_that_are_ten_minutes_apart_are_not_combined(source: Source) -> None:
    for number in range(9):
        source.emit(f"message {number}")
    source.time += SIMILAR_SECONDS + 1
    assert source.emit("message 9") == ("10", 1)


def test_an_object_has_twenty_five_events_then_one_every_five_minutes(source: Source) -> None:
    assert None not in [source.emit("a") for _ in range(BURST)]
    assert source.emit("a") is None
    assert source.emit("a", about="another") is not None
    source.time += REFILL_SECONDS
    assert source.emit("a") == ("1", BURST + 2), "occurrences without an event are counted"
    assert source.emit("a") is None


def test_a_day_of_failures_every_second_makes_few_events(source: Source) -> None:
    """Without the limits: 86,400."""
    written = []
    for second in range(86_400):
        source.time = float(second)
        written.append(source.emit(f"failure {second}"))
    assert len([event for event in written if event]) == BURST + 86_399 // REFILL_SECONDS
    assert len({name for name, _ in filter(None, written)}) == 10
