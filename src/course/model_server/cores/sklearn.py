"""Everything that this package knows about scikit-learn: a logistic regression on standardised columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MODEL_FILE = "model.joblib"
Floats = npt.NDArray[np.float64]


def build(_features: int, _classes: int) -> Any:
    """An untrained model. How many columns and classes there are, scikit-learn learns from the data."""
    return make_pipeline(StandardScaler(), LogisticRegression())


def fit(model: Any, x: Floats, y: npt.NDArray[np.int64]) -> None:
    """Train ``model`` on x, one row for each flower, and their classes y."""
    model.fit(x, y)


def probabilities(model: Any, x: Floats) -> Floats:
    """How likely each flower is of each class: one row for each flower, one column for each class."""
    return np.asarray(model.predict_proba(x), dtype=np.float64)


def save(model: Any, columns: Sequence[str], path: Path) -> None:
    """Write the model, and the columns that it looks at, to ``path``."""
    joblib.dump({"model": model, "columns": list(columns)}, path)


def load(path: Path) -> tuple[Any, tuple[str, ...]]:
    """The model in ``path`` and its columns. Loading a pickle runs the code in it: load only your own files.

    Raises ValueError when the file holds something else.
    """
    try:
        saved = joblib.load(path)
    except Exception as error:  # bytes that are no pickle make its reader raise anything
        raise ValueError(f"{path} is no file of joblib's: {type(error).__name__}: {error}") from error
    if not isinstance(saved, dict) or set(saved) != {"model", "columns"}:
        raise ValueError(f"{path} holds a {type(saved).__name__}, not a model of this package")
    return saved["model"], tuple(saved["columns"])
