"""The SQLite database every service opens the same way: WAL, synced commits, one writer at a time.

A transaction that has been left without an exception is on disk: it survives kill -9 at any later moment. Readers never
block: each thread has its own connection and sees the last committed state.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from minipdk.common.service import StartError

DEFINITIONS = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"

Step = str | Callable[[sqlite3.Connection], None]
"""One migration: SQL statements, or a function of the connection, which must not commit."""


class StorageError(StartError):
    """The root of the ways in which a database cannot be opened. Each message has the remedy."""


class NewerDatabaseError(StorageError):
    """The database was made by a newer version of minipdk."""


class DamagedDatabaseError(StorageError):
    """The file is no SQLite database, or its tables are not those of any version of minipdk."""


class Database:
    """One service's database. ``steps`` lead from an empty database to the schema of today.

    Step n makes version n of the schema out of version n - 1, and the database keeps its version (``PRAGMA user_version``).
    Version 1 is the schema of minipdk 1.0.0, which kept no version: its statements say IF NOT EXISTS. An older database is
    copied beside itself, then brought up to date in one transaction. Raises StorageError when that is impossible.
    """

    def __init__(self, path: Path, steps: Sequence[Step]) -> None:
        self._path = path
        self._local = threading.local()
        self._writer = threading.RLock()
        try:
            self._migrate(steps)
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # its subclasses are about a statement, not the file
                raise
            raise DamagedDatabaseError(
                f"{path} is damaged ({error}): put back a copy of it, or let `minipdk reset` forget the data"
            ) from error

    def _migrate(self, steps: Sequence[Step]) -> None:
        connection = self.connection()
        if self._version() == len(steps):
            return
        with self.transaction():  # another process may have been quicker
            version = self._version()
            if version > len(steps):
                raise NewerDatabaseError(
                    f"{self._path} has version {version} of its schema and this minipdk knows {len(steps)}: "
                    "install the newer minipdk that made it, or let `minipdk reset` forget the data"
                )
            if version == 0 and connection.execute(DEFINITIONS).fetchone():
                self._adopt(steps[0])
                version = 1
            if 0 < version < len(steps):
                self._copy_beside(version)
            for step in steps[version:]:
                _apply(step, connection)
            connection.execute(f"PRAGMA user_version = {len(steps)}")

    def _version(self) -> int:
        version: int = self.connection().execute("PRAGMA user_version").fetchone()[0]
        return version

    def _adopt(self, first: Step) -> None:
        """Take over a database of 1.0.0, after checking that its tables are those of version 1."""
        with closing(sqlite3.connect(":memory:")) as fresh:
            _apply(first, fresh)
            definitions = dict(fresh.execute(DEFINITIONS))
        _apply(first, self.connection())
        existing = dict(self.connection().execute(DEFINITIONS).fetchall())
        if changed := [name for name, sql in definitions.items() if existing[name] != sql]:
            raise DamagedDatabaseError(
                f"{self._path} was made by minipdk before 1.0.0 ({', '.join(changed)} differ): "
                "let `minipdk reset` forget the data"
            )

    def _copy_beside(self, version: int) -> None:
        """Keep the database of ``version`` as it was, complete with what is in the write-ahead log."""
        copy = self._path.with_suffix(f".v{version}.db")
        copy.unlink(missing_ok=True)
        with closing(sqlite3.connect(copy)) as target, closing(sqlite3.connect(self._path)) as source:
            source.backup(target)
        copy.chmod(0o600)

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


def _apply(step: Step, connection: sqlite3.Connection) -> None:
    """Carry out a migration inside the current transaction, which `sqlite3.Connection.executescript` would commit."""
    if not isinstance(step, str):
        step(connection)
        return
    statement = ""
    for piece in re.split("(?<=;)", step):  # a trigger has semicolons inside
        statement += piece
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    if statement.strip():
        connection.execute(statement)
