"""The model registry: models, and versions of them that each name a checkpoint."""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from minipdk.services.determined import states
from minipdk.services.determined.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from minipdk.services.determined.store.schema import dumps, loads, now
from minipdk.storage import Database

Json = dict[str, Any]
MODEL = """
    SELECT models.*, username, (SELECT count(*) FROM model_versions WHERE model_id = models.id) AS num_versions
    FROM models JOIN users ON users.id = models.user_id
"""
VERSION = "SELECT model_versions.*, username FROM model_versions JOIN users ON users.id = model_versions.user_id"
STORED_AS_JSON = {"metadata": "metadata_json", "labels": "labels_json"}


class Registry:
    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[sqlite3.Row]:
        return self._database.connection().execute(f"{MODEL} ORDER BY models.id").fetchall()

    def get(self, name_or_id: str) -> sqlite3.Row:
        """By name, or by id when the text is a number: names are never numbers."""
        column = "models.id" if name_or_id.isdecimal() else "models.name"
        query = f"{MODEL} WHERE {column} = ?"
        row: sqlite3.Row | None = self._database.connection().execute(query, (name_or_id,)).fetchone()
        if row is None:
            raise NotFoundError(f"model {name_or_id!r} not found")
        return row

    def create(self, name: str, fields: Json, user_id: int, workspace_id: int) -> sqlite3.Row:
        """``fields``: any of description, notes, metadata, labels."""
        _check_name(name)
        stamp = now()
        with self._database.transaction() as rows:
            self._check_free(rows, name)
            rows.execute(
                "INSERT INTO models (name, description, notes, metadata_json, labels_json, user_id, workspace_id,"
                " creation_time, last_updated_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    name,
                    fields.get("description") or "",
                    fields.get("notes") or "",
                    dumps(fields.get("metadata") or {}),
                    dumps(fields.get("labels") or []),
                    user_id,
                    workspace_id,
                    stamp,
                    stamp,
                ),
            )
        return self.get(name)

    def update(self, name_or_id: str, changes: Json) -> sqlite3.Row:
        """Set any of name, description, notes, metadata, labels, workspace_id of a model that is not archived."""
        model = self.get(name_or_id)
        self._check_open(model)
        with self._database.transaction() as rows:
            if (name := changes.get("name")) is not None and name != model["name"]:
                _check_name(name)
                self._check_free(rows, name)
            _set(
                rows, "models", model["id"], changes, ("name", "description", "notes", "metadata", "labels", "workspace_id")
            )
        return self.get(str(model["id"]))

    def archive(self, name_or_id: str, archived: bool) -> None:
        model = self.get(name_or_id)
        with self._database.transaction() as rows:
            rows.execute(
                "UPDATE models SET archived = ?, last_updated_time = ? WHERE id = ?", (archived, now(), model["id"])
            )

    def delete(self, name_or_id: str) -> None:
        """Remove the model and its versions; their checkpoints stay."""
        model = self.get(name_or_id)
        with self._database.transaction() as rows:
            rows.execute("DELETE FROM models WHERE id = ?", (model["id"],))

    def labels(self, workspace_id: int = 0) -> list[str]:
        """The labels in use, the most used first."""
        counts: dict[str, int] = {}
        for model in self.all():
            if not workspace_id or model["workspace_id"] == workspace_id:
                for label in loads(model["labels_json"]):
                    counts[label] = counts.get(label, 0) + 1
        return sorted(counts, key=lambda label: (-counts[label], label))

    def versions(self, model_id: int) -> list[sqlite3.Row]:
        query = f"{VERSION} WHERE model_id = ? ORDER BY version"
        return self._database.connection().execute(query, (model_id,)).fetchall()

    def version(self, model: sqlite3.Row, number: int) -> sqlite3.Row:
        query = f"{VERSION} WHERE model_id = ? AND version = ?"
        row: sqlite3.Row | None = self._database.connection().execute(query, (model["id"], number)).fetchone()
        if row is None:
            raise NotFoundError(f"version {number} of the model {model['name']!r} not found")
        return row

    def add_version(self, name_or_id: str, checkpoint: sqlite3.Row, fields: Json, user_id: int) -> sqlite3.Row:
        """The model's next version. ``fields``: any of name, comment, notes, metadata, labels."""
        model = self.get(name_or_id)
        self._check_open(model)
        if checkpoint["state"] != states.COMPLETED:
            raise FailedPreconditionError(
                f"checkpoint {checkpoint['uuid']} cannot be registered: its state is {checkpoint['state']}, not COMPLETED"
            )
        stamp = now()
        with self._database.transaction() as rows:
            rows.execute(
                "UPDATE models SET last_version = last_version + 1, last_updated_time = ? WHERE id = ?", (stamp, model["id"])
            )
            number = rows.execute("SELECT last_version FROM models WHERE id = ?", (model["id"],)).fetchone()[0]
            rows.execute(
                "INSERT INTO model_versions (model_id, version, checkpoint_uuid, name, comment, notes, metadata_json,"
                " labels_json, user_id, creation_time, last_updated_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    model["id"],
                    number,
                    checkpoint["uuid"],
                    fields.get("name") or "",
                    fields.get("comment") or "",
                    fields.get("notes") or "",
                    dumps(fields.get("metadata") or {}),
                    dumps(fields.get("labels") or []),
                    user_id,
                    stamp,
                    stamp,
                ),
            )
        return self.version(model, number)

    def update_version(self, name_or_id: str, number: int, changes: Json) -> sqlite3.Row:
        """Set any of name, comment, notes, metadata, labels."""
        model = self.get(name_or_id)
        self._check_open(model)
        version = self.version(model, number)
        with self._database.transaction() as rows:
            _set(rows, "model_versions", version["id"], changes, ("name", "comment", "notes", "metadata", "labels"))
        return self.version(model, number)

    def delete_version(self, name_or_id: str, number: int) -> None:
        version = self.version(self.get(name_or_id), number)
        with self._database.transaction() as rows:
            rows.execute("DELETE FROM model_versions WHERE id = ?", (version["id"],))

    @staticmethod
    def _check_open(model: sqlite3.Row) -> None:
        if model["archived"]:
            raise FailedPreconditionError(f"model {model['name']!r} is archived: unarchive it first")

    @staticmethod
    def _check_free(rows: sqlite3.Connection, name: str) -> None:
        if rows.execute("SELECT 1 FROM models WHERE name = ?", (name,)).fetchone():
            raise AlreadyExistsError(f"model {name!r} already exists")


def _check_name(name: str) -> None:
    if not name.strip() or "/" in name or "\\" in name or re.search(r"\s{2,}", name) or name.isdecimal():
        raise InvalidArgumentError(
            f"model name {name!r} must not be blank, hold a slash or consecutive spaces, or be only digits"
        )


def _set(rows: sqlite3.Connection, table: str, key: int, changes: Json, allowed: tuple[str, ...]) -> None:
    for field in allowed:
        if changes.get(field) is None:
            continue
        column = STORED_AS_JSON.get(field, field)
        value = dumps(changes[field]) if column != field else changes[field]
        rows.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (value, key))  # noqa: S608
    rows.execute(f"UPDATE {table} SET last_updated_time = ? WHERE id = ?", (now(), key))  # noqa: S608
