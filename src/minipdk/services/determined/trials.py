"""Trials and their allocations: the rules by which a trial changes its state.

A trial is ACTIVE or PAUSED, perhaps STOPPING, and ends as COMPLETED, CANCELED or ERROR. Each of its runs is an allocation.
`Trials.allocation_ended` alone decides how the end of an allocation changes the trial.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from minipdk.services.determined.checkpoints import Checkpoints
from minipdk.services.determined.errors import FailedPreconditionError, NotFoundError
from minipdk.services.determined.metrics import Metrics, best
from minipdk.services.determined.model import (
    STOPPING,
    TERMINAL,
    VALIDATION,
    Allocation,
    Json,
    Searcher,
    State,
    Trial,
    TrialDetails,
    now,
)
from minipdk.services.determined.store import Changes, Store
from minipdk.services.determined.store.changes import allocation_topic, trial_topic
from minipdk.services.determined.users import Users

INTERRUPTED = "the master was restarted"


@dataclass(frozen=True)
class Ending:
    """How a run of a trial ended, for the trial's log."""

    trial_id: int
    experiment_id: int
    state: str
    exit_code: int
    restarts: int
    max_restarts: int

    @property
    def failed(self) -> bool:
        return self.exit_code > 0 and self.state in (State.ERROR, State.ACTIVE, State.PAUSED)


