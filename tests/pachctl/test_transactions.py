"""Transactions through the command: the context keeps the active one, and commands that allow it join it."""

from __future__ import annotations

import json

import pytest
from tests.pachctl.conftest import Pachctl


def active(pachctl: Pachctl) -> str | None:
    """The context's active transaction."""
    name: str | None = json.loads(pachctl.config.read_text())["v2"]["contexts"]["test"].get("active_transaction")
    return name


def begin(pachctl: Pachctl) -> str:
    started = pachctl("start transaction").out
    name = active(pachctl)
    assert started == f'started new transaction: "{name}"\n'
    assert name
    return name


def test_changes_wait_in_the_transaction_until_it_is_finished(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    name = begin(pachctl)
    assert pachctl(f"create repo {repo}-2").out == f"Added to transaction: {name}\n"
    pachctl(f"create branch {repo}-2@dev")
    added, commit = pachctl(f"start commit {repo}@master").out.splitlines()
    assert added == f"Added to transaction: {name}"
    pachctl(f"finish commit {repo}@master")
    assert f"{repo}-2" not in pachctl("list repo").out
    assert pachctl("list transaction").rows[0] == ["TRANSACTION", "STARTED", "OPS"]
    assert [row[2] for row in pachctl("list transaction").rows if row[0] == name] == ["4"]
    assert pachctl("inspect transaction").out.splitlines()[2:] == [
        "Requests:",
        f"  create repo default/{repo}-2",
        f"  create branch default/{repo}-2@dev",
        f"  start commit default/{repo}@master ({commit})",
        f"  finish commit default/{repo}@master",
    ]
    assert pachctl("finish transaction").out == f"Completed transaction with 4 requests: {name}\n"
    assert active(pachctl) is None
    assert f"{repo}-2" in pachctl("list repo").out
    assert pachctl(f"inspect commit {repo}@{commit}").out.startswith(f"Commit: {repo}@{commit}\n")


def test_files_are_written_immediately_although_a_transaction_is_active(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    begin(pachctl)
    pachctl(f"put file {repo}@master:a", stdin="1")
    assert pachctl(f"get file {repo}@master:a").out == "1"
    pachctl("delete transaction")
    assert active(pachctl) is None


def test_a_transaction_is_left_and_resumed(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    name = begin(pachctl)
    assert pachctl.refused("start transaction") == (
        f'cannot start a new transaction, since transaction with ID "{name}" already exists'
    )
    pachctl(f"update repo {repo} -d better")
    assert pachctl("stop transaction").out == f"Cleared active transaction: {name}\n"
    assert pachctl.refused("inspect transaction") == pachctl.refused("finish transaction") == "no active transaction"
    assert pachctl(f"resume transaction {name}").out == f"Resuming existing transaction with 1 requests: {name}\n"
    assert pachctl("inspect transaction --raw").documents[0]["requests"][0]["create_repo"]["update"] is True
    pachctl(f"delete transaction {name}")
    assert active(pachctl) is None
    assert "better" not in pachctl(f"inspect repo {repo}").out


def test_an_impossible_change_is_refused_immediately_and_does_not_join(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    name = begin(pachctl)
    assert f"repo default/{repo} already exists" in pachctl.refused(f"create repo {repo}")
    assert pachctl(f"inspect transaction {name}").out.splitlines()[2:] == ["Requests:", "  -"]
    pachctl("delete transaction")


@pytest.mark.parametrize("verb", ["resume", "finish", "delete", "inspect"])
def test_a_transaction_that_is_not_there_is_named(pachctl: Pachctl, verb: str) -> None:
    assert "nothing-there" in pachctl.refused(f"{verb} transaction nothing-there")
