"""The churn network as a Determined trial (PyTorch Trial API)."""

from __future__ import annotations

import torch
from data import Batch, get_train_and_validation_datasets, whole_batch
from determined.pytorch import DataLoader, PyTorchTrial, PyTorchTrialContext
from preprocessing import INPUTS
from torch import nn, optim


class ChurnTrial(PyTorchTrial):
    """A small dense network that predicts whether a customer will churn (1) or stay (0)."""

    def __init__(self, context: PyTorchTrialContext) -> None:
        self.context = context

        self.train_dataset, self.val_dataset = get_train_and_validation_datasets(
            self.context.get_data_config()["data_file"],
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


def accuracy(output: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The share of rows whose output, cut at 0.5, equals the label."""
    return ((output >= 0.5).float() == labels).float().mean()
