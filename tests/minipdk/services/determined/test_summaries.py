"""Summaries of metrics, as Determined's master makes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipdk.services.determined.summaries import summarize


def numbers(count: int, total: Any, least: Any, greatest: Any, mean: Any, last: Any) -> dict[str, Any]:
    return {"type": "number", "count": count, "sum": total, "min": least, "max": greatest, "mean": mean, "last": last}


@pytest.mark.parametrize(
    ("values", "summary"),
    [
        ([2, 1, 3], numbers(3, 6, 1, 3, 2, 3)),
        ([0.5], numbers(1, 0.5, 0.5, 0.5, 0.5, 0.5)),
        ([1, "NaN", 3], numbers(3, "NaN", "NaN", "NaN", "NaN", 3)),
        ([1, "Infinity"], numbers(2, "Infinity", 1, "Infinity", "Infinity", "Infinity")),
        (["-Infinity", "Infinity"], numbers(2, "NaN", "-Infinity", "Infinity", "NaN", "Infinity")),
        (["a", "b"], {"type": "string", "last": "b"}),
        ([True, False], {"type": "boolean", "last": False}),
        (["2024-01-02T03:04:05Z"], {"type": "date", "last": "2024-01-02T03:04:05Z"}),
        ([{"a": 1}], {"type": "object", "last": {"a": 1}}),
        ([[1]], {"type": "array", "last": [1]}),
        ([None], {"type": "null", "last": None}),
        ([1, "a", 2], {"type": "string", "last": 2}),
        ([True, 1], {"type": "string", "last": 1}),
    ],
)
def test_summary_of_a_metric(values: list[Any], summary: dict[str, Any]) -> None:
    assert summarize([{"m": value} for value in values]) == {"m": summary}


def test_metrics_are_in_the_order_of_the_alphabet_and_absent_last_values_are_null() -> None:
    summary = summarize([{"b": 1, "a": 2}, {"b": 3}])
    assert list(summary) == ["a", "b"]
    assert (summary["a"]["last"], summary["b"]["last"]) == (None, 3)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_mean_lies_between_the_least_and_the_greatest(values: list[float]) -> None:
    summary = summarize([{"m": value} for value in values])["m"]
    assert summary["count"] == len(values)
    assert summary["min"] == min(values)
    assert summary["max"] == max(values)
    assert summary["min"] - 1e-3 <= summary["mean"] <= summary["max"] + 1e-3
