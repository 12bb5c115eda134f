"""Databases of older versions open with their contents."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import new_home

from minipdk.services.pachyderm.pfs import Pfs, Repo
from minipdk.services.pachyderm.schema import MIGRATIONS
from minipdk.storage import Database


def test_what_was_made_before_authors_were_kept_has_none(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    with Database(home.database("pachyderm"), MIGRATIONS[:1]).transaction() as connection:
        for statement in (
            "INSERT INTO projects (name, description, created) VALUES ('default', '', 1)",
            "INSERT INTO repos (project, name, type, description, created) VALUES ('default', 'old', 'user', '', 2)",
            "INSERT INTO commits (repo, commit_set, branch, origin, description, started, finishing, finished, updated)"
            " VALUES (1, '00000000000040000000000000000000', 'master', 1, '', 3, 3, 3, 3)",
            "INSERT INTO branches (repo, name, head, created, updated) VALUES (1, 'master', 1, 3, 3)",
        ):
            connection.execute(statement)
    pfs = Pfs(home)
    old = Repo("default", "old")
    assert pfs.inspect_branch(old.branch("master")).created_by == ""
    assert pfs.inspect_commit(old.commit("master")).created_by == ""
    new = pfs.start_commit(old.branch("master"))
    assert pfs.inspect_commit(new).created_by == "pach:root"
