"""The `sklearn` runtime: a pickled scikit-learn model, served as KServe's sklearnserver serves it.

    python -m predictors.sklearnserver --model_name iris --model_dir /mnt/models      # listens on $PORT and $GRPC_PORT

The folder holds exactly one file whose name ends with .joblib, .pkl or .pickle. ``PREDICT_PROBA=true`` asks the model for
probabilities. A request's rows are lists of numbers, objects of columns, or strings. In protocol v2 they are one tensor, or
one for each column if the request's ``content_type`` is ``pd`` or the model knows its columns' names.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sklearn
from kserve import InferRequest
from kserve.errors import InvalidInput
from kserve.protocol.grpc.grpc_predict_v2_pb2 import InferParameter
from kserve.utils.utils import get_predict_response
from sklearn.base import BaseEstimator

from .errors import ModelFileError
from .model_server import CalledModel, arguments, serve, set_up_logging
from .tensors import array_of
from .workers import become_worker

MODEL_EXTENSIONS = (".joblib", ".pkl", ".pickle")
PANDAS = "pd"
WRONG_INPUT = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
"""Raised by scikit-learn, pandas and numpy for other columns, a wrong number of them, NaN, or text for numbers."""
log = logging.getLogger("sklearnserver")


def find_model(folder: Path) -> Path:
    """The one model file at the top of ``folder``."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    models = [path for path in files if path.suffix in MODEL_EXTENSIONS]
    if not models:
        there = ", ".join(path.name for path in files[:10]) or "no files"
        raise ModelFileError(f"no model in {folder}: it holds {there}, and none ends with {', '.join(MODEL_EXTENSIONS)}")
    if len(models) > 1:
        names = ", ".join(path.name for path in models)
        raise ModelFileError(f"more than one model file is detected, only one is allowed within {folder}: {names}")
    return models[0]


def load(path: Path) -> Any:
    """The model in ``path``. Raises ModelFileError."""
    try:
        return joblib.load(path)
    except Exception as error:  # bytes that are no pickle make its reader raise anything
        raise ModelFileError(
            f"{path.name} cannot be read as a pickle of scikit-learn {sklearn.__version__}: {type(error).__name__}: {error}"
        ) from error


def rows_of(instances: list[Any]) -> Any:
    """Protocol v1's instances as scikit-learn takes them: an array, a DataFrame of columns, or a list of strings."""
    first = instances[0]
    if all(isinstance(row, str) for row in instances):
        return instances
    if isinstance(first, list) and first and isinstance(first[0], dict):  # KServe's form: a list of records each
        return pd.concat([pd.DataFrame(row) for row in instances], ignore_index=True)
    if not isinstance(first, dict):
        rows = np.array(instances)
        return np.array(instances, dtype=object) if rows.dtype.kind == "U" else rows  # numbers beside strings stay numbers
    if any(isinstance(value, dict | list) for value in first.values()):  # KServe's: {column: {row: value} or [value]}
        return pd.concat([pd.DataFrame(row) for row in instances], ignore_index=True)
    return pd.DataFrame.from_records(instances)


def tensors_of(request: InferRequest, columns: list[str]) -> Any:
    """Protocol v2's tensors as scikit-learn takes them. ``columns`` are its columns in training, if it knows them."""
    content_type = (request.parameters or {}).get("content_type", "")
    if isinstance(content_type, InferParameter):
        content_type = content_type.string_param
    tensors = {tensor.name: array_of(tensor) for tensor in request.inputs}
    if content_type == PANDAS or (columns and tensors.keys() == set(columns)):
        return pd.DataFrame({name: values.ravel() for name, values in tensors.items()})
    if len(request.inputs) != 1:
        raise InvalidInput(
            f'the tensors {", ".join(tensors) or "(none)"} are columns only with "parameters": '
            f'{{"content_type": "{PANDAS}"}}: without it send one tensor of rows'
        )
    [values] = tensors.values()
    return values.ravel().tolist() if request.inputs[0].datatype == "BYTES" else values


class SklearnModel(CalledModel):
    """One loaded model."""

    def __init__(self, name: str, model: Any, *, probabilities: bool) -> None:
        super().__init__(name)
        self._columns = [str(column) for column in getattr(model, "feature_names_in_", ())]
        self._predict = model.predict_proba if probabilities and hasattr(model, "predict_proba") else model.predict

    def answer(self, payload: dict[str, Any] | InferRequest) -> Any:
        try:
            v2 = isinstance(payload, InferRequest)
            rows = tensors_of(payload, self._columns) if v2 else rows_of(payload["instances"])
            if isinstance(rows, pd.DataFrame) and set(rows.columns) == set(self._columns):
                rows = rows[self._columns]  # scikit-learn requires the order of its training
            result = self._predict(rows)
        except WRONG_INPUT as error:
            if isinstance(getattr(error, "obj", None), BaseEstimator):
                raise  # the model lacks an attribute: another version of scikit-learn has pickled it
            raise InvalidInput(f"{error}") from error
        if isinstance(result, np.ndarray) and result.dtype.kind == "U":
            result = result.astype(object)  # kserve cannot encode numpy's strings
        return get_predict_response(payload, result, self.name)


def main() -> None:
    options = arguments(__doc__).parse_args()
    set_up_logging()
    workers = options.workers or 1
    report_loaded = become_worker(workers)
    try:
        path = find_model(options.model_dir)
        log.info("loading %s", path.name)
        loaded = load(path)
    except (ModelFileError, OSError) as error:
        sys.exit(f"{error}")
    probabilities = os.environ.get("PREDICT_PROBA", "false").lower() == "true"
    model = SklearnModel(options.model_name, loaded, probabilities=probabilities)
    report_loaded()
    serve([model], http_port=options.http_port, grpc_port=options.grpc_port, workers=workers)


if __name__ == "__main__":
    main()
