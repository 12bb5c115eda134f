"""The configuration that the platform's clients keep: an SQLite database with the addresses as of the login.

https://github.com/neuro-inc/platform-client-python/blob/v25.5.0/apolo-sdk/src/apolo_sdk/_config.py
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

FILES = ("db", "db-wal", "db-shm")


def forget_old_addresses(folder: Path, api: str) -> None:
    """Log the clients out if the platform has another address than at their login, so that they ask for a new login."""
    address = _address(folder / FILES[0])
    if address is not None and address != api:
        for name in FILES:
            (folder / name).unlink(missing_ok=True)


def _address(database: Path) -> str | None:
    """The address of the platform's API in the client's database; None if there is none to read."""
    if not database.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT url FROM main").fetchone()
    except sqlite3.Error:
        return None
    return str(row[0]) if row else None
