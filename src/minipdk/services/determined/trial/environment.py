"""The environment of a trial: its variables, the files of /run/determined/info, its mounts and its container.

Names and shapes come from determined 0.38.1: its harness reads them (determined/_info.py) and its master sets them
(master/pkg/tasks). The files take precedence over the variables, so both contain the same values.
"""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass
from typing import Any

from minipdk.common.home import Home
from minipdk.services.determined.model import AGENT, Allocation, Experiment, Json, Trial

WORK_DIR = "/run/determined/workdir"
SHARED_FS = "/determined_shared_fs"


@dataclass(frozen=True)
class Environment:
    """Everything that one allocation of a trial needs to know."""

    home: Home
    experiment: Experiment
    trial: Trial
    allocation: Allocation
    session_token: str
    latest_checkpoint: str | None
    steps_completed: int

    def job(self, ports: dict[str, int]) -> Json:
        """The description that `minipdk.services.determined.trial.runner` works from; ``ports`` by their variables."""
        config = self.experiment.config
        storage = config["checkpoint_storage"]
        binds = [
            [mount["host_path"], posixpath.join(WORK_DIR, mount["container_path"]), mount["read_only"]]
            for mount in config["bind_mounts"]
        ]
        return {
            "allocation": self.allocation.id,
            "image": config["environment"]["image"]["cpu"],
            "entrypoint": config["entrypoint"],
            "env": {**{name: str(port) for name, port in ports.items()}, **self._variables()},
            "mounts": [[storage["host_path"], SHARED_FS, False], *binds],
            "work_dir": WORK_DIR,
            "info": self._info(),
        }

    @property
    def _hparams(self) -> Json:
        return self.trial.run_hparams or self.trial.hparams

    def _variables(self) -> dict[str, str]:
        """The trial's variables: Determined's, then settings for one machine, then the configuration's."""
        config, token, username = self.experiment.config, self.session_token, self.experiment.username
        variables = {
            "DET_MASTER": self.home.url("determined"),
            "DET_CLUSTER_ID": self.home.identity.cluster_id,
            "DET_AGENT_ID": AGENT,
            "DET_SLOT_IDS": _compact(self.allocation.slots),
            "DET_TASK_ID": self.allocation.task_id,
            "DET_ALLOCATION_ID": self.allocation.id,
            "DET_SESSION_TOKEN": token,
            "DET_USER": username,
            "DET_USER_TOKEN": token,
            "DET_TASK_TYPE": "TRIAL",
            "DET_RESOURCES_ID": self.allocation.container_id,
            "DET_RESOURCES_TYPE": "docker-container",
            "DET_CONTAINER_ID": self.allocation.container_id,
            "DET_WORKDIR": WORK_DIR,
            "DET_RUN_DIR": "/run/determined",
            "DET_USE_TLS": "false",
            "DET_SEGMENT_ENABLED": "false",
            "DET_EXPERIMENT_ID": str(self.experiment.id),
            "DET_TRIAL_ID": str(self.trial.id),
            "DET_TRIAL_RUN_ID": str(self.trial.run_id),
            "DET_TRIAL_SEED": str(self.trial.seed),
            "DET_EXPERIMENT_CONFIG": _compact(config),
            "DET_HPARAMS": _compact(self._hparams),
            "DET_STEPS_COMPLETED": str(self.steps_completed),
            "PYTHONUNBUFFERED": "1",
            # One slot is one core: more threads would slow down every other trial and the cluster itself.
            "OMP_NUM_THREADS": "1",
            # The harness keeps numpy's random state in checkpoints, which torch >= 2.6 does not load by default.
            "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
        }
        if self.latest_checkpoint:
            variables["DET_LATEST_CHECKPOINT"] = self.latest_checkpoint
        assignments = config["environment"]["environment_variables"]["cpu"]
        variables.update({name: value for name, _, value in (text.partition("=") for text in assignments)})
        return variables

    def _info(self) -> dict[str, Json]:
        """The contents of /run/determined/info/<name>.json."""
        config, slots = self.experiment.config, self.allocation.slots
        return {
            "cluster": {
                "master_url": self.home.url("determined"),
                "cluster_id": self.home.identity.cluster_id,
                "agent_id": AGENT,
                "slot_ids": slots,
                "task_id": self.allocation.task_id,
                "allocation_id": self.allocation.id,
                "session_token": self.session_token,
                "task_type": "TRIAL",
                "master_cert_name": None,
                "master_cert_file": None,
                "latest_checkpoint": self.latest_checkpoint,
            },
            "trial": {
                "trial_id": self.trial.id,
                "experiment_id": self.experiment.id,
                "trial_seed": self.trial.seed,
                "hparams": self._hparams,
                "config": config,
                "steps_completed": self.steps_completed,
                "trial_run_id": self.trial.run_id,
                "debug": config["debug"],
                "inter_node_network_interface": None,
            },
            "rendezvous": rendezvous(slots),
            "resources": {"gpu_uuids": []},
        }


def rendezvous(slots: list[int]) -> Json:
    """The one container of a trial."""
    return {"container_addrs": ["127.0.0.1"], "container_rank": 0, "container_slot_counts": [len(slots)]}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
