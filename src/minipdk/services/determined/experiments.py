"""Experiments: from a checked configuration through their trials to an end.

An experiment follows its trials: it ends when all of them have. It is ERROR when every trial failed, CANCELED when it was
stopped or every trial was, else COMPLETED; then the checkpoints that its policy does not keep are deleted.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import uuid
from typing import Any

from minipdk.services.determined import model_definition, states
from minipdk.services.determined.checkpoints import Checkpoints, storage_folder
from minipdk.services.determined.config.hyperparameters import draw_trials
from minipdk.services.determined.errors import FailedPreconditionError, NotFoundError
from minipdk.services.determined.store.schema import dumps, loads, now
from minipdk.services.determined.trials import Trials
from minipdk.storage import Database

Json = dict[str, Any]
EXPERIMENT = """
    SELECT experiments.*, username, display_name, projects.name AS project_name, projects.user_id AS project_owner_id,
        workspace_id, workspaces.name AS workspace_name,
        (SELECT count(*) FROM trials WHERE experiment_id = experiments.id) AS num_trials,
        (SELECT parent.archived FROM experiments AS parent WHERE parent.id = experiments.parent_id) AS parent_archived,
        (SELECT length(tgz) FROM model_definitions WHERE digest = definition) AS definition_size
    FROM experiments JOIN users ON users.id = experiments.user_id JOIN projects ON projects.id = project_id
    JOIN workspaces ON workspaces.id = workspace_id
