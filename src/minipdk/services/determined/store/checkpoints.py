"""Checkpoints."""

from __future__ import annotations

from collections.abc import Iterable

from minipdk.services.determined.model import Checkpoint, Json
from minipdk.services.determined.store.records import Table, dumps

OF_EXPERIMENT = "SELECT checkpoints.* FROM checkpoints JOIN trials ON trials.id = trial_id WHERE experiment_id = ?"


class CheckpointTable(Table):
    def get(self, uuid: str) -> Checkpoint | None:
        return self._first(Checkpoint, "SELECT * FROM checkpoints WHERE uuid = ?", uuid)

    def of_trial(self, trial_id: int) -> list[Checkpoint]:
        query = "SELECT * FROM checkpoints WHERE trial_id = ? ORDER BY steps, report_time"
        return self._all(Checkpoint, query, trial_id)

    def of_experiment(self, experiment_id: int) -> list[Checkpoint]:
        return self._all(Checkpoint, f"{OF_EXPERIMENT} ORDER BY steps", experiment_id)

    def existing_of_trial(self, trial_id: int) -> list[Checkpoint]:
        """The checkpoints of the trial that are not deleted."""
        query = "SELECT * FROM checkpoints WHERE trial_id = ? AND state != 'DELETED' ORDER BY steps, report_time"
        return self._all(Checkpoint, query, trial_id)

    def existing_of_experiment(self, experiment_id: int) -> list[Checkpoint]:
        """The checkpoints of the experiment that are not deleted."""
        return self._all(Checkpoint, f"{OF_EXPERIMENT} AND checkpoints.state != 'DELETED' ORDER BY steps", experiment_id)

    def save(self, checkpoint: Checkpoint) -> None:
        """Store the checkpoint; one that exists keeps its trial, allocation and report time."""
        self._write(
            "INSERT INTO checkpoints (uuid, trial_id, task_id, allocation_id, state, steps, resources_json,"
            " metadata_json, report_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (uuid) DO UPDATE SET state = excluded.state, steps = excluded.steps,"
            " resources_json = excluded.resources_json, metadata_json = excluded.metadata_json",
            *(checkpoint.uuid, checkpoint.trial_id, checkpoint.task_id, checkpoint.allocation_id),
            *(checkpoint.state, checkpoint.steps, dumps(checkpoint.resources), dumps(checkpoint.metadata)),
            checkpoint.report_time,
        )

    def set_metadata(self, uuid: str, metadata: Json) -> None:
        self._write("UPDATE checkpoints SET metadata_json = ? WHERE uuid = ?", dumps(metadata), uuid)

    def set_resources(self, uuid: str, resources: Json, state: str) -> None:
        self._write("UPDATE checkpoints SET resources_json = ?, state = ? WHERE uuid = ?", dumps(resources), state, uuid)

    def mark_deleted(self, uuids: Iterable[str]) -> None:
        statement = "UPDATE checkpoints SET state = 'DELETED', resources_json = '{}' WHERE uuid = ?"
        self._write_many(statement, [(uuid,) for uuid in uuids])

    def with_files_to_remove(self) -> list[Checkpoint]:
        """The deleted checkpoints whose files have not been removed yet."""
        return self._all(Checkpoint, "SELECT * FROM checkpoints WHERE state = 'DELETED' AND files_removed = 0")

    def mark_files_removed(self, uuid: str) -> None:
        self._write("UPDATE checkpoints SET files_removed = 1 WHERE uuid = ?", uuid)

    def registered(self) -> set[str]:
        """The checkpoints that versions of models refer to."""
        return {row["checkpoint_uuid"] for row in self._rows("SELECT checkpoint_uuid FROM model_versions")}

    def registered_as(self, uuid: str) -> list[tuple[int, str, int]]:
        """The model's id and name and the version of each registration of the checkpoint."""
        rows = self._rows(
            "SELECT model_id, models.name AS model, version FROM model_versions JOIN models ON models.id = model_id"
            " WHERE checkpoint_uuid = ? ORDER BY model_id, version",
            uuid,
        )
        return [(row["model_id"], row["model"], row["version"]) for row in rows]
