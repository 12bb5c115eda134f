"""Transactions are whole or absent, and older databases are migrated."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from minipdk.storage import Database
from minipdk.storage.database import DamagedDatabaseError, NewerDatabaseError, UnusableDatabaseError

SCHEMA = ("CREATE TABLE IF NOT EXISTS numbers (value INTEGER)",)


def test_a_transaction_that_fails_changes_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", SCHEMA)

    def fail_half_way() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO numbers VALUES (1)")
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        fail_half_way()
    assert database.connection().execute("SELECT count(*) FROM numbers").fetchone()[0] == 0


def test_an_inner_transaction_is_part_of_the_outer_one(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", SCHEMA)

    def fail_after_the_inner_one() -> None:
        with database.transaction():
            with database.transaction() as connection:
                connection.execute("INSERT INTO numbers VALUES (1)")
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        fail_after_the_inner_one()
    assert database.connection().execute("SELECT count(*) FROM numbers").fetchone()[0] == 0


def test_a_transaction_that_cannot_be_committed_is_undone_and_leaves_the_database_free(tmp_path: Path) -> None:
    """References that are checked at the end fail the commit itself."""
    column = "above INTEGER REFERENCES more (id) DEFERRABLE INITIALLY DEFERRED"
    database = Database(tmp_path / "a.db", [f"CREATE TABLE IF NOT EXISTS more (id INTEGER PRIMARY KEY, {column})"])

    def refer_to_nothing() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO more VALUES (1, 7)")

    with pytest.raises(sqlite3.IntegrityError):
        refer_to_nothing()
    assert not database.connection().in_transaction
    assert database.connection().execute("SELECT count(*) FROM more").fetchone()[0] == 0


def test_a_snapshot_sees_one_state_while_others_write(tmp_path: Path) -> None:
    reader, writer = Database(tmp_path / "a.db", SCHEMA), Database(tmp_path / "a.db", SCHEMA)
    with reader.snapshot() as connection:
        before = connection.execute("SELECT count(*) FROM numbers").fetchone()[0]
        with writer.transaction() as other:
            other.execute("INSERT INTO numbers VALUES (1)")
        assert connection.execute("SELECT count(*) FROM numbers").fetchone()[0] == before
    assert reader.connection().execute("SELECT count(*) FROM numbers").fetchone()[0] == 1


LATER = (
    "ALTER TABLE numbers ADD COLUMN unit TEXT NOT NULL DEFAULT 'm'",
    "CREATE TABLE units (name TEXT); INSERT INTO units VALUES ('m');",
)


def made_by_1_0_0(path: Path, *statements: str) -> None:
    """A database as minipdk 1.0.0 made it: without a version, and still with a write-ahead log."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            f"PRAGMA journal_mode = WAL; {SCHEMA[0]}; INSERT INTO numbers VALUES (42);" + "".join(statements)
        )


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_a_database_of_1_0_0_is_opened_with_its_contents_and_gets_a_version(tmp_path: Path) -> None:
    made_by_1_0_0(tmp_path / "a.db")
    assert Database(tmp_path / "a.db", SCHEMA).connection().execute("SELECT value FROM numbers").fetchall()[0][0] == 42
    assert version(tmp_path / "a.db") == 1


@pytest.mark.parametrize("known", [0, 1, 2, 3], ids=["1.0.0", "1", "2", "3"])
def test_an_older_database_is_copied_beside_itself_and_migrated(known: int, tmp_path: Path) -> None:
    steps = (*SCHEMA, *LATER)
    if known:
        with Database(tmp_path / "a.db", steps[:known]).transaction() as connection:
            connection.execute("INSERT INTO numbers (value) VALUES (42)")
    else:
        made_by_1_0_0(tmp_path / "a.db")
    migrated = Database(tmp_path / "a.db", steps).connection()
    assert tuple(migrated.execute("SELECT * FROM numbers").fetchone()) == (42, "m")
    assert migrated.execute("SELECT name FROM units").fetchone()[0] == "m"
    assert version(tmp_path / "a.db") == 3
    copies = sorted(path.name for path in tmp_path.glob("a.v*.db"))
    assert copies == ([] if known == 3 else [f"a.v{known or 1}.db"])
    for name in copies:
        with closing(sqlite3.connect(tmp_path / name)) as copy:
            assert copy.execute("SELECT value FROM numbers").fetchone()[0] == 42


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    made_by_1_0_0(tmp_path / "a.db")
    with pytest.raises(sqlite3.OperationalError):
        Database(tmp_path / "a.db", (*SCHEMA, LATER[0], "INSERT INTO nowhere VALUES (1)"))
    assert version(tmp_path / "a.db") == 0
    assert tuple(Database(tmp_path / "a.db", SCHEMA).connection().execute("SELECT * FROM numbers").fetchone()) == (42,)


