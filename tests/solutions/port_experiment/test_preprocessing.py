"""The network's input: 73 scaled numbers, then a one-hot block for each category."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[3]
EXPERIMENT = "solutions/port-experiment/experiment"


@pytest.fixture(scope="module")
def preprocessing(import_from: Callable[[str, str], ModuleType]) -> ModuleType:
    return import_from(EXPERIMENT, "preprocessing")


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    return pd.read_csv(ROOT / "sample-data" / "customer_churn_sample.csv", keep_default_na=False)


@pytest.fixture
def row(sample: pd.DataFrame) -> dict[str, list[Any]]:
    """One customer, by column."""
    return {name: [value] for name, value in sample.iloc[0].items()}


def test_the_encoding_equals_that_of_pandas_by_the_same_rules(preprocessing: ModuleType, sample: pd.DataFrame) -> None:
    scale = json.loads((ROOT / EXPERIMENT / "numscale.json").read_text())
    numeric = [name for name in sample.columns if name in scale]
    expected = [(sample[name] - scale[name]["mean"]) / scale[name]["std"] for name in numeric]
    for name, values in preprocessing.CATEGORIES.items():
        expected += [(sample[name] == value).astype(float) for value in values]
    encoded = preprocessing.encode({name: sample[name].to_numpy() for name in sample})
    assert encoded.dtype == np.float32
    assert encoded.shape == (10, 139)
    np.testing.assert_allclose(encoded, np.column_stack(expected), rtol=1e-6)


def test_the_numbers_come_in_the_order_of_the_csv(preprocessing: ModuleType, sample: pd.DataFrame) -> None:
    assert [name for name in sample.columns if name in preprocessing.NUMERIC] == preprocessing.NUMERIC
    assert preprocessing.INPUTS == 139


def test_lists_and_arrays_encode_alike(preprocessing: ModuleType, sample: pd.DataFrame) -> None:
    arrays = preprocessing.encode({name: sample[name].to_numpy() for name in sample})
    lists = preprocessing.encode({name: sample[name].tolist() for name in sample})
    np.testing.assert_array_equal(arrays, lists)


def test_other_columns_and_their_order_do_not_matter(preprocessing: ModuleType, row: dict[str, list[Any]]) -> None:
    shuffled = dict(reversed(row.items())) | {"churn": "whatever", "comment": [None]}
    np.testing.assert_array_equal(preprocessing.encode(shuffled), preprocessing.encode(row))


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_each_category_sets_exactly_one_input(preprocessing: ModuleType, sample: pd.DataFrame, data: st.DataObject) -> None:
    row = {name: [value] for name, value in sample.iloc[0].items()}
    chosen = {name: data.draw(st.sampled_from(values)) for name, values in preprocessing.CATEGORIES.items()}
    encoded = preprocessing.encode(row | {name: [value] for name, value in chosen.items()})[0]
    start = len(preprocessing.NUMERIC)
    for name, values in preprocessing.CATEGORIES.items():
        block = encoded[start : start + len(values)]
        assert block.sum() == 1
        assert values[int(block.argmax())] == chosen[name]
        start += len(values)


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_rows_are_encoded_independently(preprocessing: ModuleType, sample: pd.DataFrame, rows: list[int]) -> None:
    def encode(frame: pd.DataFrame) -> Any:
        return preprocessing.encode({name: frame[name].tolist() for name in frame})

    np.testing.assert_array_equal(encode(sample.iloc[rows]), encode(sample)[rows])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"months": ["3"]}, 'column months, row 0: "3" is not a number'),
        ({"months": [None]}, "column months, row 0: null is not a number"),
        ({"months": [True]}, "column months, row 0: true is not a number"),
        ({"months": [10**5000]}, "column months, row 0: the number is not a finite number in range"),
        ({"months": [10**5000], "uniqsubs": ["3"]}, 'column uniqsubs, row 0: "3" is not a number'),
        ({"months": [float("nan")]}, "column months, row 0: nan is not a finite number in range"),
        ({"months": [1e300]}, "column months, row 0: 1e+300 is not a finite number in range"),
        ({"months": [1, 2]}, "column months has 2 values where rev_Mean has 1"),
        ({"creditcd": ["?"]}, 'column creditcd, row 0: "?" is none of Y, N'),
        ({"creditcd": [["Y"]]}, "column creditcd, row 0: a list is none of Y, N"),
        ({"creditcd": [None]}, "column creditcd, row 0: null is none of Y, N"),
    ],
)
def test_a_value_that_cannot_be_encoded_is_named(
    preprocessing: ModuleType, row: dict[str, list[Any]], change: dict[str, list[Any]], message: str
) -> None:
    with pytest.raises(preprocessing.InputError) as caught:
        preprocessing.encode(row | change)
    assert str(caught.value) == message


def test_all_missing_columns_are_named_together(preprocessing: ModuleType, row: dict[str, list[Any]]) -> None:
    del row["months"], row["area"]
    with pytest.raises(preprocessing.InputError, match="columns missing: months, area"):
        preprocessing.encode(row)
