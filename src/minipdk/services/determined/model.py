"""The nouns of Determined, as the store returns them.

The fields of a stored noun are the columns of its query: the store reads JSON columns (``<field>_json``) into lists and
objects, and 0 and 1 into booleans. Times are RFC 3339 in UTC, so they sort as text. The nouns at the end combine several
stored ones: the concepts compute them for `messages`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from minipdk.services.determined.numbers import as_float, is_number

Json = dict[str, Any]

AGENT = "local"
"""The id of the one agent, this machine."""
DEFAULT_PRIORITY = 42
"""The priority in the queue of a job that asks for none; from 1, the first, to 99."""
TRAINING = "training"
VALIDATION = "validation"


class State(StrEnum):
    """The states of experiments, trials, checkpoints and allocations. Clients read them with ``STATE_`` before the name."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    STOPPING_CANCELED = "STOPPING_CANCELED"
    STOPPING_KILLED = "STOPPING_KILLED"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    ERROR = "ERROR"
    DELETED = "DELETED"
    PARTIALLY_DELETED = "PARTIALLY_DELETED"
    # An ACTIVE trial shows the state of its allocation; without an allocation it is QUEUED.
    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    TERMINATED = "TERMINATED"


TERMINAL: frozenset[str] = frozenset({State.COMPLETED, State.CANCELED, State.ERROR})
STOPPING: frozenset[str] = frozenset({State.STOPPING_CANCELED, State.STOPPING_KILLED})


def now() -> str:
    """The time as Determined writes it: RFC 3339, UTC, microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class User:
    """``password`` is a salted scrypt of the hash that clients send.

    ``agent_user_group`` is empty or {agentUid, agentGid, agentUser, agentGroup}; it is only kept: trials run as the cluster.
    """

    id: int
    username: str
    admin: bool
    active: bool
    display_name: str
    password: str = field(repr=False)
    modified_at: str
    last_login_at: str | None
    agent_user_group: Json


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of a token. A trial's token names its ``allocation_id`` and does not expire."""

    user_id: int
    username: str
    admin: bool
    active: bool
    allocation_id: str | None
    expires_at: str | None


@dataclass(frozen=True, slots=True)
class Workspace:
    id: int
    name: str
    archived: bool
    user_id: int
    immutable: bool
    username: str
    num_projects: int
    num_experiments: int


@dataclass(frozen=True, slots=True)
class Project:
    """``notes`` are {name, contents}; ``num_active`` counts the experiments that have not ended."""

    id: int
    workspace_id: int
    name: str
    key: str
    description: str
    notes: list[Json]
    archived: bool
    user_id: int
    immutable: bool
    username: str
    workspace_name: str
    workspace_archived: bool
    num_experiments: int
    num_active: int
    num_runs: int
    last_experiment_started_at: str | None


@dataclass(frozen=True, slots=True)
class Experiment:
    """``config`` is complete; ``original_config`` is the submitted YAML; ``definition`` the model definition's digest.

    ``progress``, from 0 to 1, is that of the last report of a trial; an experiment that was COMPLETED has 1.
    """

    id: int
    state: str
    name: str
    description: str
    notes: str
    labels: list[str]
    config: Json
    original_config: str
    definition: str
    parent_id: int | None
    project_id: int
    user_id: int
    job_id: str
    archived: bool
    resource_pool: str
    priority: int
    start_time: str
    end_time: str | None
    progress: float
    username: str
    display_name: str
    project_name: str
    project_owner_id: int
    workspace_id: int
    workspace_name: str
    num_trials: int
    parent_archived: bool
    definition_size: int

    @property
    def searcher(self) -> Searcher:
        searcher = self.config["searcher"]
        return Searcher(searcher["name"], searcher["metric"], searcher["smaller_is_better"])


@dataclass(frozen=True, slots=True)
class Searcher:
    """The settings of an experiment's searcher by which trials and checkpoints are compared."""

    name: str
    metric: str
    smaller_is_better: bool

    def rank(self, value: float) -> tuple[bool, float]:
        """What is smaller for a better ``value`` of the metric; NaN is worse than every number."""
        return math.isnan(value), value if self.smaller_is_better else -value


@dataclass(frozen=True, slots=True)
class Trial:
    """``run_id`` counts the trial's allocations; ``warm_start_checkpoint`` is the checkpoint that the first one loads.

    Each time that the experiment is continued, the trial begins another task; ``run_hparams`` are the hyperparameters that
    its runs get from then on.
    """

    id: int
    experiment_id: int
    task_id: str
    state: str
    hparams: Json
    seed: int
    restarts: int
    run_id: int
    runner_state: str
    progress: float
    early_exit: str | None
    warm_start_checkpoint: str | None
    metadata: Json
    total_batches: int
    start_time: str
    end_time: str | None
    continuations: int
    run_hparams: Json

    @property
    def task_ids(self) -> list[str]:
        """The trial's tasks, the current one last."""
        return [self.task_id, *(f"{self.task_id}-{number}" for number in range(1, self.continuations + 1))]


