"""Times, sizes and tables read as the Go command's do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pachctl import output


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0B"),
        (870, "870B"),
        (1023, "1023B"),
        (4411, "4.308KiB"),
        (10207, "9.968KiB"),
        (1 << 20, "1MiB"),
        (1 << 60, "1EiB"),
    ],
)
def test_sizes_are_binary_with_four_digits(count: int, text: str) -> None:
    assert output.size(count) == text


@given(st.integers(min_value=0, max_value=1 << 62))
def test_a_size_is_within_a_thousandth_of_the_truth(count: int) -> None:
    text = output.size(count)
    unit = next(unit for unit in reversed(output._UNITS) if text.endswith(unit))
    assert float(text.removesuffix(unit)) * 1024 ** output._UNITS.index(unit) == pytest.approx(count, rel=1e-3)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.9, "Less than a second"),
        (1.5, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (120, "2 minutes"),
        (3600, "About an hour"),
        (5400, "2 hours"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (14 * 86400, "2 weeks"),
        (60 * 86400, "2 months"),
        (730 * 86400, "2 years"),
    ],
)
def test_durations_are_words(seconds: float, text: str) -> None:
    assert output.duration(timedelta(seconds=seconds)) == text


def test_an_unset_time_is_a_dash() -> None:
    assert output.when(None) == output.when(datetime(1970, 1, 1, tzinfo=UTC)) == "-"
    assert output.when(datetime(2024, 2, 23, tzinfo=UTC), full=True) == "2024-02-23T00:00:00Z"


def test_a_failure_always_shows_in_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "colour", lambda _, name: name[0])
    assert output.progress_bar(99, 0, 1) == "gggggggr"
    assert output.progress_bar(1, 1, 0) == "ggggyyyy"


def test_columns_stand_two_spaces_apart(capsys: pytest.CaptureFixture[str]) -> None:
    output.table("A\tLONGER", [["wide cell", 1], ["", "x"]])
    assert capsys.readouterr().out == "A          LONGER\nwide cell  1\n           x\n"
