"""The configuration file is the vendor's: unknown fields stay, and only its owner can read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pachyderm_sdk.errors import AuthServiceNotActivated
from tests.pachctl.conftest import Done, Pachctl, as_process, write_config

from pachctl import config
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
        ["default"],
        ["one"],
        ["*", "two"],
    ]
    assert offline.refused("config delete context two").startswith("cannot delete an active context")
    offline("config delete context one")
    assert offline.refused("config set active-context one") == "context does not exist: one"


def test_a_new_config_has_an_active_context_without_an_address(offline: Pachctl) -> None:
    assert offline("config get active-context").out == "default\n"
    assert offline("config get active-enterprise-context").out == "default\n"
    offline("config set active-context default")
    assert json.loads(offline.config.read_text())["v2"] == {
        "active_context": "default",
        "contexts": {"default": {}},
        "metrics": False,
    }


def test_the_first_context_is_in_use_when_it_is_written_over(offline: Pachctl) -> None:
    offline("config set context default --overwrite", stdin='{"pachd_address": "grpc://127.0.0.1:1"}')
    assert "grpc://127.0.0.1:1 (context 'default')" in offline.refused("list repo")


SIGNED_IN = {"pachd_address": "grpc://127.0.0.1:30650", "session_token": "secret"}


@pytest.mark.parametrize("address", ["grpc://127.0.0.1:30650", "127.0.0.1:30650", "http://127.0.0.1", "127.0.0.1"])
def test_connecting_to_a_known_address_keeps_its_session(offline: Pachctl, address: str) -> None:
    document = {"v2": {"active_context": "mine", "contexts": {"mine": SIGNED_IN, address: {"pachd_address": address}}}}
    offline.config.write_text(json.dumps(document))
    assert offline(["connect", address]).out == "Context 'mine' set as active\n"
    offline(["connect", address, "--alias", "other"])
    assert offline("config get context other").documents == [SIGNED_IN]
    assert "session_token" not in offline(["connect", "127.0.0.1:30651"]).out
    assert offline("config get context 127.0.0.1:30651").documents == [{"pachd_address": "grpc://127.0.0.1:30651"}]


def test_without_a_context_the_remedy_is_named(offline: Pachctl) -> None:
    assert "pachctl connect <address>" in offline.refused("list repo")


@pytest.mark.parametrize(
    "address", ["ftp://h:1", "h:1/path", "user@h:1", "h:notaport", "a b", "h\t:1", "h:1\n", "h,i", "<h>", "", "h?q", "h#f"]
)
def test_an_invalid_address_is_refused(address: str) -> None:
    with pytest.raises(config.ConfigError, match="address"):
        config.qualify(address)


@pytest.mark.parametrize(
    "address", ["h", "h:1", "grpcs://h", "10.0.0.1", "[::1]:1", "pachd.ns.svc.cluster.local", "a_b", "é.fr"]
)
def test_names_and_numbers_of_hosts_are_accepted(address: str) -> None:
    assert config.qualify(address).startswith("grpc")


def test_an_invalid_address_is_refused_wherever_it_is_given(offline: Pachctl) -> None:
    assert "address" in offline.refused(["connect", "a b"])
    assert "address" in offline.refused(["config", "update", "context", "default", "--pachd-address", "a b"])
    assert "address" in offline.refused("config set context c", stdin='{"pachd_address": "a b"}')
    assert "address" in offline.refused("list repo", PACHD_ADDRESS="a b")
    assert not offline.config.exists()


def test_a_character_that_no_host_has_is_named(offline: Pachctl) -> None:
    refusal = offline.refused(["config", "update", "context", "default", "--pachd-address", "a b"])
    assert refusal == "could not parse pachd address 'a b': invalid character \" \" in host name"


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_config_in_another_encoding_is_named(offline: Pachctl, encoding: str) -> None:
    offline.config.write_text('{"user_id": "ü"}', encoding=encoding)
    assert (
        offline.refused("config list context") == f"could not parse config json at {offline.config}: it is not text in UTF-8"
    )


def test_a_config_may_begin_with_a_byte_order_mark(offline: Pachctl) -> None:
    offline.config.write_text(
        json.dumps({"v2": {"active_context": "a", "contexts": {"a": SIGNED_IN}}}), encoding="utf-8-sig"
    )
    assert offline("config get context a").documents == [SIGNED_IN]


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
