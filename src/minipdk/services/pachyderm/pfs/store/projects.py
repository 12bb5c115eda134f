"""Rows of projects."""

from __future__ import annotations

import json
import sqlite3

from minipdk.services.pachyderm.pfs.model import ProjectInfo

_SELECT = "SELECT name, description, created, created_by, metadata FROM projects "


def find(connection: sqlite3.Connection, name: str) -> ProjectInfo | None:
    row = connection.execute(_SELECT + "WHERE name = ?", (name,)).fetchone()
    return _info(row) if row is not None else None


def newest_first(connection: sqlite3.Connection) -> list[ProjectInfo]:
    return [_info(row) for row in connection.execute(_SELECT + "ORDER BY rowid DESC").fetchall()]


def insert(connection: sqlite3.Connection, name: str, description: str, created: int, created_by: str) -> None:
    """Add a project; an existing one stays as it is."""
    connection.execute(
        "INSERT OR IGNORE INTO projects (name, description, created, created_by) VALUES (?, ?, ?, ?)",
        (name, description, created, created_by),
    )


def set_description(connection: sqlite3.Connection, name: str, description: str) -> None:
    connection.execute("UPDATE projects SET description = ? WHERE name = ?", (description, name))


def delete(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("DELETE FROM projects WHERE name = ?", (name,))


def _info(row: sqlite3.Row) -> ProjectInfo:
    name, description, created, created_by, metadata = row
    return ProjectInfo(name, description, created, created_by, json.loads(metadata))
