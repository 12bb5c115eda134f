"""Everything that this package knows about PyTorch: a network of one hidden layer on standardised columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

MODEL_FILE = "model.pt"
HIDDEN, EPOCHS, LEARNING_RATE, WEIGHT_DECAY, SEED = 16, 100, 0.02, 0.03, 0
Floats = npt.NDArray[np.float64]


def build(features: int, classes: int) -> Any:
    """An untrained model. Its first layer learns to standardise the columns, and is saved with the weights."""
    torch.manual_seed(SEED)
    standardise = nn.BatchNorm1d(features, affine=False, momentum=None)
    return nn.Sequential(standardise, nn.Linear(features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes))


def fit(model: Any, x: Floats, y: npt.NDArray[np.int64]) -> None:
    """Train ``model`` on x, one row for each flower, and their classes y."""
    inputs, targets = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(EPOCHS):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    model.eval()


def probabilities(model: Any, x: Floats) -> Floats:
    """How likely each flower is of each class: one row for each flower, one column for each class."""
    with torch.inference_mode():
        return np.asarray(model(torch.tensor(x, dtype=torch.float32)).softmax(dim=1), dtype=np.float64)


def save(model: Any, columns: Sequence[str], path: Path) -> None:
    """Write the model, and the columns that it looks at, to ``path``."""
    torch.save({"weights": model.state_dict(), "columns": list(columns)}, path)


def load(path: Path) -> tuple[Any, tuple[str, ...]]:
    """The model in ``path`` and its columns; nothing but numbers and strings is read (``weights_only``).

    Raises ValueError when the file holds something else.
    """
    try:
        saved = torch.load(path, weights_only=True)
        columns, weights = tuple(saved["columns"]), saved["weights"]
        model = build(len(columns), len(weights["3.bias"]))
        model.load_state_dict(weights)
    except (UnpicklingError, RuntimeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a model of this package: {error}") from error
    return model.eval(), columns
