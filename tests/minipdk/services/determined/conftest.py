"""One master for all these tests, driven by Determined's clients: the SDK, the `det` command and its REST session."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from determined.common import api
from determined.common.api import authentication
from determined.experimental import Checkpoint, Determined, Experiment
from tests.conftest import ServiceProcess, new_home, wait_for

from minipdk.common.home import Home

DET = Path(sys.executable).with_name("det")

TRIAL = """
import torch
from determined.pytorch import DataLoader, PyTorchTrial
from torch import nn


class LineTrial(PyTorchTrial):
    def __init__(self, context):
        self.context = context
        self.model = context.wrap_model(nn.Linear(2, 1))
        self.optimizer = context.wrap_optimizer(torch.optim.SGD(self.model.parameters(), lr=context.get_hparam("lr")))
        x = torch.randn(256, 2, generator=torch.Generator().manual_seed(0))
        self.data = torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True))

    def build_training_data_loader(self):
        return DataLoader(self.data, batch_size=32)

    def build_validation_data_loader(self):
        return DataLoader(self.data, batch_size=32)

    def train_batch(self, batch, epoch_idx, batch_idx):
        x, y = batch
        loss = nn.functional.mse_loss(self.model(x), y)
        self.context.backward(loss)
        self.context.step_optimizer(self.optimizer)
        return {"loss": loss}

    def evaluate_batch(self, batch):
        x, y = batch
        return {"val_loss": nn.functional.mse_loss(self.model(x), y)}
"""

STEPS = """
import json, pathlib, time
import determined as det

info = det.get_cluster_info()
hparams = info.trial.hparams
with det.core.init() as context:
    step = 0
    if info.latest_checkpoint:
        with context.checkpoint.restore_path(info.latest_checkpoint) as folder:
            step = json.loads((folder / "step.json").read_text())
        print("resumed at", step, flush=True)
    while step < hparams["steps"]:
        step += 1
        time.sleep(hparams.get("seconds", 0))
        context.train.report_validation_metrics(step, {"val_loss": 1 / step})
        context.train.report_progress(step / hparams["steps"])
        with context.checkpoint.store_path({"steps_completed": step}) as (folder, _):
            (folder / "step.json").write_text(json.dumps(step))
        if context.preempt.should_preempt():
            break
"""


class Cluster:
    """A home with a running master, and clients of it."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home = home
        self.service = ServiceProcess(home, "determined", "determined")
        self.folder = folder
        self._sdk: Determined | None = None

    @property
    def url(self) -> str:
        return self.home.url("determined")

    @property
    def sdk(self) -> Determined:
        if self._sdk is None:
            self._sdk = Determined(master=self.url, user="determined", password=self.home.token)
        return self._sdk

    def session(self, user: str = "determined") -> api.Session:
        """Determined's REST session, as the SDK uses it."""
        return authentication.login(self.url, user, self.home.token).with_retry(0)

    def det(self, *arguments: str, code: int = 0) -> str:
        """The output of the `det` command, which must end with ``code``."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "DET_MASTER": self.url,
            "DET_USER": "determined",
            "DET_PASS": self.home.token,
            "PYTHONWARNINGS": "ignore",
        }
        done = subprocess.run([DET, *arguments], env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def write(self, files: dict[str, str | bytes], config: dict[str, Any] | None = None) -> Path:
        """A new folder with ``files``, and the configuration beside it in a file of the same name with .yaml."""
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        if config is not None:
            folder.with_suffix(".yaml").write_text(yaml.safe_dump(config))
        return folder

    def submit(self, files: dict[str, str | bytes], **config: Any) -> Experiment:
        """Create an experiment with ``files``; ``config`` is added to a small default configuration."""
        with warnings.catch_warnings(category=DeprecationWarning):
            warnings.simplefilter("ignore")  # the vendor's client uses a deprecated pattern class
            return self.sdk.create_experiment(configuration(**config), str(self.write(files)))

    def steps(self, steps: int, seconds: float = 0, **config: Any) -> Experiment:
        """An experiment that validates and saves a checkpoint at each of its ``steps``, ``seconds`` apart."""
        return self.submit(
            {"steps.py": STEPS},
            entrypoint="python3 steps.py",
            hyperparameters={"steps": steps, "seconds": seconds},
            **config,
        )

    def logs(self, experiment: Experiment) -> str:
        return "".join(line for trial in experiment.list_trials() for line in trial.iter_logs())


def configuration(**config: Any) -> dict[str, Any]:
    """A small configuration with ``config`` in it."""
    return {
        "name": "test",
        "entrypoint": "model_def:LineTrial",
        "searcher": {"name": "single", "metric": "val_loss", "max_length": {"batches": 8}},
        "hyperparameters": {"lr": 0.1},
        "max_restarts": 0,
        **config,
    }


def finish(experiment: Experiment, *, seconds: float = 60) -> str:
    """The name of the state in which the experiment ends."""

    def ended() -> bool:
        experiment.reload()
        return experiment.state is not None and experiment.state.name in ("COMPLETED", "CANCELED", "ERROR")

    wait_for(ended, seconds=seconds, what=f"experiment {experiment.id} to end")
    assert experiment.state is not None
    return str(experiment.state.name)


def best(experiment: Experiment) -> Checkpoint:
    """The checkpoint with the best searcher metric."""
    return experiment.list_checkpoints(max_results=1)[0]


def reached(experiment: Experiment, batches: int) -> bool:
    """Whether the experiment's first trial has validated at ``batches``."""
    trial = experiment._session.get(f"api/v1/experiments/{experiment.id}/trials").json()["trials"][0]
    return bool(trial["totalBatchesProcessed"] >= batches)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running master that the tests share."""
    folder = tmp_path_factory.mktemp("determined")
    running = Cluster(new_home(folder / "home"), folder / "files")
    running.service.start()
    yield running
    running.service.stop()
    shutil.rmtree(folder, ignore_errors=True)
