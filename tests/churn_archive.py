"""The churn model's archive, made as the deployment step makes it, of a network that needs no training.

python -m tests.churn_archive FOLDER [HANDLER]        # leaves churn.mar there
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[1]
EXPERIMENT = REPOSITORY / "solutions/port-experiment/experiment"
SAMPLE = REPOSITORY / "sample-data" / "customer_churn_sample.json"
NAME = "churn"


def write_checkpoint(folder: Path) -> Path:
    """A checkpoint as Determined writes it, of a network that predicts churn if eqpdays is above its mean."""
    import torch

    shutil.copytree(EXPERIMENT, folder / "code", ignore=shutil.ignore_patterns("__pycache__"))
    config = yaml.safe_load((EXPERIMENT / "const.yaml").read_text())
    described: dict[str, Any] = {"trial_type": "PyTorchTrial", "trial_cls_spec": "model_def:ChurnTrial", "is_trainer": False}
    described |= {"experiment_config": config, "hparams": config["hyperparameters"]}
    (folder / "load_data.json").write_text(json.dumps(described))
    network = torch.nn.Sequential(torch.nn.Linear(139, 32), torch.nn.Linear(32, 1), torch.nn.Sigmoid())
    with torch.no_grad():
        for weights in network.parameters():
            weights.zero_()
        network[0].weight[0, 72] = network[1].weight[0, 0] = 1
    state: dict[str, Any] = {"models_state_dict": [network.state_dict()]}
    torch.save(state | {"optimizers_state_dict": [], "lr_schedulers_state_dict": []}, folder / "state_dict.pth")
    return folder


def make(folder: Path, handler: Path | None = None) -> Path:
    """``folder/churn.mar``, with ``handler`` in place of the course's.

    A separate process makes it, so that the imports of the experiment's code stay out of this process.
    """
    environment = os.environ | {
        "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'containers/deploy'}",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TMPDIR": tempfile.mkdtemp(dir=folder),  # the archiver works in a folder there with the model's name
    }
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.churn_archive",
        str(folder),
        *([str(handler)] if handler else []),
    ]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)
    return folder / f"{NAME}.mar"


def customers(rows: int) -> dict[str, Any]:
    """A request's body that asks about the first ``rows`` of the sample's ten customers."""
    sample = json.loads(SAMPLE.read_text())
    return {"instances": [{"data": {name: dict(list(column.items())[:rows]) for name, column in sample.items()}}]}


if __name__ == "__main__":
    import model_archive

    place = Path(sys.argv[1])
    if sys.argv[2:]:
        model_archive.HANDLER = Path(sys.argv[2])
    checkpoint = write_checkpoint(place / "checkpoint")
    script = model_archive.create_script_module(checkpoint, place)
    model_archive.create_archive(NAME, "1", script, checkpoint, place)
