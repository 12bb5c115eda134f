"""The clients' own files: a login for another address is forgotten, and any other stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from minipdk.services.neuro.client_config import forget_old_addresses

API = "http://127.0.0.1:8082/api/v1"


@pytest.mark.parametrize(("address", "kept"), [(API, True), ("http://127.0.0.1:9999/api/v1", False)])
def test_a_login_is_kept_as_long_as_its_address_is_the_platforms(tmp_path: Path, address: str, kept: bool) -> None:
    with closing(sqlite3.connect(tmp_path / "db")) as database:
        database.execute("CREATE TABLE main (auth_config TEXT, token TEXT, url TEXT)")
        database.execute("INSERT INTO main (url) VALUES (?)", (address,))
        database.commit()
    forget_old_addresses(tmp_path, API)
    assert (tmp_path / "db").exists() == kept


def test_a_file_that_is_no_configuration_stays(tmp_path: Path) -> None:
    forget_old_addresses(tmp_path, API)
    (tmp_path / "db").write_text("no database")
    forget_old_addresses(tmp_path, API)
    assert (tmp_path / "db").read_text() == "no database"
