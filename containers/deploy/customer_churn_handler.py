"""The TorchServe handler of the churn model.

A request contains customers as they are in the CSV, in one of three shapes: column -> {row: value} (as pandas' to_json
writes it), column -> [value, ...], or a list of {column: value}. The answer is one [1.0] (will churn) or [0.0] (will stay)
for each customer, in the request's order. A `churn` column is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import torch
from preprocessing import COLUMNS, InputError, encode
from ts.torch_handler.base_handler import BaseHandler
from ts.utils.util import PredictionException

THRESHOLD = 0.5
BAD_REQUEST = 400
RECORD = itemgetter(*COLUMNS)


class CustomerChurnHandler(BaseHandler):
    """Encodes customers, runs the network and cuts its output at one half."""

    def preprocess(self, data: list[Any] | None) -> torch.Tensor:
        """The network's input, shape (customers, 139), for one or more instances.

        Raises PredictionException with status 400 if a customer cannot be encoded; the message says why.
        """
        if not isinstance(data, list) or not data:
            raise PredictionException('the request needs a list under "instances" with at least one entry', BAD_REQUEST)
        encoded = []
        for number, instance in enumerate(data):
            try:
                encoded.append(torch.from_numpy(encode(columns(_payload(instance)))))
            except InputError as error:
                which = f"instance {number}: " if len(data) > 1 else ""
                raise PredictionException(f"{which}{error}", BAD_REQUEST) from error
        return encoded[0] if len(encoded) == 1 else torch.cat(encoded)

    def inference(self, data: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Predictions of shape (customers, 1): 1.0 for churn."""
        probability: torch.Tensor = super().inference(data, *args, **kwargs)
        return (probability >= THRESHOLD).float()


def _payload(instance: Any) -> Any:
    """The value of "data" in an instance ("body" if TorchServe itself has unpacked the request)."""
    if isinstance(instance, dict):
        for key in ("data", "body"):
            if key in instance:
                return instance[key]
    raise InputError('each instance needs an object {"data": ...}')


def columns(payload: Any) -> Mapping[str, Sequence[Any]]:
    """The network's columns from ``payload``, in any of the three shapes. Raises InputError for anything else."""
    if isinstance(payload, list):
        return _from_records(payload)
    if not isinstance(payload, dict):
        raise InputError(f'"data" is {_kind(payload)}; it has to be an object with one entry per column')
    if not payload:
        raise InputError('"data" is empty')
    return _from_columns({name: payload[name] for name in COLUMNS if name in payload})


def _from_records(records: list[Any]) -> Mapping[str, Sequence[Any]]:
    if not records:
        raise InputError('"data" is empty')
    if set(map(type, records)) != {dict}:
        row, record = next((row, record) for row, record in enumerate(records) if not isinstance(record, dict))
        raise InputError(f"row {row} is {_kind(record)}; in a list, each row has to be an object {{column: value}}")
    try:
        return dict(zip(COLUMNS, zip(*map(RECORD, records), strict=True), strict=True))
    except KeyError:
        row, missing = next((row, name) for row, record in enumerate(records) for name in COLUMNS if name not in record)
        raise InputError(f"column missing: {missing}" + (f" in row {row}" if len(records) > 1 else "")) from None


def _from_columns(payload: dict[str, Any]) -> Mapping[str, Sequence[Any]]:
    first = next(iter(payload.values()), None)
    if isinstance(first, dict):
        result = _from_named_rows(payload, list(first))
    else:
        for name, column in payload.items():
            if not isinstance(column, list):
                raise InputError(f"column {name} is {_kind(column)}; it has to be an object {{row: value}} or a list")
        result = payload
    if payload and not first:
        raise InputError('"data" holds no rows')
    return result


def _from_named_rows(payload: dict[str, dict[str, Any]], rows: list[str]) -> Mapping[str, Sequence[Any]]:
    """The values of the column -> {row: value} entries, each in the order of ``rows``."""
    for name, column in payload.items():
        if not isinstance(column, dict):
            raise InputError(
                f"column {name} is {_kind(column)}; the first column is an object {{row: value}}, so all have to be"
            )
        if len(column) != len(rows):
            raise InputError(f"column {name} has {len(column)} rows where the first column has {len(rows)}")
    in_order = map(itemgetter(*rows), payload.values()) if rows else ()
    try:
        return dict(zip(payload, zip(in_order, strict=True) if len(rows) == 1 else in_order, strict=False))
    except KeyError as error:
        name = next(name for name, column in payload.items() if error.args[0] not in column)
        raise InputError(f"column {name} has no row {str(error)[:60]}") from None


def _kind(value: Any) -> str:
    """The name of ``value``'s type in JSON."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null" if value is None else type(value).__name__)
