"""All SQL of PPS: pipelines in all their versions, jobs, datums and defaults, in pachd's database beside PFS's tables.

Messages are kept serialized, next to the columns they are looked up by. Row ids grow with time, so that newest first is
descending row id. Writers hold a PFS transaction, so that a job and its output commit come and go together.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.pps.messages import datum_state, is_terminal
from minipdk.services.pachyderm.pps.model import Key, StoredDatum, StoredDefaults
from minipdk.storage import Database

CLUSTER = ""
"""The project that the cluster's defaults are kept under."""
_REQUESTS = {"cpu": 1, "memory": "256Mi", "disk": "1Gi"}
NEW_CLUSTER = json.dumps(
    {"createPipelineRequest": {"resourceRequests": _REQUESTS, "sidecarResourceRequests": _REQUESTS}}, separators=(",", ":")
)
"""The defaults of a cluster for which none have been set."""


class Store:
    """PPS's tables in ``db``."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def _read(self, sql: str, *arguments: object) -> list[sqlite3.Row]:
        return self._db.connection().execute(sql, arguments).fetchall()

    def _write(self, sql: str, *arguments: object) -> sqlite3.Cursor:
        with self._db.transaction() as connection:
            return connection.execute(sql, arguments)

    # Pipelines

    def put_pipeline(self, info: wire.pps.PipelineInfo) -> None:
        """Insert a version of a pipeline, or replace it."""
        key = Key.of(info.pipeline)
        self._write(
            "INSERT INTO pps_pipelines (project, name, version, spec_commit, info) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (project, name, version) DO UPDATE SET info = excluded.info",
            *(key.project, key.pipeline, info.version, info.spec_commit.id, info.SerializeToString()),
        )

    def pipeline(self, key: Key, version: int | None = None) -> wire.pps.PipelineInfo | None:
        """The PipelineInfo of the newest version, or of ``version``; None when there is none."""
        rows = self._read(
            "SELECT info FROM pps_pipelines WHERE project = ? AND name = ? AND version = coalesce(?, version) "
            "ORDER BY version DESC LIMIT 1",
            *(key.project, key.pipeline, version),
        )
        return wire.pps.PipelineInfo.FromString(rows[0]["info"]) if rows else None

    def pipelines(self, key: Key | None = None, history: int = 0) -> Iterator[wire.pps.PipelineInfo]:
        """PipelineInfos, newest first: of every pipeline or one, with ``history`` older versions (-1: all)."""
        rows = self._read(
            "SELECT info FROM (SELECT row, info, version, max(version) OVER (PARTITION BY project, name) AS last "
            "FROM pps_pipelines WHERE ? IS NULL OR (project = ? AND name = ?)) "
            "WHERE ? < 0 OR version >= last - ? ORDER BY row DESC",
            *(key and key.pipeline, key and key.project, key and key.pipeline, history, history),
        )
        return (wire.pps.PipelineInfo.FromString(row["info"]) for row in rows)

    def is_pipeline(self, project: str, name: str) -> bool:
        return bool(self._read("SELECT 1 FROM pps_pipelines WHERE project = ? AND name = ? LIMIT 1", project, name))

    def delete_pipeline(self, key: Key) -> None:
        self._write("DELETE FROM pps_pipelines WHERE project = ? AND name = ?", key.project, key.pipeline)

    # Jobs

    def put_job(self, info: wire.pps.JobInfo) -> None:
        """Insert a job, or replace it."""
        key = Key.of_job(info.job)
        self._write(
            "INSERT INTO pps_jobs (project, pipeline, id, version, terminal, info) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (project, pipeline, id) DO UPDATE SET terminal = excluded.terminal, info = excluded.info",
            *(key.project, key.pipeline, key.id, info.pipeline_version, is_terminal(info.state), info.SerializeToString()),
        )

    def job(self, key: Key) -> wire.pps.JobInfo | None:
        rows = self._read(
            "SELECT info FROM pps_jobs WHERE project = ? AND pipeline = ? AND id = ?", key.project, key.pipeline, key.id
        )
        return wire.pps.JobInfo.FromString(rows[0]["info"]) if rows else None

    def jobs(self, key: Key | None = None, *, reverse: bool = False) -> Iterator[wire.pps.JobInfo]:
        """JobInfos of every pipeline or one, newest first unless ``reverse``."""
        rows = self._read(
            "SELECT info FROM pps_jobs WHERE ? IS NULL OR (project = ? AND pipeline = ?) ORDER BY row * ?",
            *(key and key.pipeline, key and key.project, key and key.pipeline, 1 if reverse else -1),
        )
        return (wire.pps.JobInfo.FromString(row["info"]) for row in rows)

    def last_job(self, key: Key) -> wire.pps.JobInfo | None:
        rows = self._read(
            "SELECT info FROM pps_jobs WHERE project = ? AND pipeline = ? ORDER BY row DESC LIMIT 1",
            key.project,
            key.pipeline,
        )
        return wire.pps.JobInfo.FromString(rows[0]["info"]) if rows else None

    def job_set(self, id: str) -> Iterator[wire.pps.JobInfo]:  # noqa: A002
        """The jobs of one commit set, oldest first."""
        rows = self._read("SELECT info FROM pps_jobs WHERE id = ? ORDER BY row", id)
        return (wire.pps.JobInfo.FromString(row["info"]) for row in rows)

    def open_jobs(self, key: Key | None = None) -> list[wire.pps.JobInfo]:
        """The jobs that are not terminal, oldest first."""
        rows = self._read("SELECT info FROM pps_jobs WHERE NOT terminal ORDER BY row")
        infos = [wire.pps.JobInfo.FromString(row["info"]) for row in rows]
        return [info for info in infos if key is None or Key.of(info.job.pipeline) == key]

    def delete_job(self, key: Key) -> list[str]:
        """Delete a job and the datums that no other job refers to; returns the file sets that nothing refers to any more."""
        with self._db.transaction() as connection:
            row = self._job_row(key)
            orphans = connection.execute(
                "SELECT d.row, d.fileset FROM pps_job_datums j JOIN pps_datums d ON d.row = j.datum WHERE j.job = ? "
                "AND NOT EXISTS (SELECT 1 FROM pps_job_datums o WHERE o.datum = d.row AND o.job != j.job)",
                (row,),
            ).fetchall()
            connection.execute("DELETE FROM pps_jobs WHERE row = ?", (row,))
            connection.executemany("DELETE FROM pps_datums WHERE row = ?", ((orphan["row"],) for orphan in orphans))
            return [orphan["fileset"] for orphan in orphans if orphan["fileset"]]

    def _job_row(self, key: Key) -> int | None:
        rows = self._read(
            "SELECT row FROM pps_jobs WHERE project = ? AND pipeline = ? AND id = ?", key.project, key.pipeline, key.id
        )
        return rows[0]["row"] if rows else None

    # Datums

    def add_datum(self, key: Key, info: wire.pps.DatumInfo, digest: str, fileset: str | None) -> None:
        """Add a datum that a job has run (a DatumInfo whose hash is ``digest``), with the file set it wrote."""
        with self._db.transaction() as connection:
            added = connection.execute(
                "INSERT INTO pps_datums (id, hash, state, fileset, info) VALUES (?, ?, ?, ?, ?)",
                (info.datum.id, digest, info.state, fileset, info.SerializeToString()),
            )
            connection.execute("INSERT INTO pps_job_datums VALUES (?, ?, 0)", (self._job_row(key), added.lastrowid))

    def set_skipped(self, key: Key, datums: Iterable[int]) -> None:
        """Set the datums (rows) that a job skips because an earlier one ran them."""
        with self._db.transaction() as connection:
            job = self._job_row(key)
            connection.execute("DELETE FROM pps_job_datums WHERE job = ? AND skipped", (job,))
            connection.executemany("INSERT INTO pps_job_datums VALUES (?, ?, 1)", ((job, row) for row in datums))

    def forget_datums(self, key: Key, rows: Iterable[int]) -> None:
        """Delete datums that a job itself has run, so that it runs them again."""
        with self._db.transaction() as connection:
            job = self._job_row(key)
            for row in list(rows):
                connection.execute("DELETE FROM pps_job_datums WHERE job = ? AND datum = ?", (job, row))
                connection.execute("DELETE FROM pps_datums WHERE row = ?", (row,))

    def datums(self, key: Key, *, skipped: bool = True) -> dict[str, StoredDatum]:
        """The datums that a job ran and, with ``skipped``, the datums that it skipped, by id."""
        rows = self._read(
            "SELECT d.row, d.id, d.hash, d.state, d.fileset FROM pps_job_datums j JOIN pps_datums d ON d.row = j.datum "
            "WHERE j.job = ? AND j.skipped <= ?",
            *(self._job_row(key), skipped),
        )
        return {row["id"]: StoredDatum(*row) for row in rows}

    def datum_infos(self, key: Key, *, skipped: bool = True) -> Iterator[wire.pps.DatumInfo]:
        """The DatumInfos of a job, ordered by id; a skipped datum names the job that ran it."""
        rows = self._read(
            "SELECT d.info, j.skipped FROM pps_job_datums j JOIN pps_datums d ON d.row = j.datum WHERE j.job = ? "
            "AND j.skipped <= ? ORDER BY d.id",
            *(self._job_row(key), skipped),
        )
        for row in rows:
            info = wire.pps.DatumInfo.FromString(row["info"])
            if row["skipped"]:
                info.state = datum_state("SKIPPED")
            yield info

    # Defaults

    def defaults(self, project: str = CLUSTER) -> StoredDefaults:
        """The defaults of a project, or the cluster's."""
        rows = self._read("SELECT json, created_at, created_by FROM pps_defaults WHERE project = ?", project)
        return StoredDefaults(*rows[0]) if rows else StoredDefaults("{}" if project else NEW_CLUSTER)

    def set_defaults(self, defaults: StoredDefaults, project: str = CLUSTER) -> None:
        self._write(
            "INSERT INTO pps_defaults (project, json, created_at, created_by) VALUES (?, ?, ?, ?) ON CONFLICT (project) "
            "DO UPDATE SET json = excluded.json, created_at = excluded.created_at, created_by = excluded.created_by",
            *(project, *defaults),
        )
