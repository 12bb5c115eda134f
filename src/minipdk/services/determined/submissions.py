"""A request to create or continue an experiment, checked whole before anything is kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minipdk.common.home import Home
from minipdk.images import ImageStore
from minipdk.images.errors import ImageError
from minipdk.services.determined import model_definition, states
from minipdk.services.determined.checkpoints import Checkpoints
from minipdk.services.determined.config import experiment as configuration
from minipdk.services.determined.config.hyperparameters import MAX_GRID_TRIALS, grid_size
from minipdk.services.determined.errors import ConfigError, InvalidArgumentError, UnsupportedError
from minipdk.services.determined.experiments import Experiments
from minipdk.services.determined.store.schema import loads
from minipdk.services.determined.trials import Trials
from minipdk.services.determined.workspaces import Workspaces

Json = dict[str, Any]


@dataclass(frozen=True)
class Submission:
    """An experiment that may be created. ``source`` is the checkpoint its trials start from."""

    config: Json
    original: str
    archive: bytes
    project: sqlite3.Row
    parent_id: int | None
    source: str | None


class Submissions:
    def __init__(
        self, home: Home, workspaces: Workspaces, experiments: Experiments, trials: Trials, checkpoints: Checkpoints
    ) -> None:
        self._home = home
        self._workspaces = workspaces
        self._experiments = experiments
        self._trials = trials
        self._checkpoints = checkpoints

    def check(self, request: Json) -> Submission:
        """Check a CreateExperimentRequest. Raises ConfigError, InvalidArgumentError or NotFoundError."""
        if request.get("template"):
            raise UnsupportedError(f"template {request['template']!r}")
        if request.get("unmanaged"):
            raise UnsupportedError("an unmanaged experiment")
        parent_id = request.get("parentId") or None
        parent = self._experiments.get(parent_id) if parent_id else None
        original = request.get("config") or (parent["original_config"] if parent else "")
        config = self.complete(configuration.parse_yaml(original))
        files = request.get("modelDefinition") or []
        archive = self._experiments.definition(parent["id"]) if parent and not files else model_definition.pack(files)
        project = self._workspaces.resolve_project(config, request.get("projectId") or 0)
        return Submission(config, original, archive, project, parent_id, self._source(config))

    def check_continuation(self, experiment: sqlite3.Row, override: str) -> Json:
        """The experiment's configuration with the settings of ``override`` (YAML) in it."""
        merged = merge(configuration.parse_yaml(experiment["original_config"]), configuration.parse_yaml(override or "{}"))
        config = self.complete(merged)
        before = loads(experiment["config_json"])
        if config["searcher"]["name"] != "single" or before["searcher"]["name"] != "single":
            raise InvalidArgumentError("only an experiment with the searcher single can be continued")
        config["reproducibility"] = before["reproducibility"]
        config["name"] = config["name"] or before["name"]
        return config

    def complete(self, given: Json) -> Json:
        """``given`` with all defaults and this cluster's own: resource pool, checkpoint storage, image."""
        config = configuration.complete(given)
        pools = self._home.identity.resource_pools
        resources, storage = config["resources"], config["checkpoint_storage"]
        resources["resource_pool"] = resources["resource_pool"] or pools[0]
        storage["host_path"] = storage["host_path"] or str(self._home.folder("shared_fs"))
        checks: list[Callable[[], str | None]] = [
            lambda: self._pool_fault(resources["resource_pool"], pools),
            lambda: self._image_fault(config["environment"]["image"]["cpu"]),
            lambda: _folder_fault("checkpoint_storage.host_path", storage["host_path"]),
            *[
                lambda i=i, mount=mount: _folder_fault(f"bind_mounts[{i}].host_path", mount["host_path"])
                for i, mount in enumerate(config["bind_mounts"])
            ],
            lambda: _grid_fault(config),
        ]
        if faults := [fault for check in checks if (fault := check())]:
            raise ConfigError(faults)
        return config

    def _pool_fault(self, pool: str, pools: list[str]) -> str | None:
        if pool in pools:
            return None
        return (
            f"resources.resource_pool: this cluster has no resource pool {pool!r}; it has {', '.join(pools)}; "
            f"add it with `minipdk start --resource-pools {','.join([*pools, pool])}`"
        )

    def _image_fault(self, image: str) -> str | None:
        try:
            ImageStore(self._home).resolve(image)
        except ImageError as error:
            return f"environment.image: {error}"
        return None

    def _source(self, config: Json) -> str | None:
        searcher = config["searcher"]
        uuid = searcher["source_checkpoint_uuid"]
        if trial_id := searcher["source_trial_id"]:
            latest = self._checkpoints.latest(self._trials.get(trial_id)["id"])
            if latest is None:
                raise ConfigError([f"searcher.source_trial_id: trial {trial_id} has no checkpoint to start from"])
            uuid = latest["uuid"]
        if uuid and self._checkpoints.get(uuid)["state"] != states.COMPLETED:
            state = self._checkpoints.get(uuid)["state"]
            raise ConfigError([f"searcher.source_checkpoint_uuid: checkpoint {uuid} is {state}, not COMPLETED"])
        return uuid or None


def merge(base: Json, over: Json) -> Json:
    """``base`` with the values of ``over``; mappings are merged, all else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both and key != "max_length" else value
    return merged


def _folder_fault(path: str, folder: str) -> str | None:
    return None if Path(folder).is_dir() else f"{path}: {folder} is not a folder on this machine"


def _grid_fault(config: Json) -> str | None:
    if config["searcher"]["name"] == "grid" and (size := grid_size(config["hyperparameters"])) > MAX_GRID_TRIALS:
        return f"hyperparameters: the grid has {size} trials, more than {MAX_GRID_TRIALS}: lower a count"
    return None
