"""Turn a registered model version into the files that TorchServe loads: a .mar archive and its config.properties."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from deployment_errors import DeploymentError

HANDLER = Path(__file__).with_name("customer_churn_handler.py")
EXTRA_FILES = ("preprocessing.py", "numscale.json")
"""Files of the experiment that the handler needs, from the checkpoint: the preprocessing the model was trained with."""

PROPERTIES = {
    "inference_address": "http://0.0.0.0:8085",
    "management_address": "http://0.0.0.0:8083",
    "metrics_address": "http://0.0.0.0:8082",
    "grpc_inference_port": "7070",
    "grpc_management_port": "7071",
    "enable_envvars_config": "true",
    "disable_token_authorization": "true",
    "install_py_dep_per_model": "true",
    "enable_metrics_api": "true",
    "metrics_format": "prometheus",
    "NUM_WORKERS": "1",
    "number_of_netty_threads": "4",
    "job_queue_size": "10",
}
"""Settings that KServe's TorchServe runtime expects; the addresses are inside the predictor's own container.

KServe's wrapper sends no token, which TorchServe requires since 0.11.1 unless this file or ``--disable-token-auth`` says
otherwise. The file does it for every version: an older TorchServe ends at an option that it does not know.
"""


def create_script_module(checkpoint: Path, folder: Path) -> Path:
    """Load the trial in ``checkpoint`` and save its network as TorchScript in ``folder``."""
    os.environ["SERVING_MODE"] = "true"  # the trial's code then downloads no data

    import torch
    from determined.pytorch import load_trial_from_checkpoint_path

    # A checkpoint has the state of random generators as well as tensors. It is safe to load: the cluster has written it.
    trial = load_trial_from_checkpoint_path(
        str(checkpoint), torch_load_kwargs={"map_location": "cpu", "weights_only": False}
    )
    path = folder / "scriptmodule.pt"
    torch.jit.save(torch.jit.script(trial.model.eval()), path)
    return path


def create_archive(name: str, version: str, script_module: Path, checkpoint: Path, folder: Path) -> Path:
    """Pack the network, the handler and the preprocessing of ``checkpoint`` into ``folder/<name>.mar``."""
    extra = [checkpoint / "code" / file for file in EXTRA_FILES]
    for path in extra:
        if not path.is_file():
            raise DeploymentError(f"the checkpoint's code has no {path.name}, which the handler needs")
    command = ["torch-model-archiver", "--force", "--export-path", str(folder)]
    command += ["--model-name", name, "--version", version]
    command += ["--serialized-file", str(script_module), "--handler", str(HANDLER)]
    command += ["--extra-files", ",".join(map(str, extra))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DeploymentError(f"torch-model-archiver failed: {done.stderr.strip()}")
    return folder / f"{name}.mar"


def create_properties(name: str, version: str, model_store: str, folder: Path) -> Path:
    """Write config.properties: the runtime loads version ``version`` from ``model_store`` at its start."""
    model = {
        "defaultVersion": True,
        "marName": f"{name}.mar",
        "minWorkers": 1,
        "maxWorkers": 5,
        "batchSize": 1,
        "maxBatchDelay": 5000,
        "responseTimeout": 120,
    }
    snapshot = {"name": "startup.cfg", "modelCount": 1, "models": {name: {version: model}}}
    properties = PROPERTIES | {"model_store": model_store, "model_snapshot": json.dumps(snapshot, separators=(",", ":"))}
    path = folder / "config.properties"
    path.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    return path
