"""Which worker was at which datum, from a job's log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from course import draw, jobs


def run(worker: str, datum: str, start: int, end: int) -> jobs.DatumRun:
    zero = datetime(2026, 1, 1, tzinfo=UTC)
    return jobs.DatumRun(worker, datum, zero + timedelta(seconds=start), zero + timedelta(seconds=end))


def test_workers_whose_times_overlap_are_busy_at_the_same_time() -> None:
    apart = [run("a", "/1", 0, 2), run("b", "/2", 3, 5)]
    assert jobs.most_busy(apart) == 1
    assert jobs.most_busy([*apart, run("c", "/3", 1, 4)]) == 2
    assert jobs.most_busy([run("a", "/1", 0, 2), run("a", "/2", 1, 3)]) == 1
    assert jobs.most_busy([]) == 0


def test_a_timeline_begins_with_the_first_start_and_numbers_the_workers() -> None:
    bars = jobs.timeline([run("w-b", "/1.csv", 5, 7), run("w-a", "/2.csv", 6, 9)])
    assert bars == [("worker 2", "1.csv", 0.0, 2.0), ("worker 1", "2.csv", 1.0, 4.0)]
    assert [label.get_text() for label in draw.workers(bars).axes[0].get_yticklabels()] == ["worker 1", "worker 2"]
