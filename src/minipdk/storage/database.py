"""The SQLite database every service opens the same way: WAL, synced commits, one writer at a time.

A transaction that has been left without an exception is on disk: it survives kill -9 at any later moment. Readers never
block: each thread has its own connection and sees the last committed state.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

DEFINITIONS = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"


class OtherVersionError(Exception):
    """The database was made by a version of minipdk whose tables differ."""


class Database:
    """One service's database. ``schema`` is SQL that makes its tables (CREATE TABLE IF NOT EXISTS ...).

    Raises OtherVersionError when the file's tables were made from another schema: reading them could only go wrong later.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        self._local = threading.local()
        self._writer = threading.RLock()
        self.add_tables(schema)

    def add_tables(self, schema: str) -> None:
        """Make the tables and indexes of ``schema`` that are missing."""
        with closing(sqlite3.connect(":memory:")) as fresh:
            fresh.executescript(schema)
            wanted = dict(fresh.execute(DEFINITIONS))
        found = {name: sql for name, sql in self.connection().execute(DEFINITIONS) if name in wanted}
        if changed := [name for name, sql in found.items() if sql != wanted[name]]:
            raise OtherVersionError(
                f"{self._path} was made by another version of minipdk ({', '.join(changed)} differ): "
                "go back to that version, or let `minipdk reset` forget the data"
            )
        self.connection().executescript(schema)

    def connection(self) -> sqlite3.Connection:
        """This thread's connection, for reading. Rows can be indexed by column name."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.executescript(
                "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"
            )
            self._local.connection = connection
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write atomically: all statements are committed and synced on leaving, none if an exception passes through.

        Nested use joins the outer transaction.
        """
        with self._writer:
            connection = self.connection()
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")  # which fails, and must be undone as well, where a reference leads nowhere
            except BaseException:
                connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Read one consistent state over several statements."""
        connection = self.connection()
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")