"""


class Experiments:
    def __init__(self, database: Database, trials: Trials, checkpoints: Checkpoints, cluster_id: str) -> None:
        self._database = database
        self._cluster_id = cluster_id
        self._trials = trials
        self._checkpoints = checkpoints

    def all(self) -> list[sqlite3.Row]:
        return self._database.connection().execute(f"{EXPERIMENT} ORDER BY experiments.id").fetchall()

    def get(self, experiment_id: int) -> sqlite3.Row:
        query = f"{EXPERIMENT} WHERE experiments.id = ?"
        row: sqlite3.Row | None = self._database.connection().execute(query, (experiment_id,)).fetchone()
        if row is None:
            raise NotFoundError(f"experiment {experiment_id} not found")
        return row

    def definition(self, experiment_id: int) -> bytes:
        """The archive of the experiment's model definition."""
        return model_definition.load(self._database.connection(), self.get(experiment_id)["definition"])

    def create(
        self,
        config: Json,
        original: str,
        archive: bytes,
        *,
        project_id: int,
        parent_id: int | None,
        user_id: int,
        priority: int,
        source: str | None,
        activate: bool,
    ) -> sqlite3.Row:
        """Keep a complete configuration as a new experiment with all its trials."""
        if config["reproducibility"]["experiment_seed"] is None:
            config["reproducibility"]["experiment_seed"] = secrets.randbelow(2**31)
        config["name"] = config["name"] or f"experiment-{secrets.token_hex(3)}"
        state = states.ACTIVE if activate else states.PAUSED
        with self._database.transaction() as rows:
            values = {
                "state": state,
                "name": config["name"],
                "description": config["description"],
                "labels_json": dumps(config["labels"]),
                "config_json": dumps(config),
                "original_config": original,
                "definition": model_definition.store(rows, archive),
                "parent_id": parent_id,
                "project_id": project_id,
                "user_id": user_id,
                "job_id": str(uuid.uuid4()),
                "resource_pool": config["resources"]["resource_pool"],
                "priority": priority,
                "start_time": now(),
            }
            experiment_id = _insert(rows, values)
            for hparams, seed in draw_trials(config, config["reproducibility"]["experiment_seed"]):
                self._trials.add(rows, experiment_id, state, hparams=hparams, seed=seed, source=source)
        return self.get(experiment_id)

    def set_paused(self, experiment_id: int, paused: bool) -> None:
        """Pause or activate. Raises FailedPreconditionError for an experiment that is stopping or has ended."""
        experiment = self.get(experiment_id)
        if experiment["state"] not in (states.ACTIVE, states.PAUSED):
            verb = "paused" if paused else "activated"
            raise FailedPreconditionError(
                f"experiment {experiment_id} cannot be {verb}: its state is {experiment['state']}, not ACTIVE or PAUSED"
            )
        with self._database.transaction() as rows:
            state = states.PAUSED if paused else states.ACTIVE
            rows.execute("UPDATE experiments SET state = ? WHERE id = ?", (state, experiment_id))
            for trial in self._trials.of_experiment(experiment_id):
                self._trials.set_paused(rows, trial["id"], paused)

    def stop(self, experiment_id: int, *, kill: bool) -> None:
        """Cancel or kill; nothing happens to an experiment that has ended."""
        if self.get(experiment_id)["state"] in states.TERMINAL:
            return
        with self._database.transaction() as rows:
            state = states.STOPPING_KILLED if kill else states.STOPPING_CANCELED
            rows.execute("UPDATE experiments SET state = ? WHERE id = ?", (state, experiment_id))
            for trial in self._trials.of_experiment(experiment_id):
                self._trials.stop(rows, trial["id"], kill=kill)
            self.settle(rows, experiment_id)
        self._checkpoints.remove_deleted_files()

    def kill_trial(self, trial_id: int) -> None:
        trial = self._trials.get(trial_id)
        with self._database.transaction() as rows:
            self._trials.stop(rows, trial_id, kill=True)
            self.settle(rows, trial["experiment_id"])
        self._checkpoints.remove_deleted_files()

    def settle(self, rows: sqlite3.Connection, experiment_id: int) -> None:
        """End the experiment, in the caller's transaction, if all its trials have ended."""
        experiment, trials = self.get(experiment_id), self._trials.of_experiment(experiment_id)
        if experiment["state"] in states.TERMINAL or any(trial["state"] not in states.TERMINAL for trial in trials):
            return
        if experiment["state"] in states.STOPPING or all(trial["state"] == states.CANCELED for trial in trials):
            state = states.CANCELED
        elif all(trial["state"] == states.ERROR for trial in trials):
            state = states.ERROR
        else:
            state = states.COMPLETED
        rows.execute("UPDATE experiments SET state = ?, end_time = ? WHERE id = ?", (state, now(), experiment_id))
        config = loads(experiment["config_json"])
        self._checkpoints.mark_deleted(rows, self._checkpoints.expendable(experiment_id, config))

    def settle_all(self) -> None:
        """End every experiment whose trials have ended, as after a restart."""
        with self._database.transaction() as rows:
            for experiment in self.all():
                self.settle(rows, experiment["id"])

    def continue_(self, experiment_id: int, config: Json) -> None:
        """Let the one trial of an ended experiment train on from its latest checkpoint, under ``config``."""
        experiment = self.get(experiment_id)
        if experiment["state"] not in states.TERMINAL:
            raise FailedPreconditionError(
                f"experiment {experiment_id} cannot be continued: its state is {experiment['state']}, it has not ended"
            )
        trials = self._trials.of_experiment(experiment_id)
        if len(trials) != 1:
            raise FailedPreconditionError(
                f"experiment {experiment_id} cannot be continued: it has {len(trials)} trials, only one can be"
            )
        with self._database.transaction() as rows:
            rows.execute(
                "UPDATE experiments SET state = 'ACTIVE', end_time = NULL, config_json = ?, name = ? WHERE id = ?",
                (dumps(config), config["name"], experiment_id),
            )
            self._trials.reopen(rows, trials[0]["id"])

    def set_archived(self, experiment_id: int, archived: bool) -> None:
        experiment = self.get(experiment_id)
        if archived and experiment["state"] not in states.TERMINAL:
            raise FailedPreconditionError(
                f"experiment {experiment_id} cannot be archived: its state is {experiment['state']}, it has not ended"
            )
        with self._database.transaction() as rows:
            rows.execute("UPDATE experiments SET archived = ? WHERE id = ?", (archived, experiment_id))

    def delete(self, experiment_id: int) -> None:
        """Remove an ended experiment with its trials, metrics, logs and checkpoints."""
        experiment = self.get(experiment_id)
        if experiment["state"] not in states.TERMINAL:
            raise FailedPreconditionError(
                f"experiment {experiment_id} cannot be deleted: its state is {experiment['state']}: kill it first"
            )
        uuids = [row["uuid"] for row in self._checkpoints.of_experiment(experiment_id)]
        self._checkpoints.delete(uuids)
        self._checkpoints.remove_deleted_files()
        self.delete_tensorboard_files(experiment_id)
        with self._database.transaction() as rows:
            rows.execute("DELETE FROM experiments WHERE id = ?", (experiment_id,))
            rows.execute("DELETE FROM model_definitions WHERE digest NOT IN (SELECT definition FROM experiments)")

    def delete_tensorboard_files(self, experiment_id: int) -> None:
        """Remove what the harness wrote for TensorBoard: <storage>/<cluster>/tensorboard/experiment/<id>."""
        storage = storage_folder(loads(self.get(experiment_id)["config_json"]))
        shutil.rmtree(storage / self._cluster_id / "tensorboard" / "experiment" / str(experiment_id), ignore_errors=True)

    def update(self, experiment_id: int, changes: Json) -> sqlite3.Row:
        """Set any of name, description, notes, labels, project_id, priority, and config (merged by its sections)."""
        self.get(experiment_id)
        columns = {"labels": "labels_json", "config": "config_json"}
        with self._database.transaction() as rows:
            for field, value in changes.items():
                column = columns.get(field, field)
                stored = dumps(value) if field in columns else value
                rows.execute(f"UPDATE experiments SET {column} = ? WHERE id = ?", (stored, experiment_id))  # noqa: S608
        return self.get(experiment_id)

    def collect_garbage(self, experiment_id: int) -> None:
        """Apply the experiment's checkpoint policy now, if it has ended."""
        experiment = self.get(experiment_id)
        if experiment["state"] in states.TERMINAL:
            with self._database.transaction() as rows:
                expendable = self._checkpoints.expendable(experiment_id, loads(experiment["config_json"]))
                self._checkpoints.mark_deleted(rows, expendable)
        self._checkpoints.remove_deleted_files()


def progress(experiment: sqlite3.Row, trials: list[sqlite3.Row]) -> float:
    """How far the experiment is, from 0 to 1: the mean of its trials."""
    if experiment["state"] == states.COMPLETED:
        return 1.0
    done = [1.0 if trial["state"] in states.TERMINAL else trial["progress"] for trial in trials]
    return sum(done) / len(done) if done else 0.0


def _insert(rows: sqlite3.Connection, values: Json) -> int:
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    new = rows.execute(f"INSERT INTO experiments ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608
    return int(new.lastrowid or 0)
