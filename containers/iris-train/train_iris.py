"""Train a model that classifies irises by species: one linear layer in PyTorch, the same weights from the same data.

    train_iris.py /pfs/pre_process /pfs/out

Reads x_train.csv and y_train.csv. Writes model.pt, a dictionary: the layer's weights, the names of the columns it was
trained on and the species in the order of its outputs.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

SEED = 42
STEPS = 400
LEARNING_RATE = 0.1


class DataError(Exception):
    """The data cannot be used; the message names the file and the fix."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="folder with x_train.csv and y_train.csv")
    parser.add_argument("output", type=Path, help="folder for model.pt")
    arguments = parser.parse_args()
    try:
        features, x = read(arguments.data / "x_train.csv")
        species, y = read(arguments.data / "y_train.csv")
        if len(x) != len(y):
            raise DataError(f"x_train.csv has {len(x)} flowers and y_train.csv {len(y)}: they have to be of one commit")
    except DataError as error:
        sys.exit(f"error: {error}")
    model = train(x, y)
    right = int((model(x).argmax(1) == y.argmax(1)).sum())
    torch.save({"weights": model.state_dict(), "features": features, "species": species}, arguments.output / "model.pt")
    print(f"Trained on {len(x)} flowers, of which the model names {right} right")


def read(path: Path) -> tuple[list[str], Tensor]:
    """The column names of a CSV file and its numbers, one row for each flower. Raises DataError."""
    if not path.exists():
        raise DataError(f"{path} is not there: the input of this step is the output of pre_process")
    with path.open(newline="") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    if not rows:
        raise DataError(f"{path.name} has no flowers")
    if uneven := next((number for number, row in enumerate(rows, start=2) if len(row) != len(header)), None):
        raise DataError(f"{path.name}, line {uneven}: it has other columns than the first line")
    try:
        return header, torch.tensor([[float(value) for value in row] for row in rows])
    except ValueError as error:
        raise DataError(f"{path.name}: {error}") from None


def train(x: Tensor, y: Tensor) -> nn.Linear:
    """A layer fitted to flowers ``x`` (flowers x columns, centimetres) of species ``y`` (flowers x species, 0 or 1).

    It learns on scaled columns; the scaling is folded into its weights afterwards, so that it takes centimetres.
    """
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    mean, deviation = x.mean(0), x.std(0, correction=0).clamp(min=1e-6)
    model = nn.Linear(x.shape[1], y.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model((x - mean) / deviation), y)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        model.weight /= deviation
        model.bias -= model.weight @ mean
    return model


if __name__ == "__main__":
    main()
