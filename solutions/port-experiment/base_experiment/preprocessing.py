"""Turn churn rows into the numbers that the network reads.

Training and serving both use this one file: the trial imports it, and the deployment step packs the copy that lies in the
checkpoint, so a model is always served with the preprocessing it was trained with. It needs numpy alone, and one row costs
some tens of microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LABEL = "churn"

_SCALE: dict[str, dict[str, float]] = json.loads(Path(__file__).with_name("numscale.json").read_text())
NUMERIC = list(_SCALE)
"""The numeric columns, in the order in which the network reads them."""

_KIDS = ("U", "Y")
CATEGORIES: dict[str, tuple[str, ...]] = {
    "new_cell": ("U", "Y", "N"),
    "asl_flag": ("N", "Y"),
    "area": (
        "NORTHWEST/ROCKY MOUNTAIN AREA",
        "GREAT LAKES AREA",
        "CHICAGO AREA",
        "NEW ENGLAND AREA",
        "DALLAS AREA",
        "CENTRAL/SOUTH TEXAS AREA",
        "TENNESSEE AREA",
        "MIDWEST AREA",
        "PHILADELPHIA AREA",
        "OHIO AREA",
        "HOUSTON AREA",
        "SOUTHWEST AREA",
        "NEW YORK CITY AREA",
        "ATLANTIC SOUTH AREA",
        "SOUTH FLORIDA AREA",
        "CALIFORNIA NORTH AREA",
        "DC/MARYLAND/VIRGINIA AREA",
        "NORTH FLORIDA AREA",
        "LOS ANGELES AREA",
    ),
    "dualband": ("Y", "N", "T"),
    "refurb_new": ("N", "R"),
    "hnd_webcap": ("WCMB", "UNKW", "WC"),
    "marital": ("S", "M", "A", "U", "B"),
    "ethnic": tuple("NUISFJZMHGDORBPXC"),
    "kid0_2": _KIDS,
    "kid3_5": _KIDS,
    "kid6_10": _KIDS,
    "kid11_15": _KIDS,
    "kid16_17": _KIDS,
    "creditcd": ("Y", "N"),
}

COLUMNS = (*NUMERIC, *CATEGORIES)
"""All columns that the network needs; it looks at no other."""

INPUTS = len(NUMERIC) + sum(map(len, CATEGORIES.values()))
"""How many numbers the network reads for one row: 73 scaled ones, then a one-hot block for each category, 139 in all."""

_MEAN = np.array([[_SCALE[name]["mean"]] for name in NUMERIC])
_STD = np.array([[_SCALE[name]["std"]] for name in NUMERIC])


def _one_hot_positions() -> dict[str, dict[str, int]]:
    """For each category its values and the input that is 1 where the row has that value."""
    tables: dict[str, dict[str, int]] = {}
    start = len(NUMERIC)
    for name, values in CATEGORIES.items():
        tables[name] = {value: start + index for index, value in enumerate(values)}
        start += len(values)
    return tables


_POSITIONS = _one_hot_positions()


class InputError(ValueError):
    """Rows that cannot be encoded; the message names the column and what is wrong with it."""


def encode(columns: Mapping[str, Sequence[Any]]) -> NDArray[np.float32]:
    """Encode rows given by column: each column holds one value per row; columns the network does not read are ignored.

    Returns an array of shape (rows, INPUTS). Raises InputError for a missing column, columns of different lengths, a value
    that is not a number, or a category the network does not know.
    """
    if missing := [name for name in COLUMNS if name not in columns]:
        raise InputError(f"{'column' if len(missing) == 1 else 'columns'} missing: {', '.join(missing)}")
    rows = len(columns[NUMERIC[0]])
    for name in COLUMNS:
        if len(columns[name]) != rows:
            raise InputError(f"column {name} has {len(columns[name])} values where {NUMERIC[0]} has {rows}")

    encoded = np.zeros((rows, INPUTS), dtype=np.float32)
    encoded[:, : len(NUMERIC)] = _scaled(columns).T
    positions = np.array([_one_hot(name, columns[name]) for name in CATEGORIES])
    encoded[np.arange(rows), positions] = 1
    return encoded


def _scaled(columns: Mapping[str, Sequence[Any]]) -> NDArray[np.float32]:
    """The numeric columns, shape (73, rows), each less its mean and divided by its standard deviation."""
    numbers = np.array([_numbers(name, columns[name]) for name in NUMERIC], dtype=np.float64)
    with np.errstate(over="ignore"):
        scaled = ((numbers - _MEAN) / _STD).astype(np.float32)
    if not np.isfinite(scaled).all():
        column, row = np.argwhere(~np.isfinite(scaled))[0]
        raise InputError(f"column {NUMERIC[column]}, row {row}: {numbers[column, row]} is not a finite number in range")
    return scaled


def _numbers(name: str, values: Sequence[Any]) -> Sequence[Any]:
    """``values``, once each is known to be a number: text that looks like one, true, and null are not."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        return values
    for row, value in enumerate(values):
        number = isinstance(value, (float, int, np.number)) and not isinstance(value, bool)
        if not number or (type(value) is int and value.bit_length() > 64):
            raise InputError(f"column {name}, row {row}: {_shown(value)} is not a number")
    return values


def _one_hot(name: str, values: Sequence[Any]) -> list[int]:
    """For each row the input to set for category ``name``."""
    table = _POSITIONS[name]
    try:
        return [table[value] for value in values]
    except (KeyError, TypeError):  # TypeError: a list or an object, which no table can look up
        pass
    row = next(row for row, value in enumerate(values) if not isinstance(value, str) or value not in table)
    raise InputError(f"column {name}, row {row}: {_shown(values[row])} is none of {', '.join(CATEGORIES[name])}")


def _shown(value: Any) -> str:
    """``value`` as it stands in the request, shortened."""
    return json.dumps(value, default=repr)[:60]
