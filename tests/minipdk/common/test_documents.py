"""Hostile JSON and YAML is refused before anything is built of it."""

from __future__ import annotations

import json
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from minipdk.common.documents import DEEPEST, MOST_VALUES, DocumentError, check_json, check_yaml, read_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda nested: st.one_of(st.lists(nested, max_size=4), st.dictionaries(st.text(max_size=3), nested, max_size=4)),
    max_leaves=12,
)


@given(values)
def test_json_is_read_as_it_was_written(value: object) -> None:
    assert read_json(json.dumps(value).encode()) == value


@given(values)
def test_yaml_within_the_bounds_passes(value: object) -> None:
    check_yaml(yaml.safe_dump(value))


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"b":'])
def test_json_may_be_nested_to_a_bound(opening: bytes) -> None:
    levels = sum(opening.count(bracket) for bracket in (b"[", b"{"))
    closing = opening[::-1].translate(bytes.maketrans(b"[{", b"]}"), delete=b'":ab')
    deepest = DEEPEST // levels
    read_json(opening * deepest + b"1" + closing * deepest)
    with pytest.raises(DocumentError, match="nested more than"):
        read_json(opening * (deepest + 1) + b"1" + closing * (deepest + 1))


def test_brackets_in_strings_are_no_nesting() -> None:
    text = '[{\\"' * 60_000
    assert read_json(json.dumps([text, {"key": text}]).encode()) == [text, {"key": text}]
    check_json(json.dumps({text: 1}).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"NaN",
        b"[1, -Infinity]",
        b'{"a": 1e999}',
        b'"\\ud800"',
        b"\xff",
        '{"a": 1}'.encode("utf-16"),
        b"9" * 5000,
        b"[" * 60_000,
        b'{"a":' * 60_000,
        b"[1," * 60_000,
        b'"' + b"[" * 60_000,
        b"{",
        b"[1 2]",
    ],
    ids=lambda body: f"{body[:8]!r} of {len(body)} bytes",
)
def test_json_that_cannot_be_kept_is_refused_quickly(body: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(DocumentError):
        read_json(body)
    assert time.monotonic() - began < 5


def test_json_of_very_many_values_is_refused_unread() -> None:
    with pytest.raises(DocumentError, match=f"more than {MOST_VALUES} values"):
        read_json(b"[" + b"[]," * MOST_VALUES + b"1]")


def aliases(levels: int, form: str = "[{}]") -> str:
    """YAML in which each level has nine aliases of the one before."""
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {form.format(', '.join([f'*a{n - 1}'] * 9))}" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (aliases(12), "excessive aliasing"),
        (aliases(12, "{{<<: [{}]}}"), "excessive aliasing"),
        ("[" * 60_000, "nested more than"),
        ("{a: " * 60_000, "nested more than"),
        ("\n".join("  " * depth + "a:" for depth in range(300)), "nested more than"),
        ("- " * 60_000 + "x", "nested more than"),
        ("&a [1, *a]", "recursive node"),
        ("a: &a {b: {c: *a}}", "recursive node"),
    ],
    ids=["aliases", "merged aliases", "lists", "mappings", "blocks", "block lists", "recursion", "deep recursion"],
)
def test_yaml_out_of_bounds_is_refused_quickly(text: str, reason: str) -> None:
    began = time.monotonic()
    with pytest.raises(DocumentError, match=reason):
        check_yaml(text)
    assert time.monotonic() - began < 5


def test_yaml_may_use_aliases() -> None:
    check_yaml(aliases(4))
