"""A pipeline's token names it, in its own cluster and nowhere else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minipdk.services.pachyderm.callers import Caller, identify, issue

NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,10}", fullmatch=True)
CALLERS = st.builds(Caller, NAMES, NAMES, NAMES | st.just(""))


@given(CALLERS, st.text(min_size=1, max_size=8))
def test_a_token_is_known_by_the_secret_that_made_it_alone(caller: Caller, secret: str) -> None:
    token = issue(secret, caller)
    assert identify(secret, token) == caller
    assert identify(secret + "x", token) is None


@given(CALLERS, CALLERS)
def test_the_code_of_one_token_makes_no_other(caller: Caller, other: Caller) -> None:
    names, _, _ = issue("secret", caller).rpartition(".")
    _, _, code = issue("secret", other).rpartition(".")
    assert (identify("secret", f"{names}.{code}") is None) == (caller != other)


@given(st.text(max_size=30))
def test_other_text_is_no_callers_token(text: str) -> None:
    assert identify("secret", text) is None
