"""The pauses between attempts grow, and never beyond their limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minipdk.common.backoff import BackOff


def test_pauses_double_up_to_the_longest() -> None:
    pauses = BackOff(1, 5)
    assert [pauses.pause() for _ in range(5)] == [1, 2, 4, 5, 5]


def test_the_first_pause_may_be_none_at_all() -> None:
    pauses = BackOff(10, 300, immediate_first=True)
    assert [pauses.pause() for _ in range(4)] == [0, 10, 20, 40]


def test_an_attempt_that_lasted_starts_the_pauses_over() -> None:
    pauses = BackOff(1, 60, healthy_after=30)
    assert [pauses.pause(lasted) for lasted in (0, 29, 30, 0)] == [1, 2, 1, 2]


@given(first=st.floats(0.001, 10), factor=st.floats(1, 10), longest=st.floats(10, 1000), count=st.integers(1, 30))
def test_pauses_never_shrink_or_pass_the_longest(first: float, factor: float, longest: float, count: int) -> None:
    pauses = BackOff(first, longest, factor=factor)
    taken = [pauses.pause() for _ in range(count)]
    assert taken == sorted(taken)
    assert taken[0] == first
    assert max(taken) <= longest
