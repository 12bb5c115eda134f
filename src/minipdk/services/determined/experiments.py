"""Experiments: from a checked configuration through their trials to an end.

An experiment ends when all its trials have ended. It is ERROR when every trial failed, CANCELED when it was stopped or every
trial was, else COMPLETED; then the checkpoints that its policy does not keep are deleted.
"""

from __future__ import annotations

import secrets
import uuid
from collections import Counter

from minipdk.services.determined import model_definition
from minipdk.services.determined.checkpoint_storage import remove_tensorboard_files
from minipdk.services.determined.checkpoints import Checkpoints
from minipdk.services.determined.config.hyperparameters import draw_trials
from minipdk.services.determined.config.names import random_name
from minipdk.services.determined.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from minipdk.services.determined.metrics import Metrics
from minipdk.services.determined.model import (
    DEFAULT_PRIORITY,
    STOPPING,
    TERMINAL,
    VALIDATION,
    Experiment,
    ExperimentDetails,
    Json,
    MetricsReport,
    State,
    Trial,
    now,
)
from minipdk.services.determined.store import Store
from minipdk.services.determined.trials import Trials


class Experiments:
    def __init__(self, store: Store, trials: Trials, checkpoints: Checkpoints, metrics: Metrics, cluster_id: str) -> None:
        self._store = store
        self._cluster_id = cluster_id
        self._trials = trials
        self._checkpoints = checkpoints
        self._metrics = metrics

    def all(self) -> list[Experiment]:
        return self._store.experiments.all()

    def get(self, experiment_id: int) -> Experiment:
        if experiment := self._store.experiments.get(experiment_id):
            return experiment
        raise NotFoundError(f"experiment '{experiment_id}' not found")

    def get_by_job(self, job_id: str | None) -> Experiment:
        if experiment := self._store.experiments.by_job(job_id or ""):
            return experiment
        raise NotFoundError(f"job {job_id!r} not found")

    def details(self, experiment: Experiment) -> ExperimentDetails:
        trials = self._trials.of_experiment(experiment.id)
        allocations = filter(None, (self._trials.open_allocation(trial.id) for trial in trials))
        best_trial_id, best_metric = self._best_trial(experiment, trials)
        return ExperimentDetails(
            experiment,
            trials,
            allocation=next(allocations, None),
            best_trial_id=best_trial_id,
            best_metric=best_metric,
            checkpoints=self._checkpoints.existing_of_experiment(experiment.id),
        )

    def definition(self, experiment: Experiment) -> bytes:
        """The archive of the experiment's model definition."""
        archive = self._store.experiments.definition(experiment.definition)
        assert archive is not None  # the database refuses an experiment without its definition
        return archive

    def create(
        self,
        config: Json,
        original: str,
        archive: bytes,
        *,
        project_id: int,
        parent_id: int | None,
        user_id: int,
        source: str | None,
        activate: bool,
    ) -> Experiment:
        """Store a complete configuration as a new experiment with all its trials."""
        if config["reproducibility"]["experiment_seed"] is None:
            config["reproducibility"]["experiment_seed"] = secrets.randbelow(2**31)
        config["name"] = config["name"] or random_name()
        state = State.ACTIVE if activate else State.PAUSED
        digest = model_definition.digest(archive)
        with self._store.transaction():
            self._store.experiments.add_definition(digest, archive)
            experiment_id = self._store.experiments.add(
                state=state,
                name=config["name"],
                description=config["description"] or "",
                labels=config["labels"],
                config=config,
                original_config=original,
                definition=digest,
                parent_id=parent_id,
                project_id=project_id,
                user_id=user_id,
                job_id=str(uuid.uuid4()),
                resource_pool=config["resources"]["resource_pool"],
                priority=priority(config),
                start_time=now(),
            )
            for hparams, seed in draw_trials(config, config["reproducibility"]["experiment_seed"]):
                self._trials.add(experiment_id, state, hparams=hparams, seed=seed, source=source)
        return self.get(experiment_id)

    def set_paused(self, experiment_id: int, paused: bool) -> None:
        """Pause or activate. Raises FailedPreconditionError for an experiment that is stopping or has ended."""
        experiment = self.get(experiment_id)
        if experiment.state not in (State.ACTIVE, State.PAUSED):
            verb = "paused" if paused else "activated"
            raise FailedPreconditionError(
                f"experiment {experiment_id} cannot be {verb}: its state is {experiment.state}: experiment in terminal state"
            )
        with self._store.transaction():
            self._store.experiments.update(experiment_id, state=State.PAUSED if paused else State.ACTIVE)
            for trial in self._trials.of_experiment(experiment_id):
                self._trials.set_paused(trial.id, paused)

    def stop(self, experiment_id: int, *, kill: bool) -> None:
        """Cancel or kill; nothing happens to an experiment that has ended."""
        if self.get(experiment_id).state in TERMINAL:
            return
        with self._store.transaction():
            state = State.STOPPING_KILLED if kill else State.STOPPING_CANCELED
            self._store.experiments.update(experiment_id, state=state)
            for trial in self._trials.of_experiment(experiment_id):
                self._trials.stop(trial.id, kill=kill)
            self.settle(experiment_id)
        self._checkpoints.remove_deleted_files()

    def kill_trial(self, trial_id: int) -> None:
        trial = self._trials.get(trial_id)
        with self._store.transaction():
            self._trials.stop(trial_id, kill=True)
            self.settle(trial.experiment_id)
        self._checkpoints.remove_deleted_files()

    def pause_with_trial(self, trial_id: int) -> None:
        """Pause the experiment of the trial."""
        self.set_paused(self._trials.get(trial_id).experiment_id, True)

    def settle(self, experiment_id: int) -> None:
        """End the experiment if all its trials have ended."""
        with self._store.transaction():
            experiment = self.get(experiment_id)
            ends = [trial.state for trial in self._trials.of_experiment(experiment_id)]
            if experiment.state in TERMINAL or not TERMINAL.issuperset(ends):
                return
            if experiment.state in STOPPING or all(end == State.CANCELED for end in ends):
                state = State.CANCELED
            elif all(end == State.ERROR for end in ends):
                state = State.ERROR
            else:
                state = State.COMPLETED
            progress = 1 if state == State.COMPLETED else experiment.progress
            self._store.experiments.update(experiment_id, state=state, end_time=now(), progress=progress)
            self._checkpoints.mark_deleted(self._checkpoints.expendable(experiment))

    def settle_all(self) -> None:
        """End every experiment whose trials have ended, as after a restart."""
        with self._store.transaction():
            for experiment in self.all():
                self.settle(experiment.id)

    def check_continuable(self, experiment: Experiment) -> None:
        """Raises FailedPreconditionError for an experiment that has not ended, or has nothing left to do."""
        if experiment.state not in TERMINAL:
            raise FailedPreconditionError(
                f"experiment {experiment.id} cannot be continued:"
                f" experiment in non terminal state '{experiment.state}', try again later"
            )
        if not self._unfinished(experiment):
            raise FailedPreconditionError("experiment has been completed, cannot continue this experiment")

    def continue_(self, experiment_id: int, config: Json) -> None:
        """Let trials of an ended experiment go on from their latest checkpoints, under ``config``.

        The one trial of the searcher single goes on with the configuration's hyperparameters, even if it was complete. Of a
        search those go on that were not.
        """
        experiment = self.get(experiment_id)
        self.check_continuable(experiment)
        hparams: Json = {}
        if experiment.searcher.name == "single":
            [(hparams, _)] = draw_trials(config, config["reproducibility"]["experiment_seed"])
        with self._store.transaction():
            self._store.experiments.update(
                experiment_id,
                state=State.ACTIVE,
                end_time=None,
                progress=0,
                config=config,
                name=config["name"],
                resource_pool=config["resources"]["resource_pool"],
                priority=priority(config),
            )
            for trial in self._unfinished(experiment):
                self._trials.reopen(trial, hparams)

    def _unfinished(self, experiment: Experiment) -> list[Trial]:
        """The trials that a continued experiment runs again."""
        trials = self._trials.of_experiment(experiment.id)
        single = experiment.searcher.name == "single"
        return [trial for trial in trials if single or trial.state != State.COMPLETED]

    def set_archived(self, experiment_id: int, archived: bool) -> None:
        experiment = self.get(experiment_id)
        if experiment.state not in TERMINAL:
            raise FailedPreconditionError(
                f"experiment {experiment_id}: its state is {experiment.state}: Experiment is not in terminal state."
            )
        if experiment.archived == archived:
            raise FailedPreconditionError(f"Experiment is {'already' if archived else 'not'} archived.")
        self._store.experiments.update(experiment_id, archived=archived)

    def delete(self, experiment_id: int) -> None:
        """Remove an ended experiment with its trials, metrics, logs and checkpoints."""
        experiment = self.get(experiment_id)
        if experiment.state not in TERMINAL:
            raise FailedPreconditionError(
                f"experiment {experiment_id}: kill it first: cannot delete experiment in STATE_{experiment.state} state"
            )
        uuids = [checkpoint.uuid for checkpoint in self._checkpoints.of_experiment(experiment_id)]
        if registered := self._checkpoints.registrations(uuids):
            raise InvalidArgumentError(f"{registered}: checkpoints are registered as model versions")
        self._checkpoints.mark_deleted(uuids)
        self._checkpoints.remove_deleted_files()
        self.delete_tensorboard_files(experiment_id)
        self._store.experiments.delete(experiment_id)

    def delete_tensorboard_files(self, experiment_id: int) -> None:
        """Remove the files that the harness wrote for TensorBoard."""
        remove_tensorboard_files(self.get(experiment_id).config, self._cluster_id, experiment_id)

    def update(self, experiment_id: int, changes: Json) -> Experiment:
        """Set any of name, description, notes, labels, project_id, priority and config, which has the first ones, too."""
        experiment = self.get(experiment_id)
        in_config = {field: changes[field] for field in ("name", "description", "labels") if field in changes}
        config = {**changes.get("config", experiment.config), **in_config}
        self._store.experiments.update(experiment_id, **{**changes, "config": config})
        return self.get(experiment_id)

    def add_label(self, experiment_id: int, label: str) -> list[str]:
        """Returns the experiment's labels."""
        labels = self.get(experiment_id).labels
        return self._set_labels(experiment_id, labels if label in labels else [*labels, label])

    def remove_label(self, experiment_id: int, label: str) -> list[str]:
        """Returns the remaining labels."""
        labels = self.get(experiment_id).labels
        return self._set_labels(experiment_id, [other for other in labels if other != label])

    def labels(self, project_id: int = 0) -> list[str]:
        """The labels in use, the most used first."""
        experiments = [experiment for experiment in self.all() if project_id in (0, experiment.project_id)]
        counts = Counter(label for experiment in experiments for label in experiment.labels)
        return sorted(counts, key=lambda label: (-counts[label], label))

    def validation_history(self, experiment: Experiment) -> list[tuple[MetricsReport, float]]:
        """Each validation that was the best so far, by time, with its value of the searcher's metric."""
        searcher = experiment.searcher
        reports = [
            report
            for trial in self._trials.of_experiment(experiment.id)
            for report in self._metrics.of_trial(trial.id, VALIDATION)
        ]
        history: list[tuple[MetricsReport, float]] = []
        for report in sorted(reports, key=lambda report: report.end_time):
            value = report.value(searcher.metric)
            if value is not None and (not history or searcher.rank(value) < searcher.rank(history[-1][1])):
                history.append((report, value))
        return history

    def collect_garbage(self, experiment_id: int) -> None:
        """Apply the experiment's checkpoint policy now, if it has ended."""
        experiment = self.get(experiment_id)
        if experiment.state in TERMINAL:
            with self._store.transaction():
                self._checkpoints.mark_deleted(self._checkpoints.expendable(experiment))
        self._checkpoints.remove_deleted_files()

    def _set_labels(self, experiment_id: int, labels: list[str]) -> list[str]:
        return self.update(experiment_id, {"labels": labels}).labels

    def _best_trial(self, experiment: Experiment, trials: list[Trial]) -> tuple[int | None, float | None]:
        """The trial with the best validation, the first of equals, and the value of the searcher's metric in it."""
        searcher = experiment.searcher
        ranked = []
        for trial in trials:
            best = self._metrics.best_validation(trial.id, searcher)
            value = best.value(searcher.metric) if best else None
            if value is not None:
                ranked.append((searcher.rank(value), trial.id, value))
        return min(ranked)[1:] if ranked else (None, None)


def priority(config: Json) -> int:
    """The priority in the queue that a complete configuration asks for."""
    return int(config["resources"]["priority"] or DEFAULT_PRIORITY)
