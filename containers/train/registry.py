"""The model registry: one version for each job that trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from determined.common.api.errors import NotFoundException
from determined.experimental import Determined
from determined.experimental.client import Checkpoint, Experiment, Model, ModelVersion
from training_errors import TrainingError


def get_or_create_model(client: Determined, name: str, pipeline: str, repo: str) -> Model:
    """The model ``name``, made if it is not there."""
    try:
        return client.get_model(name)
    except NotFoundException:
        print(f"Creating the model {name}")
        return client.create_model(name, labels=[pipeline, repo], metadata={"pipeline": pipeline, "repository": repo})


def version_named(model: Model, name: str) -> ModelVersion | None:
    """The version called ``name``; None if there is no such version."""
    return next((version for version in model.list_versions() if version.name == name), None)


def trained_on(version: ModelVersion) -> str:
    """The commit that ``version`` was trained on."""
    metadata = (version.checkpoint.metadata if version.checkpoint else None) or {}
    return str(metadata.get("commit") or version.name)


def best_checkpoint(experiment: Experiment) -> Checkpoint:
    """The experiment's checkpoint with the best searcher metric."""
    checkpoints = experiment.list_checkpoints(max_results=1)
    if not checkpoints:
        raise TrainingError(f"experiment {experiment.id} has no checkpoint: did it validate at all?")
    return checkpoints[0]


def register(model: Model, checkpoint: Checkpoint, name: str, origin: dict[str, Any]) -> ModelVersion:
    """Register ``checkpoint`` as the version ``name`` and note the origin in both.

    The name comes last, so that a version with a name is complete. A version that an earlier try left unnamed is used again.
    """
    versions = model.list_versions()
    unnamed = (v for v in versions if v.checkpoint and v.checkpoint.uuid == checkpoint.uuid and not v.name)
    version = next(unnamed, None) or model.register_version(checkpoint.uuid)
    checkpoint.add_metadata(origin)
    version.set_notes("\n".join(f"{key}: {value}" for key, value in origin.items()))
    version.set_name(name)
    version.reload()
    return version


def write_model_info(path: Path, info: dict[str, Any]) -> None:
    """Write ``info`` for the deployment step to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(info, sort_keys=False))
