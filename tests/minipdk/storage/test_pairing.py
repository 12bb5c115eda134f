"""A database and the files that its rows name belong together."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from minipdk.storage import Database, pair
from minipdk.storage.pairing import StrangeDatabaseError

SCHEMA = ("CREATE TABLE IF NOT EXISTS names (name TEXT)",)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def open_pair(path: Path, folder: Path) -> int:
    """The identity of both, opened as a service does. Files are everything with a letter as its name."""
    database = Database(path, SCHEMA)
    with closing(database.connection()):
        pair(database, folder, lambda: any(folder.glob("?")))
        return database.identity


def make(path: Path, identity: int | None = None) -> None:
    database = Database(path, SCHEMA)
    with closing(database.connection()):
        database.identity = database.identity if identity is None else identity


def lose(database: Path) -> None:
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()


def truncate(database: Path) -> None:
    database.write_bytes(b"")


def delete_every_table(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript("DROP TABLE names; PRAGMA user_version = 0; PRAGMA application_id = 0;")


def replace_by_another(database: Path) -> None:
    lose(database)
    open_pair(database, database.parent)


@pytest.mark.parametrize("spoil", [lose, truncate, delete_every_table, replace_by_another])
@pytest.mark.parametrize("marked", [True, False], ids=["known files", "files of an older version"])
def test_a_database_that_lost_its_rows_is_refused_until_it_is_put_back(
    tmp_path: Path, folder: Path, spoil: Callable[[Path], None], marked: bool
) -> None:
    path = tmp_path / "a.db"
    open_pair(path, folder)
    (folder / "a").touch()
    if not marked:
        (folder / ".database").unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "copy"),))
    spoil(path)
    for _ in range(2):
        with pytest.raises(StrangeDatabaseError, match=r"a\.db does not know the files in .*minipdk reset"):
            open_pair(path, folder)
    lose(path)
    (tmp_path / "copy").rename(path)
    if marked:
        open_pair(path, folder)
    assert (folder / "a").exists()


def test_new_ones_become_a_pair_even_if_the_process_was_killed_between(tmp_path: Path, folder: Path) -> None:
    make(tmp_path / "a.db")
    open_pair(tmp_path / "a.db", folder)
    (folder / "a").touch()
    open_pair(tmp_path / "a.db", folder)


def test_a_pair_of_an_older_version_becomes_known(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "a.db"
    make(path, identity=0)
    (folder / "a").touch()
    known = open_pair(path, folder)
    assert known != 0
    make(path, identity=0)  # a copy from before is put back
    assert open_pair(path, folder) == known


def test_a_database_that_is_lost_while_it_is_open_is_not_made_again(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", SCHEMA)
    lose(tmp_path / "a.db")
    database._local.connection.close()
    del database._local.connection
    with pytest.raises(sqlite3.OperationalError, match="unable to open database file"):
        database.connection()
    assert not (tmp_path / "a.db").exists()
