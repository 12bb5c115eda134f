"""The settings of the experiment configuration: every key that Determined 0.38.1 knows, with its default.

The rules come from the expconf v0 schema in Determined's sources (no JSON schema ships with the package). A key that is not
in the schema is refused with its full path, a key that this master cannot honour is refused as unsupported, and ``null``
means the default. The keys of `ECHOED` are accepted and only recorded, because they change nothing on one machine.
"""

from __future__ import annotations

import posixpath
import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from minipdk.services.determined.config.faults import describe, unsupported
from minipdk.services.determined.config.hyperparameters import normalize
from minipdk.services.determined.errors import ConfigError
from minipdk.services.determined.model import DEFAULT_PRIORITY

ECHOED = (
    "checkpoint_storage.propagation",  # as that of bind mounts: a trial's mounts are private
    "integrations.pachyderm",  # lineage: read back by Checkpoint.get_pachyderm_commit(), as on any master
    "optimizations.auto_tune_tensor_fusion",
    "optimizations.grad_updates_size_file",
    "optimizations.mixed_precision",
    "optimizations.tensor_fusion_cycle_time",
    "optimizations.tensor_fusion_threshold",
    "resources.agent_label",
    "resources.is_single_node",
    "resources.native_parallel",
    "resources.shm_size",  # trials use the host's /dev/shm
    "resources.weight",  # for the fair-share scheduler; this one goes by priority, then by age
    "data_layer",
)
IMAGE = "determinedai/pytorch-ngc-dev:0736b6d"
ROCM_IMAGE = "determinedai/environments:rocm-5.6-pytorch-1.3-tf-2.10-rocm-mpich-0736b6d"
LOG_POLICIES: list[dict[str, Any]] = [
    {"name": "CUDA OOM", "pattern": ".*CUDA out of memory.*"},
    {"name": "ECC Error", "pattern": ".*uncorrectable ECC error encountered.*"},
]
"""Determined's own log policies, which only name their findings."""
MAX_CONCURRENT_TRIALS = 16
MAX_SEED = 2**32 - 1
Number = int | float
NonNegative = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A mapping with known keys."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
    absent_when_unset: ClassVar[frozenset[str]] = frozenset()
    """The settings without a value that a stored configuration does not show."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, value: Any) -> Any:
        return {key: setting for key, setting in value.items() if setting is not None} if isinstance(value, dict) else value

    @model_serializer(mode="wrap")
    def _without_unset(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        shown: dict[str, Any] = serialize(self)
        return {key: value for key, value in shown.items() if value is not None or key not in self.absent_when_unset}


def _refuse_if_set(value: Any) -> Any:
    if value:
        raise unsupported()
    return value


def _refuse(_: Any) -> Any:
    raise unsupported()


Refused = Annotated[Any, BeforeValidator(_refuse_if_set)]


def _length(value: Any) -> Any:
    units = ("batches", "records", "epochs")
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in units:
        raise ValueError('must have exactly one key: "batches", "records" or "epochs"')
    unit, count = next(iter(value.items()))
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ValueError(f"{unit} must be a number of 0 or more, not {count!r}")
    return value


def _training_length(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        value, bare = {"batches": value}, value
    else:
        bare = value
    if next(iter(_length(value).values())) == 0:
        raise ValueError("must be 1 or more")
    return bare


def _words(value: Any) -> Any:
    texts = isinstance(value, str) or (isinstance(value, list) and all(isinstance(word, str) for word in value))
    if not texts or not any(value):
        raise ValueError("must be a command, or a list of its words")
    return value


def _memory_size(value: Any) -> Any:
    """The master's schema knows texts such as 4g, and then refuses them: it keeps a number of bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"must be a number of bytes, such as {4 * 2**30}, not {value!r}")


def _log_policies(value: Any) -> Any:
    if value and any(policy not in LOG_POLICIES for policy in value):
        raise unsupported()
    return LOG_POLICIES


def _as_cuda(value: Any) -> Any:
    """``gpu`` is the older name of ``cuda``, which wins."""
    if not isinstance(value, dict) or value.get("gpu") is None:
        return value
    named = {key: setting for key, setting in value.items() if key != "gpu"}
    return named if named.get("cuda") is not None else {**named, "cuda": value["gpu"]}


Words = Annotated[Any, BeforeValidator(_words)]
MemorySize = Annotated[Any, BeforeValidator(_memory_size)]
Propagation = Literal["rprivate", "private", "rshared", "shared", "rslave", "slave"]
Length = Annotated[dict[str, int], BeforeValidator(_length)]
TrainingLength = Annotated[dict[str, int] | int, BeforeValidator(_training_length)]


