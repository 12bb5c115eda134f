"""Trials and their allocations: the rules by which a trial moves from state to state.

A trial is ACTIVE or PAUSED, perhaps STOPPING, and ends as COMPLETED, CANCELED or ERROR. Each time it runs it has an
allocation. What an allocation's end means for the trial is decided in `Trials.allocation_ended` alone.
"""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import dataclass
from typing import Any

from minipdk.services.determined import states
from minipdk.services.determined.errors import FailedPreconditionError, NotFoundError
from minipdk.services.determined.store.changes import Changes, allocation_topic, trial_topic
from minipdk.services.determined.store.schema import dumps, loads, now
from minipdk.services.determined.users import Users
from minipdk.storage import Database

Json = dict[str, Any]
INTERRUPTED = "the master was restarted"
OPEN = "SELECT id FROM allocations WHERE trial_id = ? AND end_time IS NULL"


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
        return self.exit_code > 0 and self.state in (states.ERROR, states.ACTIVE, states.PAUSED)


class Trials:
    def __init__(self, database: Database, users: Users, changes: Changes) -> None:
        self._database = database
        self._users = users
        self._changes = changes

    def get(self, trial_id: int) -> sqlite3.Row:
        row: sqlite3.Row | None = (
            self._database.connection().execute("SELECT * FROM trials WHERE id = ?", (trial_id,)).fetchone()
        )
        if row is None:
            raise NotFoundError(f"trial {trial_id} not found")
        return row

    def get_by_task(self, task_id: str) -> sqlite3.Row:
        row: sqlite3.Row | None = (
            self._database.connection().execute("SELECT * FROM trials WHERE task_id = ?", (task_id,)).fetchone()
        )
        if row is None:
            raise NotFoundError(f"task {task_id} not found")
        return row

    def of_experiment(self, experiment_id: int) -> list[sqlite3.Row]:
        query = "SELECT * FROM trials WHERE experiment_id = ? ORDER BY id"
        return self._database.connection().execute(query, (experiment_id,)).fetchall()

    def allocation(self, allocation_id: str) -> sqlite3.Row:
        row: sqlite3.Row | None = (
            self._database.connection().execute("SELECT * FROM allocations WHERE id = ?", (allocation_id,)).fetchone()
        )
        if row is None:
            raise NotFoundError(f"allocation {allocation_id} not found")
        return row

    def allocations(self, trial_id: int) -> list[sqlite3.Row]:
        query = "SELECT * FROM allocations WHERE trial_id = ? ORDER BY start_time"
        return self._database.connection().execute(query, (trial_id,)).fetchall()

    def open_allocations(self) -> list[sqlite3.Row]:
        return self._database.connection().execute("SELECT * FROM allocations WHERE end_time IS NULL").fetchall()

    def open_allocation(self, trial_id: int) -> sqlite3.Row | None:
        query = "SELECT * FROM allocations WHERE trial_id = ? AND end_time IS NULL"
        row: sqlite3.Row | None = self._database.connection().execute(query, (trial_id,)).fetchone()
        return row

    def add(
        self, rows: sqlite3.Connection, experiment_id: int, state: str, *, hparams: Json, seed: int, source: str | None
    ) -> None:
        """A new trial; ``source`` is the checkpoint it starts from."""
        rows.execute(
            "INSERT INTO trials (experiment_id, task_id, state, hparams_json, seed, warm_start_checkpoint, start_time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (experiment_id, f"{experiment_id}.{uuid.uuid4()}", state, dumps(hparams), seed, source, now()),
        )

    def set_paused(self, rows: sqlite3.Connection, trial_id: int, paused: bool) -> None:
        """Pause (asking a run to save a checkpoint and exit) or activate a trial that has not ended."""
        state = states.PAUSED if paused else states.ACTIVE
        rows.execute(
            "UPDATE trials SET state = ? WHERE id = ? AND state IN ('ACTIVE', 'PAUSED')",
            (state, trial_id),
        )
        if paused:
            self._preempt(rows, trial_id)

    def stop(self, rows: sqlite3.Connection, trial_id: int, *, kill: bool) -> None:
        """Cancel (after a last checkpoint) or kill a trial. One that does not run is CANCELED at once."""
        trial = rows.execute("SELECT state FROM trials WHERE id = ?", (trial_id,)).fetchone()
        if trial["state"] in states.TERMINAL or (trial["state"] in states.STOPPING and not kill):
            return
        running = rows.execute(OPEN, (trial_id,)).fetchone()
        if not running:
            self._end(rows, trial_id, states.CANCELED)
            return
        state = states.STOPPING_KILLED if kill else states.STOPPING_CANCELED
        rows.execute("UPDATE trials SET state = ? WHERE id = ?", (state, trial_id))
        if not kill:
            self._preempt(rows, trial_id)

    def start_allocation(self, trial_id: int, user_id: int, slots: list[int]) -> tuple[sqlite3.Row, str]:
        """Begin a run of the trial on ``slots``; returns the allocation and its session token."""
        trial = self.get(trial_id)
        number = trial["run_id"] + 1
        allocation_id = f"{trial['task_id']}.{number}"
        with self._database.transaction() as rows:
            rows.execute(
                "UPDATE trials SET run_id = ?, early_exit = NULL, runner_state = '' WHERE id = ?",
                (number, trial_id),
            )
            rows.execute(
                "INSERT INTO allocations (id, trial_id, task_id, container_id, slots_json, state, start_time)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (allocation_id, trial_id, trial["task_id"], str(uuid.uuid4()), dumps(slots), states.STARTING, now()),
            )
            token = self._users.issue_for_allocation(rows, user_id, allocation_id)
        return self.allocation(allocation_id), token

    def mark_running(self, allocation_id: str) -> None:
        with self._database.transaction() as rows:
            rows.execute("UPDATE allocations SET state = ? WHERE id = ?", (states.RUNNING, allocation_id))

    def mark_ready(self, allocation_id: str) -> None:
        self.allocation(allocation_id)
        with self._database.transaction() as rows:
            rows.execute("UPDATE allocations SET is_ready = 1 WHERE id = ?", (allocation_id,))

    def acknowledge_preemption(self, allocation_id: str) -> None:
        self.allocation(allocation_id)
        with self._database.transaction() as rows:
            rows.execute("UPDATE allocations SET preempt_acknowledged = 1 WHERE id = ?", (allocation_id,))

    def request_preemption(self, allocation_id: str) -> None:
        """Ask the run to save a checkpoint and exit; it is started again later."""
        allocation = self.allocation(allocation_id)
        with self._database.transaction() as rows:
            self._preempt(rows, allocation["trial_id"])

    def allocation_ended(self, allocation_id: str, code: int, reason: str) -> Ending:
        """Decide what the end of a run with exit status ``code`` means for its trial, and record both.

        A status below 0 is a run that the cluster ended: the trial continues, and it is not counted as a restart.
        """
        allocation = self.allocation(allocation_id)
        trial_id = allocation["trial_id"]
        with self._database.transaction() as rows:
            trial = self.get(trial_id)
            config = loads(
                rows.execute("SELECT config_json FROM experiments WHERE id = ?", (trial["experiment_id"],)).fetchone()[0]
            )
            self._close(rows, allocation_id, code, reason)
            state, restarts = trial["state"], trial["restarts"]
            if state in states.STOPPING:
                state = states.CANCELED
            elif trial["early_exit"] or (code == 0 and not allocation["preempt_acknowledged"]):
                state = states.COMPLETED
            elif code > 0:
                restarts += 1
                rows.execute("UPDATE trials SET restarts = ? WHERE id = ?", (restarts, trial_id))
                state = states.ERROR if restarts > config["max_restarts"] else state
            if state in states.TERMINAL:
                self._end(rows, trial_id, state)
        self._changes.notify(trial_topic(trial_id))
        self._changes.notify(allocation_topic(allocation_id))
        return Ending(trial_id, trial["experiment_id"], state, code, restarts, config["max_restarts"])

    def fail(self, trial_id: int) -> None:
        """End a trial that cannot be started at all."""
        with self._database.transaction() as rows:
            self._end(rows, trial_id, states.ERROR)
        self._changes.notify(trial_topic(trial_id))

    def take_up(self) -> None:
        """Close the runs that a killed master left open: their trials continue, which is no restart."""
        for allocation in self.open_allocations():
            with self._database.transaction() as rows:
                self._close(rows, allocation["id"], None, INTERRUPTED)
                trial = self.get(allocation["trial_id"])
                if trial["state"] in states.STOPPING:
                    self._end(rows, trial["id"], states.CANCELED)

    def reopen(self, rows: sqlite3.Connection, trial_id: int) -> None:
        """Let an ended trial run again, with all its restarts (``det experiment continue``)."""
        rows.execute(
            "UPDATE trials SET state = 'ACTIVE', restarts = 0, end_time = NULL, early_exit = NULL WHERE id = ?", (trial_id,)
        )

    def update(self, trial_id: int, **columns: Any) -> None:
        """Set any of runner_state, progress, metadata_json."""
        self.get(trial_id)
        with self._database.transaction() as rows:
            for name, value in columns.items():
                rows.execute(f"UPDATE trials SET {name} = ? WHERE id = ?", (value, trial_id))  # noqa: S608

    def report_early_exit(self, trial_id: int, reason: str) -> None:
        """The trial says that it ends early on purpose. Raises FailedPreconditionError the second time."""
        if self.get(trial_id)["early_exit"]:
            raise FailedPreconditionError(f"trial {trial_id} has already reported an early exit")
        self.update(trial_id, early_exit=reason)

    def _preempt(self, rows: sqlite3.Connection, trial_id: int) -> None:
        for allocation in rows.execute(OPEN, (trial_id,)).fetchall():
            rows.execute("UPDATE allocations SET preempt = 1 WHERE id = ?", (allocation["id"],))
            self._changes.notify(allocation_topic(allocation["id"]))

    def _close(self, rows: sqlite3.Connection, allocation_id: str, code: int | None, reason: str) -> None:
        rows.execute(
            "UPDATE allocations SET state = ?, end_time = ?, status_code = ?, exit_reason = ? WHERE id = ?",
            (states.TERMINATED, now(), code, reason, allocation_id),
        )
        self._users.revoke_allocation(rows, allocation_id)

    def _end(self, rows: sqlite3.Connection, trial_id: int, state: str) -> None:
        rows.execute("UPDATE trials SET state = ?, end_time = ? WHERE id = ?", (state, now(), trial_id))
        self._changes.notify(trial_topic(trial_id))
