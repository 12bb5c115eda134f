"""The configuration file is the vendor's: unknown fields stay, and only its owner can read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pachyderm_sdk.errors import AuthServiceNotActivated
from tests.pachctl.conftest import Done, Pachctl, as_process, write_config

from pachctl.cli import explain


@pytest.fixture
def offline(tmp_path: Path, forked: Callable[..., Done]) -> Pachctl:
    """The command with no configuration yet and no cluster."""
    return Pachctl(tmp_path / "config.json", tmp_path, forked)


def test_connect_makes_a_context_and_keeps_it_private(offline: Pachctl) -> None:
    assert offline("connect example.com").out.splitlines() == [
        "New context 'example.com' created, will connect to Pachyderm at grpc://example.com:30650",
        "Context 'example.com' set as active",
    ]
    assert offline("config get active-context").out == "example.com\n"
    assert offline.config.stat().st_mode & 0o777 == 0o600


def test_fields_of_other_versions_survive_a_change(offline: Pachctl) -> None:
    document = {
        "user_id": "u",
        "later": 1,
        "v2": {"active_context": "a", "contexts": {"a": {"pachd_address": "grpc://h:1", "new": {"x": 1}}}, "metrics": True},
    }
    offline.config.write_text(json.dumps(document))
    assert offline("config update context --project p").out == 'editing the currently active context "a"\n'
    document["v2"]["contexts"]["a"]["project"] = "p"  # type: ignore[index]
    assert json.loads(offline.config.read_text()) == document


def test_contexts_are_written_listed_chosen_and_deleted(offline: Pachctl) -> None:
    offline("connect one:1 --alias one")
    offline("config set context two", stdin='{"pachd_address": "https://two:443", "session_token": "t"}')
    assert offline("config get context two").documents == [{"pachd_address": "grpcs://two:443", "session_token": "t"}]
    assert "already exists" in offline.refused("config set context two", stdin="{}")
    offline("config set active-context two")
    assert [line.split() for line in offline("config list context").out.splitlines()] == [
        ["ACTIVE", "NAME"],
        ["one"],
        ["*", "two"],
    ]
    assert offline.refused("config delete context two").startswith("cannot delete an active context")
    offline("config delete context one")
    assert offline.refused("config set active-context one") == "context does not exist: one"


def test_without_a_context_the_remedy_is_named(offline: Pachctl) -> None:
    assert "pachctl connect <address>" in offline.refused("list repo")


@pytest.mark.parametrize("address", ["ftp://h:1", "h:1/path", "user@h:1", "h:notaport"])
def test_an_invalid_address_is_refused(offline: Pachctl, address: str) -> None:
    assert "address" in offline.refused(["connect", address])


def test_a_file_that_is_not_a_config_is_named(offline: Pachctl) -> None:
    offline.config.write_text("{")
    assert offline.refused("config list context").startswith(f"could not parse config json at {offline.config}")


def test_a_cluster_that_does_not_answer_is_named(offline: Pachctl) -> None:
    write_config(offline.config, "grpc://127.0.0.1:1")
    assert "grpc://127.0.0.1:1 (context 'test')" in offline.refused("list repo")
    assert "grpc://127.0.0.1:2 (from PACHD_ADDRESS)" in offline.refused("inspect cluster", PACHD_ADDRESS="127.0.0.1:2")


def test_usage_errors_end_with_one_and_a_verb_alone_shows_help(offline: Pachctl) -> None:
    offline.execute = as_process
    assert offline.run("list nothing").code == 1
    assert "repo" in offline("list").out
    assert offline.refused("list repo").startswith("pachctl config error")


def test_a_cluster_without_auth_is_not_taken_for_one_that_is_away() -> None:
    """The SDK's exception for it is a ConnectionError."""
    assert explain(AuthServiceNotActivated("the auth service is not activated")) == "the auth service is not activated"