class Searcher(Section):
    absent_when_unset = frozenset({"max_length", "max_trials", "max_concurrent_trials"})

    name: Literal["single", "random", "grid"]
    metric: str
    smaller_is_better: bool = True
    max_length: TrainingLength | None = None
    max_trials: Positive | None = None
    max_concurrent_trials: NonNegative | None = None
    source_trial_id: int | None = None
    source_checkpoint_uuid: str | None = None

    @field_validator("name", mode="before")
    @classmethod
    def _refuse_unsupported(cls, name: Any) -> Any:
        if name in ("adaptive_asha", "async_halving", "custom", "adaptive", "adaptive_simple", "sync_halving"):
            raise unsupported()
        return name

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.name != "random" and self.max_trials is not None:
            raise ValueError(f"max_trials is not a setting of the searcher {self.name}")
        if self.name == "random" and self.max_trials is None:
            raise ValueError("max_trials is required for the searcher random")
        if self.name == "single" and self.max_concurrent_trials is not None:
            raise ValueError("max_concurrent_trials is not a setting of the searcher single")
        if self.name != "single" and self.max_concurrent_trials is None:
            self.max_concurrent_trials = MAX_CONCURRENT_TRIALS
        if self.source_trial_id is not None and self.source_checkpoint_uuid is not None:
            raise ValueError("source_trial_id and source_checkpoint_uuid exclude each other: set one")
        return self


class ImageMap(Section):
    cpu: str = IMAGE
    cuda: str = IMAGE
    rocm: str = ROCM_IMAGE


class VariablesMap(Section):
    cpu: list[str] = []
    cuda: list[str] = []
    rocm: list[str] = []

    @field_validator("cpu")
    @classmethod
    def _assignments(cls, variables: list[str]) -> list[str]:
        for text in variables:
            if not re.match(r"[A-Za-z_][A-Za-z0-9_]*(=|$)", text):
                raise ValueError(f"{text!r} is not of the form NAME=value")
        return variables


class Environment(Section):
    image: ImageMap = ImageMap()
    environment_variables: VariablesMap = VariablesMap()
    proxy_ports: Refused = []
    ports: Refused = {}
    force_pull_image: Refused = False
    registry_auth: Refused = None
    add_capabilities: Refused = []
    drop_capabilities: Refused = []
    pod_spec: Refused = None

    @field_validator("image", mode="before")
    @classmethod
    def _image_for_all_devices(cls, image: Any) -> Any:
        return dict.fromkeys(("cpu", "cuda", "rocm"), image) if isinstance(image, str) else _as_cuda(image)

    @field_validator("environment_variables", mode="before")
    @classmethod
    def _variables_for_all_devices(cls, variables: Any) -> Any:
        return dict.fromkeys(("cpu", "cuda", "rocm"), variables) if isinstance(variables, list) else _as_cuda(variables)


class Resources(Section):
    absent_when_unset = frozenset({"agent_label"})

    resource_pool: str = ""
    slots_per_trial: NonNegative = 1
    max_slots: NonNegative | None = None
    priority: Annotated[int, Field(ge=1, le=99)] = DEFAULT_PRIORITY
    weight: Number = 1
    shm_size: MemorySize = None
    agent_label: str | None = None
    is_single_node: bool | None = None
    native_parallel: bool = False
    devices: Refused = []

    @field_validator("slots_per_trial")
    @classmethod
    def _at_most_one(cls, slots: int) -> int:
        if slots > 1:
            raise unsupported(f"training one trial on {slots} slots (set 1)")
        return slots


class CheckpointStorage(Section):
    absent_when_unset = frozenset({"container_path", "checkpoint_path", "tensorboard_path"})

    type: Literal["shared_fs"] = "shared_fs"
    host_path: str = ""
    storage_path: str | None = None
    propagation: Propagation = "rprivate"
    save_experiment_best: NonNegative = 0
    save_trial_best: NonNegative = 1
    save_trial_latest: NonNegative = 1
    container_path: Refused = None
    checkpoint_path: Refused = None
    tensorboard_path: Refused = None

    @model_validator(mode="before")
    @classmethod
    def _place_has_a_type(cls, value: Any) -> Any:
        given = [key for key in value if value[key] is not None] if isinstance(value, dict) else []
        if "type" not in given and not all(key.startswith("save_") for key in given):
            raise ValueError("type is required beside a place, such as `type: shared_fs`")
        return value

    @field_validator("type", mode="before")
    @classmethod
    def _refuse_unsupported(cls, kind: Any) -> Any:
        if kind in ("s3", "gcs", "azure", "directory"):
            raise unsupported()
        return kind

    @field_validator("host_path")
    @classmethod
    def _absolute(cls, path: str) -> str:
        if path and not path.startswith("/"):
            raise ValueError("must be an absolute path")
        return path

    @model_validator(mode="after")
    def _inside(self) -> Self:
        place = posixpath.normpath(posixpath.join(self.host_path or "/", self.storage_path or ""))
        below = posixpath.commonpath([place, self.host_path or "/"]) == posixpath.normpath(self.host_path or "/")
        climbs = posixpath.normpath(self.storage_path or "").startswith("..")
        if climbs or not below or (not self.host_path and (self.storage_path or "").startswith("/")):
            raise ValueError("storage_path must be a relative path below host_path, or a folder in host_path")
        return self


