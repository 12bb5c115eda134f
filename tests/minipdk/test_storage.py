"""What storage promises every service: bytes named by their hash, and transactions that are whole or not there."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipdk.storage import BlobStore, Database
from minipdk.storage.database import OtherVersionError

SCHEMA = "CREATE TABLE IF NOT EXISTS numbers (value INTEGER)"


@given(chunks=st.lists(st.binary(max_size=200), max_size=8))
def test_a_blob_is_named_by_the_hash_of_its_bytes_however_they_arrive(
    chunks: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store, whole = BlobStore(tmp_path_factory.mktemp("blobs")), b"".join(chunks)
    digest, size = store.put(chunks)
    assert (digest, size) == (hashlib.sha256(whole).hexdigest(), len(whole))
    assert store.put([whole]) == (digest, size)
    with store.open(digest) as file:
        assert file.read() == whole


def test_a_put_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def broken():
        yield b"half of it"
        raise ConnectionResetError

    store = BlobStore(tmp_path)
    with pytest.raises(ConnectionResetError):
        store.put(broken())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


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


def test_a_snapshot_sees_one_state_while_others_write(tmp_path: Path) -> None:
    reader, writer = Database(tmp_path / "a.db", SCHEMA), Database(tmp_path / "a.db", SCHEMA)
    with reader.snapshot() as connection:
        before = connection.execute("SELECT count(*) FROM numbers").fetchone()[0]
        with writer.transaction() as other:
            other.execute("INSERT INTO numbers VALUES (1)")
        assert connection.execute("SELECT count(*) FROM numbers").fetchone()[0] == before
    assert reader.connection().execute("SELECT count(*) FROM numbers").fetchone()[0] == 1


def test_tables_of_another_version_are_refused_with_the_mend(tmp_path: Path) -> None:
    Database(tmp_path / "a.db", SCHEMA)
    Database(tmp_path / "a.db", SCHEMA)
    with pytest.raises(
        OtherVersionError, match=r"made by another version of minipdk \(numbers differ\): .* `minipdk reset`"
    ):
        Database(tmp_path / "a.db", SCHEMA.replace("INTEGER", "TEXT"))


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
