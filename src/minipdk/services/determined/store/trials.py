"""Trials and their allocations."""

from __future__ import annotations

from minipdk.services.determined.model import Allocation, State, Trial, WaitingTrial
from minipdk.services.determined.store.records import Table, Value

WAITING = """
    SELECT trials.id, experiment_id, resource_pool, config_json FROM trials
    JOIN experiments ON experiments.id = experiment_id
    WHERE trials.state = 'ACTIVE' AND experiments.state = 'ACTIVE'
        AND NOT EXISTS (SELECT 1 FROM allocations WHERE trial_id = trials.id AND end_time IS NULL)
    ORDER BY priority, experiment_id, trials.id
"""


class TrialTable(Table):
    def get(self, trial_id: int) -> Trial | None:
        return self._first(Trial, "SELECT * FROM trials WHERE id = ?", trial_id)

    def by_task(self, task_id: str) -> Trial | None:
        return self._first(Trial, "SELECT * FROM trials WHERE task_id = ?", task_id)

    def of_experiment(self, experiment_id: int) -> list[Trial]:
        return self._all(Trial, "SELECT * FROM trials WHERE experiment_id = ? ORDER BY id", experiment_id)

    def waiting(self) -> list[WaitingTrial]:
        """The active trials without an open allocation, in the order of the queue: by priority, then by age."""
        return self._all(WaitingTrial, WAITING)

    def current_run(self, trial_id: int) -> int:
        """The number of the trial's latest run; 0 when it has not run or does not exist."""
        row = self._row("SELECT run_id FROM trials WHERE id = ?", trial_id)
        return row["run_id"] if row else 0

    def add(self, **values: Value) -> int:
        return self._insert("trials", **values)

    def update(self, trial_id: int, **values: Value) -> None:
        self._update("trials", trial_id, **values)

    def set_active_or_paused(self, trial_id: int, state: str) -> None:
        """Set the state of a trial that is ACTIVE or PAUSED; another is left alone."""
        self._write("UPDATE trials SET state = ? WHERE id = ? AND state IN ('ACTIVE', 'PAUSED')", state, trial_id)

    def advance(self, trial_id: int, steps: int) -> None:
        """Note that the trial has completed ``steps`` batches."""
        self._write("UPDATE trials SET total_batches = max(total_batches, ?) WHERE id = ?", steps, trial_id)


class AllocationTable(Table):
    def get(self, allocation_id: str) -> Allocation | None:
        return self._first(Allocation, "SELECT * FROM allocations WHERE id = ?", allocation_id)

    def of_trial(self, trial_id: int) -> list[Allocation]:
        return self._all(Allocation, "SELECT * FROM allocations WHERE trial_id = ? ORDER BY start_time", trial_id)

    def all_open(self) -> list[Allocation]:
        """The allocations that have not ended."""
        return self._all(Allocation, "SELECT * FROM allocations WHERE end_time IS NULL")

    def open_of_trial(self, trial_id: int) -> Allocation | None:
        """The allocation of the trial that has not ended."""
        return self._first(Allocation, "SELECT * FROM allocations WHERE trial_id = ? AND end_time IS NULL", trial_id)

    def add(self, **values: Value) -> None:
        self._insert("allocations", **values)

    def update(self, allocation_id: str, **values: Value) -> None:
        self._update("allocations", allocation_id, **values)

    def close(self, allocation_id: str, *, code: int | None, reason: str, end_time: str) -> None:
        self._update(
            "allocations",
            allocation_id,
            state=State.TERMINATED,
            end_time=end_time,
            status_code=code,
            exit_reason=reason,
        )