class BindMount(Section):
    host_path: Annotated[str, Field(pattern="^/")]
    container_path: str
    read_only: bool = False
    propagation: Propagation = "rprivate"

    @field_validator("container_path")
    @classmethod
    def _not_the_working_directory(cls, path: str) -> str:
        if posixpath.normpath(path) == ".":
            raise ValueError('must not be ".", the working directory, which holds the model definition')
        return path


class Optimizations(Section):
    aggregation_frequency: Positive = 1
    auto_tune_tensor_fusion: bool = False
    average_aggregated_gradients: bool = True
    average_training_metrics: bool = True
    grad_updates_size_file: str | None = None
    gradient_compression: bool = False
    mixed_precision: Literal["O0", "O1", "O2", "O3"] = "O0"
    tensor_fusion_cycle_time: NonNegative = 1
    tensor_fusion_threshold: NonNegative = 64


class Profiling(Section):
    enabled: bool = False
    begin_on_batch: NonNegative = 0
    end_after_batch: NonNegative | None = None
    sync_timings: bool = True

    @model_validator(mode="after")
    def _begins_before_its_end(self) -> Self:
        if self.end_after_batch is not None and self.begin_on_batch > self.end_after_batch:
            raise ValueError(f"begin_on_batch must be less than end_after_batch, {self.end_after_batch}")
        return self


class Reproducibility(Section):
    experiment_seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = None


class PachydermDataset(Section):
    project: str
    repo: str
    branch: str
    commit: str
    token: str


class PachydermPachd(Section):
    host: str
    port: int


class PachydermProxy(Section):
    scheme: str
    host: str
    port: int


class Pachyderm(Section):
    dataset: PachydermDataset
    pachd: PachydermPachd
    proxy: PachydermProxy


class Integrations(Section):
    absent_when_unset = frozenset({"pachyderm", "webhooks"})

    pachyderm: Pachyderm | None = None
    webhooks: Refused = None


class ExperimentConfig(Section):
    absent_when_unset = frozenset({"data_layer", "retention_policy", "security", "tensorboard_storage", "internal"})

    name: str = ""
    description: str | None = None
    labels: list[str] = []
    entrypoint: Words
    hyperparameters: dict[str, Any] = {}
    searcher: Searcher
    data: dict[str, Any] = {}
    environment: Environment = Environment()
    resources: Resources = Resources()
    checkpoint_storage: CheckpointStorage = CheckpointStorage()
    checkpoint_policy: Literal["best", "all", "none"] = "best"
    min_checkpoint_period: Length = {"batches": 0}
    min_validation_period: Length = {"batches": 0}
    scheduling_unit: Positive = 100
    records_per_epoch: NonNegative = 0
    perform_initial_validation: bool = False
    max_restarts: NonNegative = 5
    preemption_timeout: NonNegative = 3600
    optimizations: Optimizations = Optimizations()
    profiling: Profiling = Profiling()
    reproducibility: Reproducibility = Reproducibility()
    bind_mounts: list[BindMount] = []
    integrations: Integrations | None = None
    workspace: str = ""
    project: str = ""
    debug: bool = False
    data_layer: dict[str, Any] | None = None
    log_policies: Annotated[list[dict[str, Any]], BeforeValidator(_log_policies)] = LOG_POLICIES
    retention_policy: Refused = None
    pbs: Refused = {}
    slurm: Refused = {}
    security: Refused = None
    tensorboard_storage: Refused = None
    internal: Annotated[Any, BeforeValidator(_refuse)] = None

    @field_validator("labels")
    @classmethod
    def _once(cls, labels: list[str]) -> list[str]:
        return list(dict.fromkeys(labels))


LENGTHS = ("max_length", "min_validation_period", "min_checkpoint_period")
"""Mappings with exactly one key."""


def with_overrides(settings: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """``settings`` with the values of ``overrides``: mappings are merged, every other value replaces.

    This is no JSON merge patch (RFC 7386): a null replaces the value and so means the default. A length and the range of a
    hyperparameter are replaced as a whole.
    """
    merged = dict(settings)
    for key, value in overrides.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        whole = key in LENGTHS or not both or (key != "checkpoint_storage" and "type" in {*value, *merged[key]})
        merged[key] = value if whole else with_overrides(merged[key], value)
    return merged


def complete(settings: dict[str, Any]) -> dict[str, Any]:
    """``settings`` with every default, in the shape that Determined's harness reads. Raises ConfigError with all faults."""
    try:
        config = ExperimentConfig.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(describe(error, ExperimentConfig)) from None
    full = config.model_dump(mode="json")
    full["hyperparameters"] = normalize(config.hyperparameters, for_grid=config.searcher.name == "grid")
    return full
