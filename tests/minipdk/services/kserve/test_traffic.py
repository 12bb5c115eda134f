"""Roll-outs by canaryTrafficPercent: which revisions share the requests, as in KServe's status."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from minipdk.controller.routes import Backend
from minipdk.services.kserve.traffic import is_settled, revisions_in_use, roll_out, shares

ONE, TWO, THREE = (f"churn-predictor-{number:05}" for number in (1, 2, 3))


def after(*steps: tuple[str, str, int | None]) -> dict[str, Any]:
    """The state after ``steps``: the newest revision, the newest ready one, and the canary's percentage."""
    state: dict[str, Any] = {}
    for created, ready, canary in steps:
        state = roll_out(state, created, ready, canary)
    return state


def summary(state: dict[str, Any]) -> tuple[Any, ...]:
    """The latest's and the previous revision's share, the revision rolled out and the one before it."""
    percents = [(target["revisionName"], target["percent"], target.get("tag")) for target in state["traffic"]]
    return percents, state.get("latestRolledoutRevision"), state.get("previousRolledoutRevision")


def test_the_first_revision_gets_everything_even_as_a_canary() -> None:
    assert "traffic" not in after((ONE, "", 10))
    assert summary(after((ONE, "", 10), (ONE, ONE, 10)))[1:] == (ONE, None)
    assert summary(after((ONE, ONE, None))) == ([(ONE, 100, None)], ONE, None)


def test_a_canary_gets_its_share_once_it_is_ready() -> None:
    before = after((ONE, ONE, None), (TWO, ONE, 10))
    assert {target["revisionName"] for target in before["traffic"]} == {ONE}
    state = roll_out(before, TWO, TWO, 10)
    assert summary(state) == ([(TWO, 10, None), (ONE, 90, "prev")], ONE, None)
    assert [target["latestRevision"] for target in state["traffic"]] == [True, False]


def test_a_canary_is_promoted_by_leaving_the_percentage_out_or_by_100() -> None:
    for canary in (None, 100):
        state = after((ONE, ONE, None), (TWO, TWO, 10), (TWO, TWO, canary))
        assert summary(state) == ([(TWO, 100, None)], TWO, ONE)


def test_a_revision_that_is_rolled_out_is_rolled_back_by_a_percentage() -> None:
    state = after((ONE, ONE, None), (TWO, TWO, None), (TWO, TWO, 0))
    assert summary(state) == ([(TWO, 0, None), (ONE, 100, "prev")], ONE, ONE)
    assert summary(roll_out(state, TWO, TWO, None)) == ([(TWO, 100, None)], TWO, ONE)


def test_a_new_revision_with_a_percentage_is_no_roll_back() -> None:
    state = after((ONE, ONE, None), (TWO, TWO, None), (THREE, TWO, 20))
    assert summary(state)[1:] == (TWO, ONE)
    assert summary(roll_out(state, THREE, THREE, 20)) == ([(THREE, 20, None), (TWO, 80, "prev")], TWO, ONE)


percentages = st.none() | st.integers(0, 100)


@given(steps=st.lists(st.tuples(st.integers(0, 2), st.booleans(), percentages), max_size=8), up=st.sets(st.integers(1, 20)))
def test_all_requests_are_shared_out_among_revisions_that_run(
    steps: list[tuple[int, bool, int | None]], up: set[int]
) -> None:
    created = 1
    state: dict[str, Any] = {}
    for more, is_ready, canary in [(0, True, None), *steps]:
        created += more
        name = f"churn-predictor-{created:05}"
        state = roll_out(state, name, name if is_ready else state.get("latestReadyRevision", ""), canary)
        if traffic := state.get("traffic"):
            assert sum(target["percent"] for target in traffic) == 100
            assert roll_out(state, name, state["latestReadyRevision"], canary) == state, "it has not settled"
            assert {target["revisionName"] for target in traffic} <= revisions_in_use(state)
    ready = {f"churn-predictor-{number:05}": [Backend(number)] for number in sorted(up)}
    current = shares(state, ready)
    assert sum(share.percent for share in current) == (100 if ready else 0)
    assert all(share.percent and share.backends for share in current)
    if is_settled(state, ready):
        serving = {target["revisionName"] for target in state["traffic"] if target["percent"]}
        assert {backend for share in current for backend in share.backends} == {ready[name][0] for name in serving}
