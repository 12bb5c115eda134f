"""Requests to create, continue or reconfigure an experiment, checked as a whole before anything is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from minipdk.common.home import Home
from minipdk.images import ImageStore
from minipdk.images.errors import ImageError
from minipdk.services.determined import config as configuration
from minipdk.services.determined import model_definition
from minipdk.services.determined.checkpoints import Checkpoints
from minipdk.services.determined.config.hyperparameters import MAX_GRID_TRIALS, grid_size
from minipdk.services.determined.errors import ConfigError, InvalidArgumentError, UnsupportedError
from minipdk.services.determined.experiments import Experiments
from minipdk.services.determined.model import Experiment, Json, Project, State
from minipdk.services.determined.trials import Trials
from minipdk.services.determined.workspaces import Workspaces


@dataclass(frozen=True)
class Submission:
    """An experiment that may be created. ``source`` is the checkpoint from which its trials start."""

    config: Json
    original: str
    archive: bytes
    project: Project
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
        original = request.get("config") or (parent.original_config if parent else "")
        config = self.complete(configuration.parse_yaml(original))
        files = request.get("modelDefinition") or []
        archive = self._experiments.definition(parent) if parent and not files else model_definition.pack(files)
        project = self._workspaces.resolve_project(config, request.get("projectId") or 0)
        return Submission(config, original, archive, project, parent_id, self._source(config))

    def create(self, submission: Submission, *, user_id: int, activate: bool) -> Experiment:
        return self._experiments.create(
            submission.config,
            submission.original,
            submission.archive,
            project_id=submission.project.id,
            parent_id=submission.parent_id,
            user_id=user_id,
            source=submission.source,
            activate=activate,
        )

    def check_continuation(self, experiment: Experiment, overrides: str) -> Json:
        """The experiment's configuration with the settings of ``overrides`` (YAML), which only a single trial may get."""
        given, searcher = configuration.parse_yaml(overrides.strip() or "{}"), experiment.searcher.name
        if given and searcher != "single":
            raise InvalidArgumentError(
                f"override config is provided and experiment is not single searcher, got '{searcher}' instead"
            )
        for noun in ("project", "workspace"):
            if given.get(noun) is not None:
                raise InvalidArgumentError(
                    f"'{noun}' in override config cannot be specified,"
                    f" use `det experiment move` first if you want to change the {noun}"
                )
        config = self.complete(configuration.with_overrides(experiment.config, given))
        if searcher == "single" and config["searcher"]["name"] != "single":
            raise InvalidArgumentError(
                f"override config must have single searcher type got '{config['searcher']['name']}' instead"
            )
        return config

    def reconfigure(self, experiment: Experiment, resources: Json, storage: Json) -> Json:
        """The experiment's configuration with these settings of its sections resources and checkpoint_storage."""
        config = dict(experiment.config)
        config["resources"] = {**config["resources"], **resources}
        config["checkpoint_storage"] = {**config["checkpoint_storage"], **storage}
        return self.complete(config)

    def complete(self, settings: Json) -> Json:
        """``settings`` with all defaults, and with this cluster's resource pool and checkpoint storage.

        Raises ConfigError with all faults, such as an image or a folder that does not exist here.
        """
        config = configuration.complete(settings)
        pools = self._home.identity.resource_pools
        resources, storage = config["resources"], config["checkpoint_storage"]
        resources["resource_pool"] = resources["resource_pool"] or pools[0]
        storage["host_path"] = storage["host_path"] or str(self._home.folder("shared_fs"))
        checks: list[Callable[[], str | None]] = [
            lambda: _pool_fault(resources["resource_pool"], pools),
            lambda: self._image_fault(config["environment"]["image"]["cpu"]),
            lambda: _folder_fault("checkpoint_storage.host_path", storage["host_path"]),
            *[
                lambda i=i, mount=mount: _path_fault(f"bind_mounts[{i}].host_path", mount["host_path"])
                for i, mount in enumerate(config["bind_mounts"])
            ],
            lambda: _grid_fault(config),
        ]
        if faults := [fault for check in checks if (fault := check())]:
            raise ConfigError(faults)
        return config

    def _image_fault(self, image: str) -> str | None:
        try:
            ImageStore(self._home).resolve(image)
        except ImageError as error:
            return f"environment.image: {error}"
        return None

    def _source(self, config: Json) -> str | None:
        searcher = config["searcher"]
        uuid: str | None = searcher["source_checkpoint_uuid"]
        if trial_id := searcher["source_trial_id"]:
            latest = self._checkpoints.latest(self._trials.get(trial_id).id)
            if latest is None:
                raise ConfigError([f"searcher.source_trial_id: trial {trial_id} has no checkpoint to start from"])
            uuid = latest.uuid
        if uuid and (state := self._checkpoints.get(uuid).state) != State.COMPLETED:
            raise ConfigError([f"searcher.source_checkpoint_uuid: checkpoint {uuid} is {state}, not COMPLETED"])
        return uuid or None


def _pool_fault(pool: str, pools: list[str]) -> str | None:
    if pool in pools:
        return None
    return (
        f"resources.resource_pool: this cluster has no resource pool {pool!r}; it has {', '.join(pools)}; "
        f"add it with `minipdk start --resource-pools {','.join([*pools, pool])}`"
    )


def _folder_fault(path: str, folder: str) -> str | None:
    return None if Path(folder).is_dir() else f"{path}: {folder} is not a folder on this machine"


def _path_fault(key: str, path: str) -> str | None:
    return None if Path(path).exists() else f"{key}: {path} is not a file or folder on this machine"


def _grid_fault(config: Json) -> str | None:
    if config["searcher"]["name"] == "grid" and (size := grid_size(config["hyperparameters"])) > MAX_GRID_TRIALS:
        return f"hyperparameters: the grid has {size} trials, more than {MAX_GRID_TRIALS}: lower a count"
    return None
