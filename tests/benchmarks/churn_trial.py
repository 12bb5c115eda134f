"""How long a trial takes beside the same training loop as a plain script: 1000 batches of 512 rows, a small network.

Both train the same 139-32-1 network on the same random rows, and validate and save a checkpoint every 100 batches. The
script is timed as a process, imports included; the trial from the request that creates it to the state COMPLETED. Run
``python -m tests.benchmarks.churn_trial [repetitions]`` in the repository's folder.
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from tests.conftest import ServiceProcess, new_home

ROWS, FEATURES, BATCH, BATCHES, PERIOD = 20_000, 139, 512, 1000, 100

SHARED = f"""
import torch
from torch import nn


class Rows(torch.utils.data.Dataset):
    def __init__(self, count, seed):
        self.x = torch.randn(count, {FEATURES}, generator=torch.Generator().manual_seed(seed))
        self.y = (self.x[:, :5].sum(1, keepdim=True) > 0).float()

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index], self.y[index]


def network():
    return nn.Sequential(nn.Linear({FEATURES}, 32), nn.ReLU(), nn.Linear(32, 1))


loss_function = nn.functional.binary_cross_entropy_with_logits
"""

SCRIPT = f"""
from pathlib import Path

import torch
from shared import Rows, loss_function, network

training = torch.utils.data.DataLoader(Rows({ROWS}, 0), batch_size={BATCH}, shuffle=True)
validation = torch.utils.data.DataLoader(Rows({ROWS // 5}, 1), batch_size={BATCH})
model = network()
optimizer = torch.optim.Adam(model.parameters())
done = 0
while done < {BATCHES}:
    for x, y in training:
        loss = loss_function(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        done += 1
        if done % {PERIOD} == 0:
            with torch.no_grad():
                mean = torch.stack([loss_function(model(x), y) for x, y in validation]).mean()
            print(done, loss.item(), mean.item(), flush=True)
            torch.save([model.state_dict(), optimizer.state_dict()], Path("checkpoint.pt"))
        if done == {BATCHES}:
            break
"""

MODEL_DEF = f"""
import torch
from determined.pytorch import DataLoader, PyTorchTrial
from shared import Rows, loss_function, network


class ChurnTrial(PyTorchTrial):
    def __init__(self, context):
        self.context = context
        self.model = context.wrap_model(network())
        self.optimizer = context.wrap_optimizer(torch.optim.Adam(self.model.parameters()))

    def build_training_data_loader(self):
        return DataLoader(Rows({ROWS}, 0), batch_size={BATCH}, shuffle=True)

    def build_validation_data_loader(self):
        return DataLoader(Rows({ROWS // 5}, 1), batch_size={BATCH})

    def train_batch(self, batch, epoch_idx, batch_idx):
        x, y = batch
        loss = loss_function(self.model(x), y)
        self.context.backward(loss)
        self.context.step_optimizer(self.optimizer)
        return {{"loss": loss}}

    def evaluate_batch(self, batch):
        x, y = batch
        return {{"val_loss": loss_function(self.model(x), y)}}
"""

CONFIG = {
    "name": "benchmark",
    "entrypoint": "model_def:ChurnTrial",
    "searcher": {"name": "single", "metric": "val_loss", "max_length": {"batches": BATCHES}},
    "min_validation_period": {"batches": PERIOD},
    "min_checkpoint_period": {"batches": PERIOD},
    "max_restarts": 0,
}


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in {"shared.py": SHARED, "script.py": SCRIPT, "model_def.py": MODEL_DEF}.items():
            (folder / "code").mkdir(exist_ok=True)
            (folder / "code" / file).write_text(content)
        service = ServiceProcess(new_home(folder / "home"), "determined", "determined")
        service.start()
        try:
            scripts = [_script(folder / "code") for _ in range(repetitions)]
            first, *trials = [_trial(service, folder / "code") for _ in range(repetitions + 1)]
        finally:
            service.stop()
    script, trial = statistics.median(scripts), statistics.median(trials)
    print(f"plain script              {script:6.2f} s  (median of {repetitions})")
    print(f"trial                     {trial:6.2f} s  (median of {repetitions}), {trial / script:.2f} times the script")
    print(f"first trial of a cluster  {first:6.2f} s  (waits for the imports, once)")


def _script(folder: Path) -> float:
    started = time.monotonic()
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "script.py"], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def _trial(service: ServiceProcess, folder: Path) -> float:
    from determined.experimental import Determined

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        sdk = Determined(master=service.home.url("determined"), user="determined", password=service.home.token)
        started = time.monotonic()
        experiment = sdk.create_experiment(CONFIG, str(folder))
        experiment.wait(interval=0.05)
        assert experiment.state is not None
        assert experiment.state.name == "COMPLETED", experiment.state
    return time.monotonic() - started


if __name__ == "__main__":
    main()
