"""The config that pachctl and the SDK read: each start repairs this cluster's context and keeps the others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import new_home

from minipdk.common.home import Home
from minipdk.services.pachyderm.service import cluster_id, pach_config, pachd_address, write_client_files


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return new_home(tmp_path / "home")


def config(home: Home) -> Any:
    return json.loads(pach_config(home).read_text())


def own(home: Home) -> dict[str, str]:
    return {"project": "default", "pachd_address": pachd_address(home), "session_token": home.token}


def test_a_new_config_has_the_clusters_context(home: Home) -> None:
    write_client_files(home)
    assert config(home) == {
        "user_id": cluster_id(home),
        "v2": {"active_context": "minipdk", "contexts": {"minipdk": own(home)}, "metrics": False},
    }
    assert pach_config(home).stat().st_mode & 0o777 == 0o600


def test_a_context_without_a_token_does_not_stay_in_use(home: Home) -> None:
    write_client_files(home)
    document = config(home)
    document["v2"]["contexts"] |= {"theirs": {"pachd_address": "grpcs://pachd.example:443"}, "minipdk": {}}
    document["v2"]["active_context"] = "theirs"
    document["later"] = 1
    pach_config(home).write_text(json.dumps(document))
    write_client_files(home)
    assert config(home)["v2"]["active_context"] == "minipdk"
    assert config(home)["v2"]["contexts"] == {"theirs": {"pachd_address": "grpcs://pachd.example:443"}, "minipdk": own(home)}
    assert config(home)["later"] == 1


def test_what_users_set_in_the_context_stays_until_the_cluster_is_emptied(home: Home) -> None:
    write_client_files(home)
    document = config(home)
    document["v2"]["contexts"]["minipdk"] |= {"project": "churn", "active_transaction": "7"}
    pach_config(home).write_text(json.dumps(document))
    home.database("pachyderm").touch()
    write_client_files(home)
    assert config(home)["v2"]["contexts"]["minipdk"] == own(home) | {"project": "churn", "active_transaction": "7"}
    home.database("pachyderm").unlink()
    write_client_files(home)
    assert config(home)["v2"]["contexts"]["minipdk"] == own(home)


def test_without_authentication_the_context_loses_its_token(home: Home) -> None:
    write_client_files(home)
    home.database("pachyderm").touch()
    write_client_files(replace(home, identity=replace(home.identity, auth=False)))
    assert "session_token" not in config(home)["v2"]["contexts"]["minipdk"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"v2": 1}', '{"v2": {"contexts": null}}', "\ufeff{}"])
def test_a_damaged_config_is_replaced(home: Home, text: str) -> None:
    pach_config(home).write_text(text)
    write_client_files(home)
    assert config(home)["v2"]["contexts"] == {"minipdk": own(home)}
