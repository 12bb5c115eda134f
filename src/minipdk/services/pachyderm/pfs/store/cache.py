"""Rows of the cache for clients, and the file sets that its values keep alive."""

from __future__ import annotations

import sqlite3


def has(connection: sqlite3.Connection, key: str) -> bool:
    return connection.execute("SELECT 1 FROM cache WHERE key = ?", (key,)).fetchone() is not None


def insert(connection: sqlite3.Connection, key: str, value: bytes, tag: str, now: int) -> None:
    connection.execute("INSERT INTO cache VALUES (?, ?, ?, ?)", (key, value, tag, now))


def add_fileset(connection: sqlite3.Connection, key: str, fileset: str) -> None:
    """Keep a file set for as long as the key's value."""
    connection.execute("INSERT INTO cached_filesets VALUES (?, ?)", (key, fileset))


def trim(connection: sqlite3.Connection, most: int) -> None:
    """Keep the ``most`` keys that were accessed last."""
    connection.execute(
        "DELETE FROM cache WHERE key IN (SELECT key FROM cache ORDER BY accessed DESC LIMIT -1 OFFSET ?)", (most,)
    )


def access(connection: sqlite3.Connection, key: str, now: int) -> bytes | None:
    """The key's value, noting the time of the access."""
    row = connection.execute("UPDATE cache SET accessed = ? WHERE key = ? RETURNING value", (now, key)).fetchone()
    return bytes(row["value"]) if row is not None else None


def delete(connection: sqlite3.Connection, tag_prefix: str) -> None:
    connection.execute("DELETE FROM cache WHERE substr(tag, 1, length(?1)) = ?1", (tag_prefix,))
