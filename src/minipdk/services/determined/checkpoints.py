"""Checkpoints: their records, which of them are kept, and their files below the experiment's storage.

The files lie at ``<host_path>/<storage_path>/<uuid>``; a trial finds the same folder at /determined_shared_fs.
"""

from __future__ import annotations

import fnmatch
import gzip
import io
import logging
import shutil
import sqlite3
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from minipdk.services.determined import states
from minipdk.services.determined.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from minipdk.services.determined.metrics import VALIDATION, Metrics, number
from minipdk.services.determined.store.schema import dumps, loads, now
from minipdk.storage import Database

log = logging.getLogger(__name__)
Json = dict[str, Any]
FROM_EXPERIMENT = "SELECT checkpoints.* FROM checkpoints JOIN trials ON trials.id = trial_id WHERE experiment_id = ?"


class Checkpoints:
    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    def get(self, uuid: str) -> sqlite3.Row:
        row: sqlite3.Row | None = (
            self._database.connection().execute("SELECT * FROM checkpoints WHERE uuid = ?", (uuid,)).fetchone()
        )
        if row is None:
            raise NotFoundError(f"checkpoint {uuid} not found")
        return row

    def report(self, allocation: sqlite3.Row, message: Json) -> None:
        """Keep what a trial says it has saved; a second report of the same checkpoint adds to the first."""
        uuid, metadata = str(message.get("uuid")), message.get("metadata") or {}
        try:
            UUID(uuid)
        except ValueError:
            raise InvalidArgumentError(f"uuid: {uuid!r} is not a UUID") from None
        steps = metadata.get("steps_completed")
        if not isinstance(steps, int):
            raise InvalidArgumentError("metadata.steps_completed is required and must be a number")
        resources = {name: str(size) for name, size in (message.get("resources") or {}).items()}
        with self._database.transaction() as rows:
            rows.execute(
                "INSERT INTO checkpoints (uuid, trial_id, task_id, allocation_id, state, steps, resources_json,"
                " metadata_json, report_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (uuid) DO UPDATE SET state = excluded.state, steps = excluded.steps,"
                " resources_json = excluded.resources_json, metadata_json = excluded.metadata_json",
                (
                    uuid,
                    allocation["trial_id"],
                    allocation["task_id"],
                    allocation["id"],
                    (message.get("state") or "STATE_COMPLETED").removeprefix("STATE_"),
                    steps,
                    dumps(resources),
                    dumps(metadata),
                    message.get("reportTime") or now(),
                ),
            )

    def of_trial(self, trial_id: int) -> list[sqlite3.Row]:
        query = "SELECT * FROM checkpoints WHERE trial_id = ? ORDER BY steps, report_time"
        return self._database.connection().execute(query, (trial_id,)).fetchall()

    def of_experiment(self, experiment_id: int) -> list[sqlite3.Row]:
        return self._database.connection().execute(f"{FROM_EXPERIMENT} ORDER BY steps", (experiment_id,)).fetchall()

    def latest(self, trial_id: int) -> sqlite3.Row | None:
        """The checkpoint from which the trial continues."""
        complete = [row for row in self.of_trial(trial_id) if row["state"] == states.COMPLETED]
        return complete[-1] if complete else None

    def searcher_metric(self, checkpoint: sqlite3.Row, metric: str) -> float | None:
        """The value of ``metric`` in the validation at the checkpoint's batch."""
        return number(self._metrics.at(checkpoint["trial_id"], VALIDATION, checkpoint["steps"]), metric)

    def set_metadata(self, uuid: str, metadata: Json) -> sqlite3.Row:
        self.get(uuid)
        with self._database.transaction() as rows:
            rows.execute("UPDATE checkpoints SET metadata_json = ? WHERE uuid = ?", (dumps(metadata), uuid))
        return self.get(uuid)

    def set_resources(self, uuid: str, resources: Json) -> None:
        """A trial has removed files of a checkpoint: all of them, or some."""
        before = self.get(uuid)
        state = states.DELETED if not resources else before["state"]
        if resources and resources.keys() != loads(before["resources_json"]).keys():
            state = states.PARTIALLY_DELETED
        kept = {name: str(size) for name, size in resources.items()}
        with self._database.transaction() as rows:
            rows.execute("UPDATE checkpoints SET resources_json = ?, state = ? WHERE uuid = ?", (dumps(kept), state, uuid))

    def delete(self, uuids: list[str]) -> None:
        """Mark checkpoints as deleted; `remove_deleted_files` removes their files. Registered ones are refused."""
        rows = self._database.connection()
        for uuid in uuids:
            self.get(uuid)
            if version := rows.execute(
                "SELECT models.name, version FROM model_versions JOIN models ON models.id = model_id "
                " WHERE checkpoint_uuid = ?",
                (uuid,),
            ).fetchone():
                raise FailedPreconditionError(
                    f"checkpoint {uuid} is version {version['version']} of the model {version['name']!r}:"
                    " delete that version first"
                )
        with self._database.transaction() as writing:
            self.mark_deleted(writing, uuids)

    def mark_deleted(self, rows: sqlite3.Connection, uuids: Iterable[str]) -> None:
        rows.executemany(
            "UPDATE checkpoints SET state = 'DELETED', resources_json = '{}' WHERE uuid = ?", [(uuid,) for uuid in uuids]
        )

    def remove_files(self, uuids: list[str], globs: list[str]) -> None:
        """Remove the files that match any of ``globs`` from checkpoints, and refresh their lists of files."""
        for uuid in uuids:
            folder = self.folder(self.get(uuid))
            for file in [one for one in _files(folder) if any(fnmatch.fnmatchcase(str(one), glob) for glob in globs)]:
                (folder / file).unlink()
            self.set_resources(uuid, {str(one): (folder / one).stat().st_size for one in _files(folder)})

    def expendable(self, experiment_id: int, config: Json) -> list[str]:
        """The checkpoints that the experiment's policy (``save_...``) does not keep. Registered ones are always kept."""
        storage, searcher = config["checkpoint_storage"], config["searcher"]
        complete = [row for row in self.of_experiment(experiment_id) if row["state"] == states.COMPLETED]
        sign = 1 if searcher["smaller_is_better"] else -1
        ranked = []
        for row in complete:
            value = self.searcher_metric(row, searcher["metric"])
            if value is not None:
                ranked.append((sign * value, row["steps"], row["uuid"], row["trial_id"]))
        ranked.sort()
        keep = {uuid for _, _, uuid, _ in ranked[: storage["save_experiment_best"]]}
        for trial_id in {row["trial_id"] for row in complete}:
            best = [uuid for _, _, uuid, owner in ranked if owner == trial_id]
            latest = [row["uuid"] for row in complete if row["trial_id"] == trial_id]
            keep.update(best[: storage["save_trial_best"]])
            keep.update(latest[max(0, len(latest) - storage["save_trial_latest"]) :])
        registered = self._database.connection().execute("SELECT checkpoint_uuid FROM model_versions")
        keep.update(row["checkpoint_uuid"] for row in registered)
        return [row["uuid"] for row in complete if row["uuid"] not in keep]

    def remove_deleted_files(self) -> None:
        """Remove the files of every checkpoint marked as deleted. What is interrupted is taken up the next time."""
        rows = self._database.connection()
        query = "SELECT * FROM checkpoints WHERE state = 'DELETED' AND files_removed = 0"
        for row in rows.execute(query).fetchall():
            shutil.rmtree(self.folder(row), ignore_errors=True)
            with self._database.transaction() as writing:
                writing.execute("UPDATE checkpoints SET files_removed = 1 WHERE uuid = ?", (row["uuid"],))

    def folder(self, checkpoint: sqlite3.Row) -> Path:
        """Where the checkpoint's files lie on this machine."""
        row = (
            self._database.connection()
            .execute(
                "SELECT config_json FROM experiments JOIN trials ON experiments.id = experiment_id WHERE trials.id = ?",
                (checkpoint["trial_id"],),
            )
            .fetchone()
        )
        return storage_folder(loads(row["config_json"])) / str(checkpoint["uuid"])

    def archive(self, uuid: str, kind: str) -> Iterator[bytes]:
        """The checkpoint's files as ``tgz`` or ``zip``, in chunks. Raises NotFoundError when the files are gone."""
        checkpoint = self.get(uuid)
        folder = self.folder(checkpoint)
        if checkpoint["state"] not in (states.COMPLETED, states.PARTIALLY_DELETED) or not folder.is_dir():
            raise NotFoundError(f"checkpoint {uuid} has no files: its state is {checkpoint['state']}")
        return _archive(folder, kind)


def storage_folder(config: Json) -> Path:
    """The folder that holds the checkpoints of an experiment with this configuration."""
    storage = config["checkpoint_storage"]
    return Path(storage["host_path"]) / (storage["storage_path"] or "")


def _files(folder: Path) -> list[Path]:
    return sorted(one.relative_to(folder) for one in folder.rglob("*") if one.is_file() and not one.is_symlink())


class _Outlet(io.RawIOBase):
    """A file to write an archive to, whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self.pending = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.pending += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self.pending)
        self.pending.clear()
        return taken


def _archive(folder: Path, kind: str) -> Iterator[bytes]:
    outlet = _Outlet()
    if kind == "zip":
        with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for file in _files(folder):
                archive.write(folder / file, str(file))
                yield outlet.take()
    else:
        zipped = gzip.GzipFile(fileobj=outlet, mode="wb", compresslevel=1)
        with zipped, tarfile.open(fileobj=zipped, mode="w|") as tar:
            for file in _files(folder):
                tar.add(folder / file, str(file), recursive=False)
                yield outlet.take()
    yield outlet.take()
