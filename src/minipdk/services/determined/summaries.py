"""Summaries of a trial's metrics: the type of each, and of numbers the count, sum, least, greatest, mean and last value.

The rules come from Determined's master (``calculateNewSummaryMetrics`` in its sources).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from minipdk.services.determined.model import Json
from minipdk.services.determined.numbers import as_float, as_json, is_number

DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})?")


def summarize(reports: Iterable[Json]) -> Json:
    """The summary of the metrics of one group's reports, in their order. Metrics come in the order of the alphabet."""
    summary: dict[str, Json] = {}
    for average in reports:
        for name, value in average.items():
            kind = _type(value)
            if name in summary and summary[name]["type"] != kind:
                kind = "string"  # a metric of several types
            if name not in summary or kind != summary[name]["type"]:
                summary[name] = {"type": kind}
            if kind == "number":
                _add(summary[name], as_float(value))
        for name, metric in summary.items():
            metric["last"] = average.get(name)
    return {name: as_json(summary[name]) for name in sorted(summary)}


def _type(value: Any) -> str:
    if is_number(value):
        return "number"
    match value:
        case bool():
            return "boolean"
        case str():
            return "date" if DATE.fullmatch(value) else "string"
        case dict():
            return "object"
        case list():
            return "array"
    return "null"


def _add(metric: Json, value: float) -> None:
    count = metric.get("count", 0) + 1
    total = metric.get("sum", 0.0) + value
    values = [metric[name] for name in ("min", "max") if name in metric] + [value]
    unknown = any(math.isnan(number) for number in values)
    least, greatest = (math.nan, math.nan) if unknown else (min(values), max(values))
    metric |= {"count": count, "sum": total, "min": least, "max": greatest, "mean": total / count}
