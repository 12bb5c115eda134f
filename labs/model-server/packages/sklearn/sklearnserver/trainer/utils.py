"""Read the flowers and divide them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sklearnserver.trainer import config

Flowers = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def read_flowers(path: Path) -> tuple[Flowers, Labels]:
    """The measures of shape (n, 4) and the classes' numbers of shape (n,) in a CSV with a ``species`` column."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    flowers = np.array([[float(row[name]) for name in config.MEASURES] for row in rows])
    labels = np.array([config.CLASSES.index(row["species"]) for row in rows])
    return flowers, labels


def split(flowers: Flowers, labels: Labels) -> tuple[tuple[Flowers, Labels], tuple[Flowers, Labels]]:
    """((training flowers, labels), (held-out flowers, labels)): the same division every time."""
    order = np.random.default_rng(config.SEED).permutation(len(flowers))
    held_out, training = order[: config.HELD_OUT], order[config.HELD_OUT :]
    return (flowers[training], labels[training]), (flowers[held_out], labels[held_out])
