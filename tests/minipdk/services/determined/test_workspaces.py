"""Workspaces and projects, by the `det` command and the SDK."""

from __future__ import annotations

import pytest
from determined.common.api import errors
from tests.minipdk.services.determined.conftest import Cluster, finish


def test_workspace_with_a_project_is_created_listed_and_deleted(cluster: Cluster) -> None:
    cluster.det("workspace", "create", "Churn")
    cluster.det("project", "create", "Churn", "telco", "--description", "who leaves")
    assert "telco" in cluster.det("workspace", "list-projects", "Churn")
    assert "who leaves" in cluster.det("project", "describe", "Churn", "telco")
    cluster.det("project", "delete", "Churn", "telco", "--yes")
    cluster.det("workspace", "delete", "Churn", "--yes")
    assert "Churn" not in cluster.det("workspace", "list")


def test_names_are_unique(cluster: Cluster) -> None:
    cluster.sdk.create_workspace("Twice")
    with pytest.raises(errors.APIException, match="workspace 'Twice' already exists") as refused:
        cluster.sdk.create_workspace("Twice")
    assert refused.value.status_code == 409
    workspace = cluster.sdk.get_workspace("Twice")
    workspace.create_project("p")
    with pytest.raises(errors.APIException, match="project name p is already in use"):
        workspace.create_project("p")


def test_unknown_workspace_is_not_found(cluster: Cluster) -> None:
    with pytest.raises(errors.NotFoundException, match="workspace '999' not found"):
        cluster.session().get("api/v1/workspaces/999")


def test_built_in_workspace_cannot_be_changed(cluster: Cluster) -> None:
    with pytest.raises(errors.APIException, match="'Uncategorized' is built in"):
        cluster.session("admin").delete("api/v1/workspaces/1")


def test_configuration_chooses_the_project_of_an_experiment(cluster: Cluster) -> None:
    project = cluster.sdk.create_workspace("Here").create_project("there")
    experiment = cluster.steps(1, workspace="Here", project="there")
    assert experiment.project_id == project.id
    assert finish(experiment) == "COMPLETED"
    with pytest.raises(errors.APIException, match="holds 1 experiments: delete or move them first"):
        cluster.session().delete(f"api/v1/projects/{project.id}")
    with pytest.raises(errors.NotFoundException, match="workspace/project 'Here/nowhere' not found"):
        cluster.steps(1, workspace="Here", project="nowhere")


def test_archived_project_takes_no_experiments(cluster: Cluster) -> None:
    project = cluster.sdk.create_workspace("Old").create_project("done")
    project.archive()
    with pytest.raises(errors.APIException, match=r"project \(\d+\) is archived and cannot add new experiments"):
        cluster.steps(1, workspace="Old", project="done")


def test_archived_workspace_takes_no_changes(cluster: Cluster) -> None:
    workspace = cluster.sdk.create_workspace("Shut")
    project = workspace.create_project("inside")
    session, place = cluster.session(), f"api/v1/workspaces/{workspace.id}"
    session.post(f"{place}/archive")
    words = rf"workspace \({workspace.id}\) is archived and cannot add new projects"
    with pytest.raises(errors.APIException, match=words):
        session.post(f"{place}/projects", json={"name": "late"})
    with pytest.raises(errors.APIException, match=words):
        session.patch(place, json={"name": "Renamed"})
    with pytest.raises(errors.APIException, match="is archived and cannot have attributes updated"):
        session.patch(f"api/v1/projects/{project.id}", json={"name": "renamed"})
    with pytest.raises(errors.APIException, match="first unarchive the workspace"):
        session.post(f"api/v1/projects/{project.id}/unarchive")
    elsewhere = cluster.sdk.create_workspace("Open").create_project("mover")
    with pytest.raises(errors.APIException, match=words):
        session.post(f"api/v1/projects/{elsewhere.id}/move", json={"destinationWorkspaceId": workspace.id})
    session.post(f"{place}/unarchive")
    session.post(f"api/v1/projects/{elsewhere.id}/move", json={"destinationWorkspaceId": workspace.id})
    assert session.get(f"api/v1/projects/{elsewhere.id}").json()["project"]["workspaceName"] == "Shut"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("like-w", ["like-w"]),
        ("LIKE-W2", ["like-w2"]),
        ("like", []),
        ("like-w%", ["like-w", "like-w2"]),
        ("like_w", ["like-w"]),
    ],
)
def test_name_of_a_workspace_matches_whole_and_as_a_pattern(cluster: Cluster, name: str, found: list[str]) -> None:
    session = cluster.session()
    for made in ("like-w", "like-w2"):
        if not session.get("api/v1/workspaces", params={"name": made}).json()["workspaces"]:
            cluster.sdk.create_workspace(made)
    listed = session.get("api/v1/workspaces", params={"name": name}).json()["workspaces"]
    assert [workspace["name"] for workspace in listed] == found
    assert session.get("api/v1/workspaces", params={"nameCaseSensitive": "LIKE-W"}).json()["workspaces"] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "must be at least 1 character long"),
        (" ", "at least non-whitespace letter"),
        ("x" * 81, "must be at most"),
        ("ä" * 41, "must be at most"),
    ],
)
def test_name_of_a_workspace_is_limited(cluster: Cluster, name: str, words: str) -> None:
    with pytest.raises(errors.APIException, match=words) as refused:
        cluster.session().post("api/v1/workspaces", json={"name": name})
    assert refused.value.status_code == 400


@pytest.mark.parametrize(("key", "words"), [("sixsix", "cannot be longer than 5"), ("a b", "only contain alphanumeric")])
def test_key_of_a_project_is_short_and_in_capitals(cluster: Cluster, key: str, words: str) -> None:
    workspace = cluster.sdk.create_workspace(f"Keys of {key}")
    place = f"api/v1/workspaces/{workspace.id}/projects"
    with pytest.raises(errors.APIException, match=words):
        cluster.session().post(place, json={"name": "p", "key": key})
    made = cluster.session().post(place, json={"name": "p", "key": key[0] * 2}).json()["project"]
    assert made["key"] == key[0].upper() * 2
