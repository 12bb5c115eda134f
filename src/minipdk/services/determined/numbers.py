"""Numbers in Determined's JSON.

JSON has no number for NaN and the infinities: clients and the master write them as the texts "NaN", "Infinity" and
"-Infinity". Go writes whole numbers without a fraction.
"""

from __future__ import annotations

import math
from typing import Any

SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
LARGEST_WHOLE_NUMBER = 1e21
"""From here on Go writes numbers with an exponent."""


def as_json(value: Any) -> Any:
    """``value`` as JSON has it, in lists and objects of any depth."""
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return int(value) if value.is_integer() and abs(value) < LARGEST_WHOLE_NUMBER else value
    if isinstance(value, dict):
        return {name: as_json(item) for name, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list) else value


def is_number(value: Any) -> bool:
    """Whether the JSON value is a number or one of the texts for one."""
    return (isinstance(value, int | float) and not isinstance(value, bool)) or (isinstance(value, str) and value in SPECIAL)


def as_float(value: Any) -> float:
    """The number that the JSON value is; see `is_number`."""
    return SPECIAL[value] if isinstance(value, str) else float(value)


def sortable(value: Any) -> float | None:
    """The number that the JSON value is, None for NaN and for other values: these have no place in an order."""
    return as_float(value) if is_number(value) and not math.isnan(as_float(value)) else None