@dataclass(frozen=True, slots=True)
class WaitingTrial:
    """A trial in the queue for slots."""

    id: int
    experiment_id: int
    resource_pool: str
    config: Json


@dataclass(frozen=True, slots=True)
class Allocation:
    """One run of a trial on ``slots``. ``status_code`` is its exit status, below 0 when the cluster ended it."""

    id: str
    trial_id: int
    task_id: str
    container_id: str
    slots: list[int]
    state: str
    is_ready: bool
    preempt: bool
    preempt_acknowledged: bool
    exit_reason: str | None
    status_code: int | None
    start_time: str
    end_time: str | None


@dataclass(frozen=True, slots=True)
class MetricsReport:
    """The metrics of one group after ``steps`` batches. Reports that a later run replaced are ``archived``."""

    id: int
    trial_id: int
    run_id: int
    metric_group: str
    steps: int
    average: Json
    batches_json: str | None  # much larger than the rest and seldom read
    end_time: str
    archived: bool

    @property
    def batches(self) -> list[Json]:
        """The metrics of each batch, where the trial reported them."""
        return json.loads(self.batches_json) if self.batches_json else []

    def value(self, metric: str) -> float | None:
        """The value of ``metric``, also NaN and the infinities, None when it is no number. Dots lead into nested metrics."""
        value: Any = self.average
        for part in [metric] if metric in value else metric.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return as_float(value) if is_number(value) else None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``resources`` maps the path of each file to its size in bytes; ``steps`` are the batches completed."""

    uuid: str
    trial_id: int
    task_id: str
    allocation_id: str
    state: str
    steps: int
    resources: dict[str, str]
    metadata: Json
    report_time: str

    @property
    def size(self) -> int:
        """The bytes of all its files."""
        return sum(int(size) for size in self.resources.values())


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line that a trial printed or that the master added."""

    id: int
    trial_id: int
    allocation_id: str
    container_id: str
    timestamp: str
    level: str
    stdtype: str
    source: str
    rank_id: int | None
    log: str


@dataclass(frozen=True, slots=True)
class LogFilter:
    """The log entries that a client asks for; an empty list means any. Levels are ``LOG_LEVEL_...``."""

    levels: list[str] = field(default_factory=list)
    stdtypes: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    containers: list[str] = field(default_factory=list)
    allocations: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    text: str = ""
    is_regex: bool = False
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the registry."""

    id: int
    name: str
    description: str
    notes: str
    metadata: Json
    labels: list[str]
    user_id: int
    workspace_id: int
    archived: bool
    creation_time: str
    last_updated_time: str
    username: str
    num_versions: int


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a registered model: a checkpoint under a number."""

    id: int
    model_id: int
    version: int
    checkpoint_uuid: str
    name: str
    comment: str
    notes: str
    metadata: Json
    labels: list[str]
    user_id: int
    creation_time: str
    last_updated_time: str
    username: str


@dataclass(frozen=True, slots=True)
class TrialDetails:
    """A trial with the measurements and checkpoints that clients see. ``metric`` is the name of the searcher's metric."""

    trial: Trial
    allocation: Allocation | None
    metric: str
    best_validation: MetricsReport | None
    latest_validation: MetricsReport | None
    reports: list[MetricsReport]
    checkpoints: list[Checkpoint]

    @property
    def best_checkpoint(self) -> Checkpoint | None:
        """The first checkpoint at the batch of the best validation."""
        best = self.best_validation
        return next((checkpoint for checkpoint in self.checkpoints if best and checkpoint.steps == best.steps), None)


@dataclass(frozen=True, slots=True)
class ExperimentDetails:
    """An experiment with its trials; ``allocation`` is the first of its running ones."""

    experiment: Experiment
    trials: list[Trial]
    allocation: Allocation | None
    best_trial_id: int | None
    best_metric: float | None
    checkpoints: list[Checkpoint]


@dataclass(frozen=True, slots=True)
class CheckpointDetails:
    """A checkpoint with its trial and the metrics at its batch."""

    checkpoint: Checkpoint
    trial: Trial
    experiment: Experiment
    training: MetricsReport | None
    validation: MetricsReport | None


@dataclass(frozen=True, slots=True)
class ModelVersionDetails:
    model: Model
    version: ModelVersion
    checkpoint: CheckpointDetails


@dataclass(frozen=True, slots=True)
class Job:
    """An experiment in the job queue, with the number of jobs ``ahead`` of it and the slots that it occupies."""

    experiment: Experiment
    ahead: int
    running: bool
    allocated_slots: int


@dataclass(frozen=True, slots=True)
class Agent:
    """This machine: ``slots`` are its CPU cores, with the allocation on each; ``allocations`` are the running ones."""

    registered_time: str
    resource_pools: list[str]
    slots: list[Allocation | None]
    allocations: list[Allocation]


@dataclass(frozen=True, slots=True)
class ResourcePool:
    """A name for this machine's slots. ``queued`` counts its waiting trials, ``running`` the running ones of all pools."""

    name: str
    is_default: bool
    slots: int
    slots_used: int
    queued: int
    running: int
