"""Words and variables, as in Docker's reference."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipdk.images.words import WordError, expand, expand_variables, split

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
def test_variables_are_replaced_and_quotes_removed(word, expected):
    assert expand(word, VARIABLES) == expected


@pytest.mark.parametrize("word", ["${name", "'open", '"open', "${absent:?is needed}", "${}", "${name%x}"])
def test_what_is_not_closed_or_not_set_is_refused(word):
    with pytest.raises(WordError):
        expand(word, VARIABLES)


def test_inline_files_keep_their_quotes():
    assert expand_variables('it\'s "$name" \\$a ${absent:-x}', VARIABLES) == 'it\'s "value" $a x'


def test_words_are_split_at_blanks_outside_quotes():
    assert split("a  'b c'\t\"d e\" f\\ g") == ["a", "'b c'", '"d e"', "f\\ g"]


@given(st.lists(st.text(string.printable, min_size=1), max_size=6))
def test_quoted_words_come_back_as_they_were(words):
    quoted = ['"' + "".join(f"\\{c}" if c in '"\\$' else c for c in word) + '"' for word in words]
    assert [expand(word, {}) for word in split(" ".join(quoted))] == words


@given(st.text(string.ascii_letters + "${}:-+?'\"\\ ", max_size=20))
def test_any_text_is_either_expanded_or_refused(text):
    try:
        assert isinstance(expand(text, VARIABLES), str)
        assert isinstance(split(text), list)
    except WordError:
        pass
