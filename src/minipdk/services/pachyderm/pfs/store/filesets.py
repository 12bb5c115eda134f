"""Rows of file sets."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable

from minipdk.services.pachyderm.errors import NotFoundError

_EXPIRED = "SELECT id FROM filesets WHERE expires <= ? AND id NOT IN (SELECT fileset FROM cached_filesets)"


def insert(connection: sqlite3.Connection, fileset: str, layer: int, created: int, expires: int | None) -> None:
    """``expires`` None: never."""
    connection.execute("INSERT INTO filesets VALUES (?, ?, ?, ?)", (fileset, layer, created, expires))


def layer(connection: sqlite3.Connection, fileset: str) -> int:
    """The layer of a file set that has not expired. Raises NotFoundError."""
    query = "SELECT layer FROM filesets WHERE id = ? AND (expires IS NULL OR expires > ?"
    query += " OR EXISTS (SELECT 1 FROM cached_filesets WHERE fileset = id))"
    row = connection.execute(query, (fileset, time.time_ns())).fetchone()
    if row is None:
        raise NotFoundError(f"file set {fileset} not found: it never was, or it has expired")
    return int(row["layer"])


def delete(connection: sqlite3.Connection, fileset: str) -> int | None:
    """The layer that the file set had; None if it did not exist."""
    row = connection.execute("SELECT layer FROM filesets WHERE id = ?", (fileset,)).fetchone()
    connection.execute("DELETE FROM filesets WHERE id = ?", (fileset,))
    return row["layer"] if row is not None else None


def set_expiry(connection: sqlite3.Connection, fileset: str, expires: int) -> None:
    connection.execute("UPDATE filesets SET expires = ? WHERE id = ?", (expires, fileset))


def some_expired(connection: sqlite3.Connection, now: int) -> bool:
    return connection.execute(_EXPIRED, (now,)).fetchone() is not None


def expired(connection: sqlite3.Connection, now: int) -> list[str]:
    return [row["id"] for row in connection.execute(_EXPIRED, (now,)).fetchall()]


def add_removals(connection: sqlite3.Connection, fileset: str, removed: Iterable[str]) -> None:
    """Note the paths that a file set removes from the commit it is added to."""
    connection.executemany("INSERT INTO fileset_removals VALUES (?, ?)", ((fileset, path) for path in removed))


def removals(connection: sqlite3.Connection, fileset: str) -> list[str]:
    rows = connection.execute("SELECT path FROM fileset_removals WHERE fileset = ?", (fileset,)).fetchall()
    return [row["path"] for row in rows]
