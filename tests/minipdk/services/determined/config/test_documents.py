"""The text of a configuration means what it means to Determined's master, which reads with Go's yaml.v2."""

from __future__ import annotations

import json
from typing import Any

import pytest
from determined.common import util
from hypothesis import given
from hypothesis import strategies as st

from minipdk.services.determined.config import parse_yaml
from minipdk.services.determined.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, number) for text, number in (("1e-5", 1e-05), ("1e-05", 1e-05), ("1E5", 100000), ("1.5e+3", 1500))),
        *(
            (text, number)
            for text, number in ((".5", 0.5), ("1.", 1), ("2.0", 2), ("+1", 1), ("-2e-3", -0.002), ("1e16", 10**16))
        ),
        *(
            (text, number)
            for text, number in (("0o17", 15), ("017", 15), ("-0x1F", -31), ("0b11", 3), ("089", 89), ("1_000", 1000))
        ),
        *((text, number) for text, number in ((str(2**64), 2**64), ("1e22", 1e22))),
        *((text, True) for text in ("y", "Y", "yes", "on", "True", "TRUE")),
        *((text, False) for text in ("n", "N", "No", "Off", "false")),
        *((text, None) for text in ("~", "null", "Null", "")),
        *((text, text) for text in ("1:30", "2020-01-01", "2020-13-45", "1e", "1.2.3", "0x", "_1", "=", "1e999", "nan")),
        *((f"'{text}'", text) for text in ("1e-5", "y", "017", "~")),
        ("!!str 1e-5", "1e-5"),
        ("!!float 3", 3),
        ("!!timestamp 2020-01-01", "2020-01-01"),
    ],
)
def test_word_means_what_it_means_to_determined(text: str, value: Any) -> None:
    read = parse_yaml(f"a: {text}")["a"]
    assert (read, type(read)) == (value, type(value))


def test_keys_are_text() -> None:
    assert parse_yaml("{1: a, y: b, 1.5: c, off: d}") == {"1": "a", "true": "b", "1.5": "c", "false": "d"}


def test_only_the_first_document_counts() -> None:
    assert parse_yaml("a: 1\n---\nb: 2") == {"a": 1}


def test_keys_are_merged() -> None:
    assert parse_yaml("base: &base {a: 1, b: 2}\nmore: {<<: *base, b: 3}")["more"] == {"a": 1, "b": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not YAML: line"),
        ("- a\n- b", "must be a mapping"),
        ("", "must be a mapping"),
        ("hello", "must be a mapping"),
        ("a: .nan", r"not YAML: \.nan is not a number in JSON"),
        ("a: [-.INF]", r"not YAML: -\.INF is not a number in JSON"),
        ("? [a]\n: b", "cannot be a key"),
        ("? ~\n: b", "None cannot be a key"),
        ("a: !!float x", "could not convert string to float: 'x'"),
        ("a: !!bool x", "'x' is not a boolean"),
        ("a: &a [*a]", "found unconstructable recursive node"),
        ("a: \x01", "control characters are not allowed"),
    ],
)
def test_text_that_is_no_configuration_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_yaml(text)


numbers = st.one_of(st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False))


@given(numbers)
def test_number_survives_determineds_clients(number: float) -> None:
    """The SDK and the command line send a dictionary as YAML, other clients as JSON."""
    config = {"hyperparameters": {"lr": number, "range": {"type": "double", "minval": number}}}
    for text in (util.yaml_safe_dump(config), json.dumps(config)):
        read = parse_yaml(text)
        assert read == config
        assert isinstance(read["hyperparameters"]["lr"], int | float)
