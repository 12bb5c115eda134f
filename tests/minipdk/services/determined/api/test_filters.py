"""The filters of lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from starlette.requests import Request

from minipdk.services.determined.api.filters import archived, contains, matches, states
from minipdk.services.determined.api.http import Call
from minipdk.services.determined.errors import InvalidArgumentError


def call(query: str) -> Call:
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""})
    return Call(None, {}, {}, QueryParams(query), request)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (None, "anything", True),
        ("", "anything", True),
        ("churn", "Churn", True),
        ("churn", "churn2", False),
        ("ch%", "churn", True),
        ("ch_rn", "churn", True),
        (r"ch\_rn", "churn", False),
        (r"ch\_rn", "ch_rn", True),
        ("a.b", "axb", False),
        ("a%z", "a\nz", True),
    ],
)
def test_pattern_fits_the_whole_text(pattern: str | None, text: str, fits: bool) -> None:
    assert matches(pattern, text) is fits
    assert contains(pattern, f"before {text} after") is (fits or pattern == "churn")


def test_pattern_may_distinguish_capitals() -> None:
    assert not matches("churn", "Churn", case=True)


@given(st.text("ab%_\\", max_size=6), st.text("ab", max_size=6))
def test_any_pattern_is_read(pattern: str, text: str) -> None:
    assert isinstance(matches(pattern, text), bool)


def test_states_may_be_names_and_numbers() -> None:
    assert states(call("states=STATE_COMPLETED&states=1"), "experimentv1.State") == {"STATE_COMPLETED", "STATE_ACTIVE"}
    assert states(call("states=STATE_UNSPECIFIED"), "experimentv1.State") == set()


@pytest.mark.parametrize("state", ["ACTIVE", "99", "state_active", "-1"])
def test_state_that_does_not_exist_is_refused(state: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{state} is not a valid experimentv1.State"):
        states(call(f"states={state}"), "experimentv1.State")


@pytest.mark.parametrize(("query", "value"), [("", None), ("archived=true", True), ("archived=false", False)])
def test_archived_is_true_or_false(query: str, value: bool | None) -> None:
    assert archived(call(query)) is value


@pytest.mark.parametrize("value", ["1", "yes", "True", ""])
def test_other_value_of_archived_is_refused(value: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"bad BoolValue: {value}"):
        archived(call(f"archived={value}"))
