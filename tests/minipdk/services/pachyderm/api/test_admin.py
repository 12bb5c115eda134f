"""InspectCluster, which the vendor's pachctl calls before every command: it goes on, with the warnings printed."""

from __future__ import annotations

import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import admin, pfs, version
from tests.minipdk.services.pachyderm.conftest import connect

from minipdk.common.home import Home

CURRENT = version.Version(major=2, minor=12, micro=0)


def warnings(client: Client, **request: object) -> list[str]:
    ask = client._channel.unary_unary(
        "/admin_v2.API/InspectCluster",
        request_serializer=bytes,
        response_deserializer=admin.ClusterInfo.FromString,
    )
    return list(ask(admin.InspectClusterRequest(**{"client_version": CURRENT, **request})).warnings)


def test_a_current_project_that_is_gone_is_a_warning(client: Client) -> None:
    assert warnings(client, current_project=pfs.Project(name="nope")) == [
        'WARNING: Could not inspect project "nope": error getting project "nope": get project by name: '
        'project "nope" not found'
    ]
    assert warnings(client, current_project=pfs.Project(name="default")) == []


def test_projects_are_not_shown_to_a_client_without_a_token(home: Home, client: Client) -> None:
    for token in ("", "of another cluster"):
        assert warnings(connect(home, token), current_project=pfs.Project(name="nope")) == []


@pytest.mark.parametrize(
    ("client_version", "words"),
    [
        (None, "did not send its version"),
        (version.Version(major=2, minor=11, micro=9), "much older than the server"),
        (version.Version(major=1, minor=13), "much older than the server"),
        (version.Version(major=2, minor=13), "much newer than the server"),
        (version.Version(major=3), "much newer than the server"),
        (version.Version(major=2, minor=12, micro=2, additional="-rc.1"), "a pre-release version not compatible"),
    ],
    ids=str,
)
def test_a_client_of_another_version_is_warned(client: Client, client_version: object, words: str) -> None:
    (warning,) = warnings(client, client_version=client_version)
    assert words in warning


@pytest.mark.parametrize("micro", [0, 2, 7])
def test_versions_that_differ_in_the_last_number_fit(client: Client, micro: int) -> None:
    assert warnings(client, client_version=version.Version(major=2, minor=12, micro=micro)) == []


def test_a_development_build_fits(client: Client) -> None:
    assert warnings(client, client_version=version.Version(additional="-dev")) == []