class Trials:
    def __init__(self, store: Store, changes: Changes, users: Users, metrics: Metrics, checkpoints: Checkpoints) -> None:
        self._store = store
        self._changes = changes
        self._users = users
        self._metrics = metrics
        self._checkpoints = checkpoints

    def get(self, trial_id: int) -> Trial:
        if trial := self._store.trials.get(trial_id):
            return trial
        raise NotFoundError(f"trial '{trial_id}' not found")

    def get_by_task(self, task_id: str) -> Trial:
        """The trial of any of its tasks."""
        first, _, number = task_id.rpartition("-")
        trial = self._store.trials.by_task(task_id)
        if trial is None and number.isdecimal():
            trial = self._store.trials.by_task(first)
        if trial and task_id in trial.task_ids:
            return trial
        raise NotFoundError(f"task '{task_id}' not found")

    def of_experiment(self, experiment_id: int) -> list[Trial]:
        return self._store.trials.of_experiment(experiment_id)

    def details(self, trial: Trial, searcher: Searcher) -> TrialDetails:
        """The trial with its measurements and checkpoints, compared by the metric of its experiment's ``searcher``."""
        reports = self._metrics.of_trial(trial.id)
        validations = [report for report in reports if report.metric_group == VALIDATION]
        return TrialDetails(
            trial,
            allocation=self.open_allocation(trial.id),
            metric=searcher.metric,
            best_validation=best(validations, searcher),
            latest_validation=validations[-1] if validations else None,
            reports=reports,
            checkpoints=self._checkpoints.existing_of_trial(trial.id),
        )

    def allocation(self, allocation_id: str) -> Allocation:
        if allocation := self._store.allocations.get(allocation_id):
            return allocation
        raise NotFoundError(f"allocation '{allocation_id}' not found")

    def allocations(self, trial_id: int) -> list[Allocation]:
        return self._store.allocations.of_trial(trial_id)

    def open_allocation(self, trial_id: int) -> Allocation | None:
        """The allocation of the trial that has not ended."""
        return self._store.allocations.open_of_trial(trial_id)

    def add(self, experiment_id: int, state: str, *, hparams: Json, seed: int, source: str | None) -> None:
        """Add a trial; ``source`` is the checkpoint from which it starts."""
        self._store.trials.add(
            experiment_id=experiment_id,
            task_id=f"{experiment_id}.{uuid.uuid4()}",
            state=state,
            hparams=hparams,
            seed=seed,
            warm_start_checkpoint=source,
            start_time=now(),
        )

    def set_paused(self, trial_id: int, paused: bool) -> None:
        """Pause (asking a run to save a checkpoint and exit) or activate a trial that has not ended."""
        with self._store.transaction():
            self._store.trials.set_active_or_paused(trial_id, State.PAUSED if paused else State.ACTIVE)
            if paused:
                self._preempt(trial_id)

    def stop(self, trial_id: int, *, kill: bool) -> None:
        """Cancel (after a last checkpoint) or kill a trial. A trial that does not run is CANCELED immediately."""
        with self._store.transaction():
            state = self.get(trial_id).state
            if state in TERMINAL or (state in STOPPING and not kill):
                return
            if not self.open_allocation(trial_id):
                self._end(trial_id, State.CANCELED)
                return
            self._store.trials.update(trial_id, state=State.STOPPING_KILLED if kill else State.STOPPING_CANCELED)
            if not kill:
                self._preempt(trial_id)

    def start_allocation(self, trial_id: int, user_id: int, slots: list[int]) -> tuple[Allocation, str]:
        """Begin a run of the trial on ``slots``; returns the allocation and its session token."""
        trial = self.get(trial_id)
        number = trial.run_id + 1
        task_id = trial.task_ids[-1]
        allocation_id = f"{task_id}.{number}"
        with self._store.transaction():
            self._store.trials.update(trial_id, run_id=number, early_exit=None, runner_state="")
            self._store.allocations.add(
                id=allocation_id,
                trial_id=trial_id,
                task_id=task_id,
                container_id=str(uuid.uuid4()),
                slots=slots,
                state=State.STARTING,
                start_time=now(),
            )
            token = self._users.issue_for_allocation(user_id, allocation_id)
        return self.allocation(allocation_id), token

    def mark_running(self, allocation_id: str) -> None:
        self._store.allocations.update(allocation_id, state=State.RUNNING)

    def mark_ready(self, allocation_id: str) -> None:
        self.allocation(allocation_id)
        self._store.allocations.update(allocation_id, is_ready=True)

    def acknowledge_preemption(self, allocation_id: str) -> None:
        self.allocation(allocation_id)
        self._store.allocations.update(allocation_id, preempt_acknowledged=True)

    def request_preemption(self, allocation_id: str) -> None:
        """Ask the run to save a checkpoint and exit; the trial runs again later."""
        allocation = self.allocation(allocation_id)
        with self._store.transaction():
            self._preempt(allocation.trial_id)

    def allocation_ended(self, allocation_id: str, code: int, reason: str) -> Ending:
        """Decide how a run that ended with the exit status ``code`` changes its trial, and record both.

        A status below 0 means that the cluster ended the run: the trial continues, and this counts as no restart.
        """
        allocation = self.allocation(allocation_id)
        trial_id = allocation.trial_id
        with self._store.transaction():
            trial, experiment = self.get(trial_id), self._store.experiments.of_trial(trial_id)
            assert experiment is not None  # the database deletes trials with their experiment
            max_restarts: int = experiment.config["max_restarts"]
            self._close(allocation_id, code, reason)
            state, restarts = trial.state, trial.restarts
            if state in STOPPING:
                state = State.CANCELED
            elif trial.early_exit or (code == 0 and not allocation.preempt_acknowledged):
                state = State.COMPLETED
            elif code > 0 and restarts < max_restarts:
                restarts += 1
                self._store.trials.update(trial_id, restarts=restarts)
            elif code > 0:
                state = State.ERROR
            if state in TERMINAL:
                self._end(trial_id, state)
        self._changes.notify(trial_topic(trial_id))
        self._changes.notify(allocation_topic(allocation_id))
        return Ending(trial_id, trial.experiment_id, state, code, restarts, max_restarts)

    def fail(self, trial_id: int) -> None:
        """End a trial that cannot be started at all."""
        with self._store.transaction():
            self._end(trial_id, State.ERROR)
        self._changes.notify(trial_topic(trial_id))

    def close_interrupted(self) -> None:
        """Close the runs that a killed master left open: their trials continue, which counts as no restart."""
        for allocation in self._store.allocations.all_open():
            with self._store.transaction():
                self._close(allocation.id, None, INTERRUPTED)
                if self.get(allocation.trial_id).state in STOPPING:
                    self._end(allocation.trial_id, State.CANCELED)

    def reopen(self, trial: Trial, hparams: Json) -> None:
        """Let an ended trial run again, as a new task with all its restarts (``det experiment continue``).

        Its runs get the hyperparameters ``hparams``, unless these are empty.
        """
        self._store.trials.update(
            trial.id,
            state=State.ACTIVE,
            restarts=0,
            end_time=None,
            early_exit=None,
            progress=0,
            continuations=trial.continuations + 1,
            run_hparams=hparams or trial.run_hparams,
        )

    def report_progress(self, trial_id: int, progress: float) -> None:
        """``progress`` is from 0 to 1."""
        trial = self.get(trial_id)
        with self._store.transaction():
            self._store.trials.update(trial_id, progress=progress)
            self._store.experiments.refresh_progress(trial.experiment_id)

    def set_runner_state(self, trial_id: int, state: str) -> None:
        self.get(trial_id)
        self._store.trials.update(trial_id, runner_state=state)

    def set_metadata(self, trial_id: int, metadata: Json) -> None:
        self.get(trial_id)
        self._store.trials.update(trial_id, metadata=metadata)

    def report_early_exit(self, trial_id: int, reason: str) -> None:
        """Record that the trial ends early on purpose. Raises FailedPreconditionError the second time."""
        if self.get(trial_id).early_exit:
            raise FailedPreconditionError(f"trial {trial_id} has already reported an early exit")
        self._store.trials.update(trial_id, early_exit=reason)

    def _preempt(self, trial_id: int) -> None:
        if allocation := self.open_allocation(trial_id):
            self._store.allocations.update(allocation.id, preempt=True)
            self._changes.notify(allocation_topic(allocation.id))

    def _close(self, allocation_id: str, code: int | None, reason: str) -> None:
        self._store.allocations.close(allocation_id, code=code, reason=reason, end_time=now())
        self._users.revoke_allocation(allocation_id)

    def _end(self, trial_id: int, state: str) -> None:
        self._store.trials.update(trial_id, state=state, end_time=now())
        self._changes.notify(trial_topic(trial_id))
