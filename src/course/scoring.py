"""Score registered versions of the churn model on rows that they were not trained on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from course.private import private
from course.profile import find_root

if TYPE_CHECKING:
    import pandas as pd
    from determined.common.experimental.model import ModelVersion

LABEL = "churn"
TEST_SIZE, SEED = 0.2, 42
"""The experiment's split into training and validation rows: test_size and random_seed in const.yaml."""


def held_out(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of one delivery that the experiment keeps for validation."""
    from sklearn.model_selection import train_test_split

    _, validation = train_test_split(rows, test_size=TEST_SIZE, random_state=SEED)
    return validation


def accuracy(version: ModelVersion, rows: pd.DataFrame) -> float:
    """The share of ``rows`` that ``version`` predicts correctly. Its checkpoint is downloaded once and kept in build/."""
    import torch

    network, encode = _load(version)
    features = torch.from_numpy(encode({name: rows[name].to_numpy() for name in rows}))
    with torch.no_grad():
        predicted = (network(features).numpy()[:, 0] >= 0.5).astype(int)
    return float((predicted == rows[LABEL].to_numpy()).mean())


def _load(version: ModelVersion) -> tuple[Any, Any]:
    """The network of ``version`` and the function that encodes rows for it, both from its checkpoint."""
    from determined.pytorch import load_trial_from_checkpoint_path

    checkpoint = version.checkpoint
    if checkpoint is None:
        raise ValueError(f"version {version.name} has no checkpoint")
    os.environ["SERVING_MODE"] = "true"  # the trial's code then downloads no data
    build = find_root() / "build"
    path = build / "checkpoints" / checkpoint.uuid
    with private(build):
        checkpoint.download(path=str(path))
    # A checkpoint of the cluster's own trials: it holds the state of random generators in addition to tensors.
    options = {"map_location": "cpu", "weights_only": False}
    trial = load_trial_from_checkpoint_path(str(path), torch_load_kwargs=options)
    from preprocessing import encode  # the checkpoint's own code, on the path now

    return trial.model.eval(), encode