def test_a_newer_database_is_refused_with_the_version_that_is_needed(tmp_path: Path) -> None:
    Database(tmp_path / "a.db", (*SCHEMA, *LATER))
    with pytest.raises(NewerDatabaseError, match=r"has version 3 of its schema and this minipdk knows 2: install the newer"):
        Database(tmp_path / "a.db", (*SCHEMA, LATER[0]))


def test_tables_of_no_version_are_refused_with_the_remedy(tmp_path: Path) -> None:
    made_by_1_0_0(tmp_path / "a.db", "DROP TABLE numbers; CREATE TABLE numbers (value TEXT);")
    with pytest.raises(DamagedDatabaseError, match=r"made by minipdk before 1\.0\.0 \(numbers differ\): .* `minipdk reset`"):
        Database(tmp_path / "a.db", SCHEMA)


def test_a_damaged_database_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("not a database")
    with pytest.raises(DamagedDatabaseError, match=r"a\.db is damaged \(file is not a database\): put back a copy"):
        Database(tmp_path / "a.db", SCHEMA)


def test_what_was_committed_survives_kill_9(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from minipdk.storage import Database
database = Database(Path({str(tmp_path / "a.db")!r}), {SCHEMA!r})
with database.transaction() as connection:
    connection.execute("INSERT INTO numbers VALUES (42)")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    rows = Database(tmp_path / "a.db", SCHEMA).connection().execute("SELECT value FROM numbers").fetchall()
    assert [row["value"] for row in rows] == [42]


def test_an_error_that_ends_the_transaction_itself_is_not_hidden_by_the_rollback(tmp_path: Path) -> None:
    """SQLite rolls back on its own when the disk is full, and on OR ROLLBACK."""
    database = Database(tmp_path / "a.db", ["CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY)"])

    def insert_twice() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO names VALUES ('a')")
            connection.execute("INSERT OR ROLLBACK INTO names VALUES ('a')")

    with pytest.raises(sqlite3.IntegrityError):
        insert_twice()
    assert database.connection().execute("SELECT count(*) FROM names").fetchone()[0] == 0


def test_a_1_0_0_database_without_its_last_tables_gets_them(tmp_path: Path) -> None:
    """1.0.0 made its tables one by one, and may have been killed in between."""
    made_by_1_0_0(tmp_path / "a.db")
    schema = f"{SCHEMA[0]}; CREATE TABLE IF NOT EXISTS units (name TEXT);"
    database = Database(tmp_path / "a.db", [schema])
    assert database.connection().execute("SELECT value FROM numbers").fetchone()[0] == 42
    assert database.connection().execute("SELECT count(*) FROM units").fetchone()[0] == 0


def test_an_older_table_that_lacks_an_indexed_column_is_refused_with_the_remedy(tmp_path: Path) -> None:
    made_by_1_0_0(tmp_path / "a.db")
    later = "CREATE TABLE IF NOT EXISTS numbers (value INTEGER, unit TEXT); CREATE INDEX IF NOT EXISTS i ON numbers (unit);"
    with pytest.raises(DamagedDatabaseError, match=r"\(numbers differ\)"):
        Database(tmp_path / "a.db", [later])


MIGRATION = """
import os, signal, sys
from pathlib import Path
from minipdk.storage import Database
def killed(connection):
    connection.execute("DELETE FROM numbers")
    os.kill(os.getpid(), signal.SIGKILL)
Database(Path(sys.argv[1]), ({schema!r}, {step!r}, killed))
"""


def test_a_migration_that_is_killed_is_done_again_from_the_start(tmp_path: Path) -> None:
    made_by_1_0_0(tmp_path / "a.db")
    program = MIGRATION.format(schema=SCHEMA[0], step=LATER[0])
    assert subprocess.run([sys.executable, "-c", program, tmp_path / "a.db"]).returncode == -signal.SIGKILL
    assert version(tmp_path / "a.db") == 0
    rows = Database(tmp_path / "a.db", (*SCHEMA, *LATER)).connection().execute("SELECT value, unit FROM numbers")
    assert [tuple(row) for row in rows] == [(42, "m")]
    with closing(sqlite3.connect(tmp_path / "a.v1.db")) as copy:
        assert copy.execute("SELECT * FROM numbers").fetchall() == [(42,)]


@pytest.mark.parametrize("kind", ["half", "not a database", "journal"])
def test_a_copy_that_was_cut_off_is_made_again(kind: str, tmp_path: Path) -> None:
    made_by_1_0_0(tmp_path / "a.db")
    content = (tmp_path / "a.db").read_bytes()
    partial = tmp_path / "a.v1.db.partial"
    partial.write_bytes({"half": content[: len(content) // 2], "not a database": b"cut off", "journal": b""}[kind])
    if kind == "journal":
        partial.with_name(f"{partial.name}-journal").write_bytes(bytes.fromhex("d9d505f920a163d7") + bytes(1024))
    Database(tmp_path / "a.db", (*SCHEMA, *LATER))
    assert not partial.exists()
    with closing(sqlite3.connect(tmp_path / "a.v1.db")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert copy.execute("SELECT value FROM numbers").fetchone()[0] == 42


def test_a_migration_without_room_for_the_copy_changes_nothing(tmp_path: Path) -> None:
    made_by_1_0_0(tmp_path / "a.db", "INSERT INTO numbers SELECT value FROM generate;".replace("generate", "numbers") * 15)
    program = (
        "import resource, sys; from pathlib import Path; from minipdk.storage import Database\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        f"Database(Path(sys.argv[1]), {(*SCHEMA, *LATER)!r})"
    )
    ended = subprocess.run([sys.executable, "-c", program, tmp_path / "a.db"], capture_output=True, text=True)
    assert re.search(r"UnusableDatabaseError: .*a\.db cannot be opened \(disk I/O error\): .* disk is neither", ended.stderr)
    assert version(tmp_path / "a.db") == 0
    assert not (tmp_path / "a.v1.db").exists()
    Database(tmp_path / "a.db", (*SCHEMA, *LATER))
    assert version(tmp_path / "a.db") == 3


def test_a_step_may_rebuild_a_table_that_others_refer_to(tmp_path: Path) -> None:
    """SQLite's own recipe: with references enforced, dropping the old table would delete the rows that refer to it."""
    schema = (
        "CREATE TABLE IF NOT EXISTS repos (id INTEGER PRIMARY KEY);"
        "CREATE TABLE IF NOT EXISTS commits (repo INTEGER REFERENCES repos (id) ON DELETE CASCADE);"
    )
    rebuild = (
        "CREATE TABLE rebuilt (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO rebuilt SELECT id, '' FROM repos;"
        "DROP TABLE repos; ALTER TABLE rebuilt RENAME TO repos;"
    )
    with Database(tmp_path / "a.db", [schema]).transaction() as connection:
        connection.execute("INSERT INTO repos VALUES (7)")
        connection.execute("INSERT INTO commits VALUES (7)")
    migrated = Database(tmp_path / "a.db", [schema, rebuild])
    assert migrated.connection().execute("SELECT repo FROM commits").fetchone()[0] == 7
    with pytest.raises(sqlite3.IntegrityError):
        migrated.connection().execute("INSERT INTO commits VALUES (8)")
    with pytest.raises(sqlite3.IntegrityError, match="a row of commits refers to a missing row of repos"):
        Database(tmp_path / "a.db", [schema, rebuild, "DELETE FROM repos"])
    assert version(tmp_path / "a.db") == 2


def test_processes_that_open_an_old_database_together_migrate_it_once(tmp_path: Path) -> None:
    made_by_1_0_0(tmp_path / "a.db")
    program = (
        "import sys; from pathlib import Path; from minipdk.storage import Database\n"
        f"print('ready', flush=True); sys.stdin.read(); Database(Path(sys.argv[1]), {(*SCHEMA, *LATER)!r})"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.db")]
    gate, key = os.pipe()
    processes = [
        subprocess.Popen(command, stdin=gate, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(4)
    ]
    os.close(gate)
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    os.close(key)  # their stdin ends: they all start now
    assert [process.communicate()[0] for process in processes] == [""] * 4
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        assert connection.execute("SELECT name FROM units").fetchall() == [("m",)]


def test_a_database_that_another_process_locks_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_by_1_0_0(tmp_path / "a.db")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout=0.0, **options: connect(path, timeout=0.1, **options))
    with closing(connect(tmp_path / "a.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnusableDatabaseError, match=r"a\.db cannot be opened \(database is locked\): stop the other"):
            Database(tmp_path / "a.db", SCHEMA)


def test_a_truncated_database_is_named_with_the_remedy(tmp_path: Path) -> None:
    made_by_1_0_0(tmp_path / "a.db")
    content = (tmp_path / "a.db").read_bytes()
    (tmp_path / "a.db").write_bytes(content[:-4096])
    with pytest.raises(DamagedDatabaseError, match=r"a\.db is damaged \(database disk image is malformed\): put"):
        Database(tmp_path / "a.db", SCHEMA)


def test_a_folder_in_place_of_the_database_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.db").mkdir()
    with pytest.raises(UnusableDatabaseError, match=r"cannot be opened \(unable to open .*: make sure that it is a file"):
        Database(tmp_path / "a.db", SCHEMA)


def test_a_folder_that_takes_no_files_is_named_with_the_remedy() -> None:
    with pytest.raises(UnusableDatabaseError, match=r"cannot be opened \(.*\): .* the disk is neither full nor read-only"):
        Database(Path("/proc/a.db"), SCHEMA)
