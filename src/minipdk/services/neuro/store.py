"""All SQL of the platform: its jobs with their histories.

A job's request is kept as JSON in ``job_json``; statements select by the columns beside it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from minipdk.services.neuro.model import ACTIVE, Container, Http, Job, Resources, Status, Transition, Volume
from minipdk.storage.database import Database

MIGRATIONS = (
    """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, status TEXT NOT NULL,
    created_at REAL NOT NULL, pod_uid TEXT NOT NULL DEFAULT '', job_json TEXT NOT NULL);
CREATE INDEX jobs_by_status ON jobs (status);
CREATE UNIQUE INDEX names_in_use ON jobs (name) WHERE name != '' AND status IN ('pending', 'running');
CREATE TABLE transitions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    status TEXT NOT NULL, time REAL NOT NULL, reason TEXT NOT NULL, description TEXT NOT NULL, exit_code INTEGER);
CREATE INDEX transitions_of_job ON transitions (job_id);
""",
)
"""Step n leads from version n - 1 of the schema to version n. Never change a step that was released."""

_COLUMNS = ("transitions", "pod_uid")
"""The fields of a job that are not in its JSON."""


class NameTakenError(Exception):
    """Another job of this name is pending or running."""


class Store:
    """The jobs of the database at ``path``."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, MIGRATIONS)

    def transaction(self) -> AbstractContextManager[object]:
        """Make several reads and writes atomic."""
        return self._database.transaction()

    def insert(self, job: Job) -> None:
        """Raises NameTakenError."""
        with self._database.transaction() as connection:
            try:
                connection.execute(
                    "INSERT INTO jobs (id, name, status, created_at, job_json) VALUES (?, ?, ?, ?, ?)",
                    (job.id, job.name, job.status, job.created_at, _as_json(job)),
                )
            except sqlite3.IntegrityError:
                raise NameTakenError(job.name) from None
            for transition in job.transitions:
                self._append(connection, job.id, transition)

    def add_transition(self, job_id: str, transition: Transition) -> None:
        with self._database.transaction() as connection:
            connection.execute("UPDATE jobs SET status = ? WHERE id = ?", (transition.status, job_id))
            self._append(connection, job_id, transition)

    def set_pod(self, job_id: str, uid: str) -> None:
        with self._database.transaction() as connection:
            connection.execute("UPDATE jobs SET pod_uid = ? WHERE id = ?", (uid, job_id))

    def update(self, job: Job) -> None:
        """Store changed fields of the request."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE jobs SET job_json = ? WHERE id = ?", (_as_json(job), job.id))

    def get(self, job_id: str) -> Job | None:
        return next(iter(self._select("WHERE id = ?", (job_id,))), None)

    def active(self) -> list[Job]:
        """Every job that has not ended, the oldest first."""
        return self.select(statuses=ACTIVE)

    def select(self, *, statuses: Iterable[str] = (), name: str = "") -> list[Job]:
        """The jobs with one of the ``statuses``, or with any, and this ``name``, if it is given, the oldest first."""
        names = list(statuses)
        conditions = [f"status IN ({', '.join('?' * len(names))})"] if names else []
        conditions += ["name = ?"] if name else []
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        return self._select(where, (*names, *([name] if name else ())))

    def remove_oldest(self, keep: int) -> list[str]:
        """Forget ended jobs beyond the newest ``keep``, and return their ids."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT id FROM jobs WHERE status NOT IN ('pending', 'running') ORDER BY number DESC LIMIT -1 OFFSET ?",
                (keep,),
            ).fetchall()
            connection.executemany("DELETE FROM jobs WHERE id = ?", [(row["id"],) for row in rows])
            return [row["id"] for row in rows]

    def _select(self, where: str, values: tuple[str, ...]) -> list[Job]:
        with self._database.snapshot() as connection:
            jobs = connection.execute(f"SELECT * FROM jobs {where} ORDER BY number", values).fetchall()  # noqa: S608
            chosen = f"SELECT id FROM jobs {where}"  # noqa: S608
            rows = connection.execute(
                f"SELECT * FROM transitions WHERE job_id IN ({chosen}) ORDER BY number",  # noqa: S608
                values,
            ).fetchall()
        histories: dict[str, list[Transition]] = {}
        for row in rows:
            histories.setdefault(row["job_id"], []).append(_transition(row))
        return [_job(row, tuple(histories[row["id"]])) for row in jobs]

    def _append(self, connection: sqlite3.Connection, job_id: str, transition: Transition) -> None:
        connection.execute(
            "INSERT INTO transitions (job_id, status, time, reason, description, exit_code) VALUES (?, ?, ?, ?, ?, ?)",
            (
                job_id,
                transition.status,
                transition.time,
                transition.reason,
                transition.description,
                transition.exit_code,
            ),
        )


def _as_json(job: Job) -> str:
    return json.dumps({name: value for name, value in asdict(job).items() if name not in _COLUMNS})


def _transition(row: sqlite3.Row) -> Transition:
    return Transition(Status(row["status"]), row["time"], row["reason"], row["description"], row["exit_code"])


def _job(row: sqlite3.Row, transitions: tuple[Transition, ...]) -> Job:
    document: dict[str, Any] = json.loads(row["job_json"])
    container = document.pop("container")
    volumes = tuple(Volume(**volume) for volume in container.pop("volumes"))
    http = container.pop("http")
    entrypoint, command = tuple(container.pop("entrypoint")), tuple(container.pop("command"))
    program = Container(
        **container, entrypoint=entrypoint, command=command, volumes=volumes, http=Http(**http) if http else None
    )
    resources, tags = Resources(**document.pop("resources")), tuple(document.pop("tags"))
    job = Job(**document, container=program, resources=resources, tags=tags)
    return replace(job, transitions=transitions, pod_uid=row["pod_uid"])
