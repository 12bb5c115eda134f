"""Dockerfile lines are split into words and their variables expanded, as in Docker's reference."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipdk.images.expansion import ExpansionError, expand, expand_variables, split

VARIABLES = {"name": "value", "empty": "", "a": "1"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("$name", "value"),
        ("${name}s", "values"),
        ("$names", ""),
        ("x${empty}y", "xy"),
        ("${absent:-default}", "default"),
        ("${empty:-default}", "default"),
        ("${empty-default}", ""),
        ("${absent-$name}", "value"),
        ("${name:+other}", "other"),
        ("${empty:+other}", ""),
        ("${empty+other}", "other"),
        ("${absent:-${absent:-${name}}}", "value"),
        (r"\$name", "$name"),
        ("'$name'", "$name"),
        ("\"$name and '$a'\"", "value and '1'"),
        (r'"a \"quote\" and \n"', r'a "quote" and \n'),
        (r"one\ word", "one word"),
        ("$", "$"),
        ("5$", "5$"),
        ("$/x", "$/x"),
        ("${absent:-a b}", "a b"),
    ],
)
def test_variables_are_replaced_and_quotes_removed(word: str, expected: str) -> None:
    assert expand(word, VARIABLES) == expected


@pytest.mark.parametrize("word", ["${name", "'open", '"open', "${absent:?is needed}", "${}", "${name%x}"])
def test_an_open_quote_or_an_unset_required_variable_is_refused(word: str) -> None:
    with pytest.raises(ExpansionError):
        expand(word, VARIABLES)


def test_inline_files_keep_their_quotes() -> None:
    assert expand_variables('it\'s "$name" \\$a ${absent:-x}', VARIABLES) == 'it\'s "value" $a x'


def test_words_are_split_at_blanks_outside_quotes() -> None:
    assert split("a  'b c'\t\"d e\" f\\ g") == ["a", "'b c'", '"d e"', "f\\ g"]


@given(st.lists(st.text(string.printable, min_size=1), max_size=6))
def test_quoted_words_come_back_as_they_were(words: list[str]) -> None:
    quoted = ['"' + "".join(f"\\{c}" if c in '"\\$' else c for c in word) + '"' for word in words]
    assert [expand(word, {}) for word in split(" ".join(quoted))] == words


@given(st.text(string.ascii_letters + "${}:-+?'\"\\ ", max_size=20))
def test_any_text_is_either_expanded_or_refused(text: str) -> None:
    try:
        assert isinstance(expand(text, VARIABLES), str)
        assert isinstance(split(text), list)
    except ExpansionError:
        pass
