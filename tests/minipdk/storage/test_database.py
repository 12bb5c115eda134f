"""What storage promises every service: bytes named by their hash, and transactions that are whole or not there."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minipdk.storage import BlobStore, Database
from minipdk.storage.chunks import LARGEST, SMALLEST, chunks
from minipdk.storage.database import DamagedDatabaseError, NewerDatabaseError

SCHEMA = ("CREATE TABLE IF NOT EXISTS numbers (value INTEGER)",)


@given(data=st.binary(max_size=200))
def test_a_blob_is_kept_once_under_the_hash_of_its_bytes(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    store, digest = BlobStore(tmp_path_factory.mktemp("blobs")), hashlib.sha256(data).hexdigest()
    store.put(digest, data)
    store.put(digest, data)
    store.sync([digest])
    assert list(store.digests()) == [digest]
    with store.open(digest) as file:
        assert file.read() == data
    store.delete(digest)
    assert list(store.digests()) == []


def test_a_put_that_was_cut_off_leaves_nothing_behind(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    with pytest.raises(TypeError):
        store.put("0" * 64, ["not bytes"])
    (tmp_path / "incoming" / "left by kill -9").write_bytes(b"half of it")
    BlobStore(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


VARIED = random.Random(7).randbytes(12 << 20)


@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=5, deadline=None)
def test_chunks_depend_on_the_bytes_alone_and_not_on_how_they_arrive(seed: int) -> None:
    chance, pieces, at = random.Random(seed), list[bytes](), 0
    while at < len(VARIED):
        size = chance.choice([1, 100, 300_000, 5_000_000])
        pieces.append(VARIED[at : at + size])
        at += size
    assert list(map(bytes, chunks(pieces))) == list(map(bytes, chunks([VARIED])))


@pytest.mark.parametrize(
    "data", [b"", b"1", VARIED, bytes(9 << 20), b"abc" * (3 << 20)], ids=["empty", "1", "varied", "0", "abc"]
)
def test_chunks_make_up_the_whole_and_keep_their_limits(data: bytes) -> None:
    cut = list(map(bytes, chunks([data])))
    assert b"".join(cut) == data
    assert all(SMALLEST <= len(chunk) <= LARGEST for chunk in cut[:-1])
    assert all(0 < len(chunk) <= LARGEST for chunk in cut[-1:])


def test_a_small_change_leaves_most_chunks_as_they_were() -> None:
    before = set(map(bytes, chunks([VARIED])))
    after = set(map(bytes, chunks([VARIED[:3_000_000] + b"put in" + VARIED[3_000_000:]])))
    assert len(after - before) <= 2


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
