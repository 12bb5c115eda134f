"""Trials that Determined's launchers for distributed training start, on one slot each."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.minipdk.services.determined.conftest import Cluster, finish

from minipdk.services.determined.resource_manager.ports import NAMES

SCRIPT = f"""
import os, pathlib, time
import determined as det
import torch.distributed

NAMES = {NAMES}
torch.distributed.init_process_group("gloo")
distributed = det.core.DistributedContext.from_torch_distributed()
with det.core.init(distributed=distributed) as context:
    print("ports", *(os.environ[name] for name in NAMES))
    meeting = pathlib.Path("/meeting")
    (meeting / str(context.train._trial_id)).touch()
    deadline = time.monotonic() + 200
    while len(list(meeting.iterdir())) < 2:
        assert time.monotonic() < deadline, "the other trial did not come"
        time.sleep(0.05)
    context.train.report_validation_metrics(1, {{"val_loss": 1.0}})
"""


def test_two_trials_of_torch_distributed_run_at_once(cluster: Cluster, tmp_path: Path) -> None:
    if len(cluster.session().get("api/v1/agents/local/slots").json()["slots"]) < 2:
        pytest.skip("this machine has one slot")
    experiments = [
        cluster.submit(
            {"main.py": SCRIPT},
            entrypoint="python3 -m determined.launch.torch_distributed python3 main.py",
            bind_mounts=[{"host_path": str(tmp_path), "container_path": "/meeting"}],
        )
        for _ in range(2)
    ]
    for experiment in experiments:
        assert finish(experiment, seconds=240) == "COMPLETED", cluster.logs(experiment)
    lines = [line for experiment in experiments for line in cluster.logs(experiment).splitlines() if "ports " in line]
    one, other = (set(line.split("ports ")[1].split()) for line in lines)
    assert not one & other
