"""The churn network as a Determined trial (PyTorch Trial API)."""

from __future__ import annotations

# New - the trial downloads its data, except while it serves
import os
from pathlib import Path

import torch
from data import Batch, NoDataError, download_pach_repo, get_train_and_validation_datasets, whole_batch
from determined.pytorch import DataLoader, PyTorchTrial, PyTorchTrialContext
from preprocessing import INPUTS
from torch import nn, optim


class ChurnTrial(PyTorchTrial):
    """A small dense network that predicts whether a customer will churn (1) or stay (0)."""

    def __init__(self, context: PyTorchTrialContext) -> None:
        self.context = context

        # New - the deployment pipeline loads the trial with SERVING_MODE=true: it wants the network, not the data
        if os.environ.get("SERVING_MODE") != "true":
            self.train_dataset, self.val_dataset = get_train_and_validation_datasets(
                self.download_data(),
                test_size=self.context.get_hparam("test_size"),
                random_seed=self.context.get_hparam("random_seed"),
            )

        dense1 = self.context.get_hparam("dense1")
        model = nn.Sequential(nn.Linear(INPUTS, dense1), nn.Linear(dense1, 1), nn.Sigmoid())
        self.model = self.context.wrap_model(model)
        optimizer = optim.Adam(self.model.parameters(), lr=self.context.get_hparam("lr"))
        self.optimizer = self.context.wrap_optimizer(optimizer)
        self.loss_function = nn.BCELoss()

    def train_batch(self, batch: Batch, epoch_idx: int, batch_idx: int) -> dict[str, torch.Tensor]:
        features, labels = batch
        output = self.model(features)
        loss = self.loss_function(output, labels)
        self.context.backward(loss)
        self.context.step_optimizer(self.optimizer)
        return {"loss": loss, "acc": accuracy(output, labels)}

    def evaluate_batch(self, batch: Batch) -> dict[str, torch.Tensor]:
        features, labels = batch
        output = self.model(features)
        return {"val_loss": self.loss_function(output, labels), "val_acc": accuracy(output, labels)}

    def build_training_data_loader(self) -> DataLoader:
        batch_size = self.context.get_per_slot_batch_size()
        return DataLoader(self.train_dataset, batch_size=batch_size, collate_fn=whole_batch)

    def build_validation_data_loader(self) -> DataLoader:
        # All rows in one batch: a mean over batches would give the rows of a short last batch more weight.
        return DataLoader(self.val_dataset, batch_size=len(self.val_dataset), collate_fn=whole_batch)

    # New - the files to train on, from the commit that the training pipeline wrote into the configuration
    def download_data(self) -> list[str]:
        config = self.context.get_data_config()["pachyderm"]
        root = Path(f"/tmp/data-rank{self.context.distributed.get_rank()}")
        files = download_pach_repo(root=root, **config)
        if not files:
            since = f" since commit {config['previous_commit']}" if config["previous_commit"] else ""
            raise NoDataError(
                f"No data in {config['project']}/{config['repo']}@{config['branch']}: the commit brings no new or changed "
                f"file{since}. Put a CSV file into the repository to train again."
            )
        return files


def accuracy(output: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The share of rows whose output, cut at 0.5, equals the label."""
    return ((output >= 0.5).float() == labels).float().mean()
