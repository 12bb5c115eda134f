"""Read the churn CSV and split it into a training and a validation set."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from preprocessing import LABEL, InputError, encode
from sklearn.model_selection import train_test_split
from torch.utils.data import Dataset

Floats = NDArray[np.float32]
Batch = tuple[torch.Tensor, torch.Tensor]


class ChurnDataset(Dataset[Batch]):
    """Encoded rows and their labels: tensors of shape (rows, 139) and (rows, 1)."""

    def __init__(self, features: Floats, labels: Floats) -> None:
        self.features = torch.from_numpy(features)
        self.labels = torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Batch:
        return self.features[index], self.labels[index]

    def __getitems__(self, indices: list[int]) -> Batch:
        """A whole batch in one call: many times faster than collating one row after the other."""
        return self.features[indices], self.labels[indices]


def whole_batch(batch: Batch) -> Batch:
    """The collate_fn that goes with ``__getitems__``: there is nothing left to collate."""
    return batch


def get_train_and_validation_datasets(
    data_file: str, test_size: float = 0.2, random_seed: int = 42
) -> tuple[ChurnDataset, ChurnDataset]:
    """Split the rows of ``data_file`` into a training and a validation set, the same way for the same seed."""
    features, labels = read_csv(data_file)
    train_x, val_x, train_y, val_y = train_test_split(features, labels, test_size=test_size, random_state=random_seed)
    return ChurnDataset(train_x, train_y), ChurnDataset(val_x, val_y)


def read_csv(path: str) -> tuple[Floats, Floats]:
    """The encoded rows of one CSV file, shape (rows, 139), and their labels, shape (rows, 1).

    Raises InputError naming the file and the column that is missing or wrong.
    """
    try:
        # Texts stay unchanged ("NA" too), so that an empty or odd value is refused by name, not read as "missing".
        frame = pd.read_csv(path, keep_default_na=False, low_memory=False)
        if frame.empty:
            raise InputError("the file holds no rows")
        if LABEL not in frame:
            raise InputError(f"column missing: {LABEL}")
        if not frame[LABEL].isin([0, 1]).all():
            raise InputError(f"column {LABEL} holds something other than 0 and 1")
        features = encode({name: frame[name].to_numpy() for name in frame})
    except ValueError as error:  # InputError, and pandas' errors for a file that is no CSV
        raise InputError(f"{path}: {error}") from error
    return features, frame[[LABEL]].to_numpy(dtype=np.float32)
