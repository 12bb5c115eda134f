"""Experiments and their model definitions."""

from __future__ import annotations

from minipdk.services.determined.model import Experiment
from minipdk.services.determined.store.records import Table, Value

EXPERIMENT = """
    SELECT experiments.*, username, display_name, projects.name AS project_name, projects.user_id AS project_owner_id,
        workspace_id, workspaces.name AS workspace_name,
        (SELECT count(*) FROM trials WHERE experiment_id = experiments.id) AS num_trials,
        (SELECT parent.archived FROM experiments AS parent WHERE parent.id = experiments.parent_id) AS parent_archived,
        (SELECT length(tgz) FROM model_definitions WHERE digest = definition) AS definition_size
    FROM experiments JOIN users ON users.id = experiments.user_id JOIN projects ON projects.id = project_id
    JOIN workspaces ON workspaces.id = workspace_id
"""


class ExperimentTable(Table):
    def all(self) -> list[Experiment]:
        return self._all(Experiment, f"{EXPERIMENT} ORDER BY experiments.id")

    def get(self, experiment_id: int) -> Experiment | None:
        return self._first(Experiment, f"{EXPERIMENT} WHERE experiments.id = ?", experiment_id)

    def by_job(self, job_id: str) -> Experiment | None:
        return self._first(Experiment, f"{EXPERIMENT} WHERE job_id = ?", job_id)

    def of_trial(self, trial_id: int) -> Experiment | None:
        query = f"{EXPERIMENT} WHERE experiments.id = (SELECT experiment_id FROM trials WHERE id = ?)"  # noqa: S608
        return self._first(Experiment, query, trial_id)

    def add(self, **values: Value) -> int:
        return self._insert("experiments", **values)

    def update(self, experiment_id: int, **values: Value) -> None:
        self._update("experiments", experiment_id, **values)

    def refresh_progress(self, experiment_id: int) -> None:
        """Set the progress to the mean of the trials', of which ended trials count as complete."""
        self._write(
            "UPDATE experiments SET progress = (SELECT avg(CASE WHEN state IN ('COMPLETED', 'CANCELED', 'ERROR') THEN 1"
            " ELSE progress END) FROM trials WHERE experiment_id = experiments.id) WHERE id = ?",
            experiment_id,
        )

    def delete(self, experiment_id: int) -> None:
        """Delete the experiment with its trials, metrics, logs, checkpoints and unshared model definition."""
        with self._database.transaction():
            self._write("DELETE FROM experiments WHERE id = ?", experiment_id)
            self._write("DELETE FROM model_definitions WHERE digest NOT IN (SELECT definition FROM experiments)")

    def add_definition(self, digest: str, archive: bytes) -> None:
        """Store a model definition, unless it exists."""
        self._write("INSERT OR IGNORE INTO model_definitions VALUES (?, ?)", digest, archive)

    def definition(self, digest: str) -> bytes | None:
        row = self._row("SELECT tgz FROM model_definitions WHERE digest = ?", digest)
        return None if row is None else row["tgz"]
