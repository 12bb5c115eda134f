"""Cron expressions: their next times, and the reasons for refusals."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipdk.services.pachyderm import cron


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * cron.SECOND


@pytest.mark.parametrize(
    ("spec", "after", "following"),
    [
        ("* * * * *", "2026-01-31T23:59:59", "2026-02-01T00:00:00"),
        ("* * * * *", "2026-01-31T23:58:00", "2026-01-31T23:59:00"),
        ("*/15 9-17 * * mon-fri", "2026-03-06T17:45:00", "2026-03-09T09:00:00"),
        ("5/20 * * * *", "2026-03-06T17:05:00", "2026-03-06T17:25:00"),
        ("0 0 29 feb *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("30 4 1,15 * ?", "2026-06-02T00:00:00", "2026-06-15T04:30:00"),
        ("0 0 13 * fri", "2026-11-25T00:00:00", "2026-11-27T00:00:00"),  # both days restricted: either is enough
        ("0 0 */2 * mon", "2026-11-25T00:00:00", "2026-12-07T00:00:00"),  # a stepped star restricts as well, both needed
        ("@hourly", "2026-12-31T23:00:00", "2027-01-01T00:00:00"),
        ("@daily", "2026-12-31T23:00:00", "2027-01-01T00:00:00"),
        ("@midnight", "2026-12-31T00:00:00", "2027-01-01T00:00:00"),
        ("@weekly", "2026-11-25T12:00:00", "2026-11-29T00:00:00"),
        ("@monthly", "2026-11-25T12:00:00", "2026-12-01T00:00:00"),
        ("@yearly", "2026-11-25T12:00:00", "2027-01-01T00:00:00"),
        ("@annually", "2026-11-25T12:00:00", "2027-01-01T00:00:00"),
        ("@every 60s", "2026-11-25T12:00:07", "2026-11-25T12:01:07"),
        ("@every 1h30m", "2026-11-25T12:00:00", "2026-11-25T13:30:00"),
        ("@every 1.5h", "2026-11-25T12:00:00", "2026-11-25T13:30:00"),
        ("@every 10ms", "2026-11-25T12:00:00", "2026-11-25T12:00:01"),  # a second is the least
        ("@never", "2026-11-25T12:00:00", "2262-01-01T00:00:00"),
        ("0 0 30 2 *", "2026-11-25T12:00:00", "2262-01-01T00:00:00"),  # no such day
    ],
)
def test_the_next_time_of_an_expression(spec: str, after: str, following: str) -> None:
    assert cron.parse(spec).next(at(after)) == at(following)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("", "Empty spec string"),
        ("* * * *", "Expected exactly 5 fields, found 4: * * * *"),
        ("0 * * * * *", "Expected exactly 5 fields, found 6: 0 * * * * *"),
        ("60 * * * *", r"End of range \(60\) above maximum \(59\): 60"),
        ("* * 0 * *", r"Beginning of range \(0\) below minimum \(1\): 0"),
        ("5-1 * * * *", r"Beginning of range \(5\) beyond end of range \(1\): 5-1"),
        ("*/0 * * * *", r"Step of range should be a positive number: \*/0"),
        ("1-2-3 * * * *", "Too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "Too many slashes: 1/2/3"),
        ("x * * * *", "Failed to parse int from x"),
        ("* * * * 7", r"End of range \(7\) above maximum \(6\): 7"),
        ("@sometimes", "Unrecognized descriptor: @sometimes"),
        ("@every", "Unrecognized descriptor: @every"),
        ("@every day", 'Failed to parse duration @every day: invalid duration "day"'),
        ("@every 5", "invalid duration"),
        ("@every 99999999h", "invalid duration"),
    ],
)
def test_a_bad_expression_is_refused_with_the_reason(spec: str, reason: str) -> None:
    with pytest.raises(cron.CronError, match=reason):
        cron.parse(spec)


fields = [("0", 59), ("0", 23), ("1", 28), ("1", 12), ("0", 6)]


@given(
    parts=st.tuples(*[st.one_of(st.just("*"), st.integers(int(low), high).map(str)) for low, high in fields]),
    start=st.integers(at("2000-01-01") // cron.SECOND, at("2090-01-01") // cron.SECOND).map(
        lambda second: second * cron.SECOND
    ),
)
def test_the_next_time_is_later_matches_and_leaves_none_out(parts: tuple[str, ...], start: int) -> None:
    schedule = cron.parse(" ".join(parts))
    following = schedule.next(start)
    assert following > start
    moment = datetime.fromtimestamp(following // cron.SECOND, UTC)
    numbers = (moment.minute, moment.hour, moment.day, moment.month, moment.isoweekday() % 7)
    hit = [part in ("*", str(number)) for part, number in zip(parts, numbers, strict=True)]
    either = "*" not in (parts[2], parts[4])
    assert [*hit[:2], hit[3]] == [True] * 3
    assert (any if either else all)((hit[2], hit[4]))
    assert schedule.next(following - cron.SECOND) == following
    minute_before = int((moment - timedelta(minutes=1)).timestamp()) * cron.SECOND
    if minute_before > start:
        assert schedule.next(minute_before) == following


@pytest.mark.parametrize(
    ("spec", "last", "now", "following"),
    [
        ("@every 60s", "2026-11-25T12:00:07", "2026-11-25T12:00:30", "2026-11-25T12:01:07"),
        ("@every 60s", "2026-11-25T12:00:07", "2026-11-25T12:01:07", "2026-11-25T12:02:07"),
        ("@every 60s", "2026-11-25T12:00:07", "2027-11-25T12:01:30", "2027-11-25T12:02:07"),
        ("0 * * * *", "2026-11-25T12:00:00", "2026-11-26T15:30:00", "2026-11-26T16:00:00"),
        ("0 * * * *", "2026-11-25T12:00:00", "2026-11-25T11:00:00", "2026-11-25T13:00:00"),
        ("@never", "2026-11-25T12:00:00", "2026-11-25T12:00:30", "2262-01-01T00:00:00"),
    ],
)
def test_missed_times_are_left_out_and_those_to_come_do_not_drift(spec: str, last: str, now: str, following: str) -> None:
    assert cron.parse(spec).resume(at(last), at(now)) == at(following)


@given(spec=st.text(max_size=20) | st.from_regex(r"@every [-+]?[0-9.]{0,5}(ns|us|ms|s|m|h)?", fullmatch=True))
def test_any_text_is_a_schedule_or_a_cron_error(spec: str) -> None:
    try:
        schedule = cron.parse(spec)
    except cron.CronError:
        return
    assert schedule.next(0) > 0
