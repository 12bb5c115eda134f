"""The SQLite database every service opens the same way: WAL, synced commits, one writer at a time.

A transaction that has been left without an exception is on disk: it survives kill -9 at any later moment. Readers never
block: each thread has its own connection and sees the last committed state.
"""

from __future__ import annotations

import logging
import re
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from minipdk.common.service import StartError
from minipdk.storage.blobs import sync_folder
from minipdk.storage.space import DiskFullError, needing_space

Step = str | Callable[[sqlite3.Connection], None]
"""One migration: SQL statements, or a function of the connection, which must not commit."""

_DEFINITIONS = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
_DAMAGED = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_UNUSABLE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
}

log = logging.getLogger(__name__)


class StorageError(StartError):
    """A database cannot be opened. Each message has the remedy.

    StorageError
    ├── NewerDatabaseError     a newer version of minipdk made it
    ├── StrangeDatabaseError   it does not know the files beside it (`pairing`)
    ├── DamagedDatabaseError   the file is no SQLite database, or no version of minipdk made its tables
    └── UnusableDatabaseError  the file cannot be read or written: permissions, a full or read-only disk, another process
    """


class NewerDatabaseError(StorageError):
    """The database was made by a newer version of minipdk."""


class DamagedDatabaseError(StorageError):
    """The file is no SQLite database, or no version of minipdk made its tables."""


class UnusableDatabaseError(StorageError):
    """The operating system does not let minipdk read and write the file, or another process has locked it."""


class Database:
    """One service's database. ``steps`` lead from an empty database to the schema of today.

    Step n makes version n of the schema out of version n - 1, and the database keeps its version (``PRAGMA user_version``).
    Version 1 is the schema of minipdk 1.0.0, which kept no version: its statements say IF NOT EXISTS. An older database is
    copied beside itself, then brought up to date in one transaction. Raises StorageError when that is impossible.
    """

    def __init__(self, path: Path, steps: Sequence[Step]) -> None:
        self.path = path
        self._exists = False
        self._local = threading.local()
        self._writer = threading.RLock()
        try:
            if self._version() != len(steps):
                self._migrate(steps)
        except DiskFullError as error:
            raise UnusableDatabaseError(str(error)) from error
        except (sqlite3.DatabaseError, OSError) as error:
            if (explained := _explained(path, error)) is None:
                raise
            raise explained from error
        self._exists = True

    @property
    def identity(self) -> int:
        """A number that is chosen when the database is made; 0 for one that minipdk 1.1 or earlier made."""
        identity: int = self.connection().execute("PRAGMA application_id").fetchone()[0]
        return identity

    @identity.setter
    def identity(self, identity: int) -> None:
        with self.transaction() as connection:
            connection.execute(f"PRAGMA application_id = {identity}")

    def _migrate(self, steps: Sequence[Step]) -> None:
        # A step that rebuilds a table drops the old one, which would delete or detach the rows that refer to it. The setting
        # cannot change within a transaction (https://www.sqlite.org/lang_altertable.html, 7).
        self.connection().execute("PRAGMA foreign_keys = OFF")
        with self.transaction() as connection:
            version = self._version()  # another process may have been quicker
            if version > len(steps):
                raise NewerDatabaseError(
                    f"{self.path} has version {version} of its schema and this minipdk knows {len(steps)}: "
                    "install the newer minipdk that made it, or let `minipdk reset` forget the data"
                )
            if version == 0 and connection.execute(_DEFINITIONS).fetchone():
                self._adopt(steps[0])
                version = 1
            if version == 0:
                connection.execute(f"PRAGMA application_id = {new_identity()}")
            if 0 < version < len(steps):
                self._copy_beside(version)
            for step in steps[version:]:
                _apply(step, connection)
            if 0 < version < len(steps):
                _check_references(connection)
            connection.execute(f"PRAGMA user_version = {len(steps)}")
        self.connection().execute("PRAGMA foreign_keys = ON")

    def _version(self) -> int:
        version: int = self.connection().execute("PRAGMA user_version").fetchone()[0]
        return version

    def _adopt(self, first: Step) -> None:
        """Take over a database of 1.0.0, after checking that its tables are version 1's."""
        with closing(sqlite3.connect(":memory:")) as fresh:
            _apply(first, fresh)
            expected = dict(fresh.execute(_DEFINITIONS))
        existing = dict(self.connection().execute(_DEFINITIONS).fetchall())
        if changed := [name for name, sql in expected.items() if existing.get(name, sql) != sql]:
            raise DamagedDatabaseError(
                f"{self.path} was made by minipdk before 1.0.0 ({', '.join(changed)} differ): "
                "let `minipdk reset` forget the data"
            )
        _apply(first, self.connection())  # makes tables that 1.0.0 had not come to when it was killed

    def _copy_beside(self, version: int) -> None:
        """Keep the database of ``version`` as it was, including the write-ahead log.

        The copy has its name only once it is complete and on disk.
        """
        copy = self.path.with_suffix(f".v{version}.db")
        partial = copy.with_name(f"{copy.name}.partial")
        log.info("%s has version %d of its schema: copying it to %s before migrating it", self.path, version, copy.name)
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        with closing(sqlite3.connect(partial)) as target, closing(sqlite3.connect(self.path)) as source:
            target.execute("PRAGMA journal_mode = MEMORY")  # a journal that a killed process left could spoil the next copy
            source.backup(target)
        partial.replace(copy)
        sync_folder(copy.parent)

    def connection(self) -> sqlite3.Connection:
        """This thread's connection, for reading. Rows can be indexed by column name."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            mode = "rw" if self._exists else "rwc"  # a database that is lost while the service runs is not made again
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode={mode}", uri=True, timeout=30, isolation_level=None
            )
            connection.row_factory = sqlite3.Row
            connection.executescript(
                "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 16777216;"
            )
            self._local.connection = connection
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write atomically: all statements are committed and synced on leaving, none if an exception passes through.

        Nested use joins the outer transaction. Raises DiskFullError.
        """
        with self._writer:
            connection = self.connection()
            if connection.in_transaction:
                yield connection
                return
            with needing_space(self.path):
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")  # fails, and must be undone too, when a reference leads nowhere
                except BaseException:
                    _roll_back(connection)
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
            _roll_back(connection)


def new_identity() -> int:
    """A random number that fits into a database's header (``PRAGMA application_id``), never 0."""
    return secrets.randbelow((1 << 31) - 1) + 1


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite has ended it when the disk is full or fails
        connection.execute("ROLLBACK")


def _check_references(connection: sqlite3.Connection) -> None:
    if broken := connection.execute("PRAGMA foreign_key_check").fetchone():
        raise sqlite3.IntegrityError(f"a row of {broken['table']} refers to a missing row of {broken['parent']}")


def _explained(path: Path, error: sqlite3.DatabaseError | OSError) -> StorageError | None:
    """The StorageError for an error of the file or its disk; None when a statement of a step is wrong."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of an extended code is a detail
    if code in _DAMAGED:
        return DamagedDatabaseError(
            f"{path} is damaged ({error}): put back a copy of it, or let `minipdk reset` forget the data"
        )
    if code == sqlite3.SQLITE_BUSY:
        return UnusableDatabaseError(f"{path} cannot be opened ({error}): stop the other process that uses it")
    if code in _UNUSABLE or isinstance(error, OSError):
        return UnusableDatabaseError(
            f"{path} cannot be opened ({error}): make sure that it is a file, that you may write to its folder, "
            "and that the disk is neither full nor read-only"
        )
    return None


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
