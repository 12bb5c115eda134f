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
    with pytest.raises(errors.APIException, match="project 'p' already exists in the workspace 'Twice'"):
        workspace.create_project("p")


def test_unknown_workspace_is_not_found(cluster: Cluster) -> None:
    with pytest.raises(errors.NotFoundException, match="workspace 999 not found"):
        cluster.session().get("api/v1/workspaces/999")


def test_built_in_workspace_cannot_be_changed(cluster: Cluster) -> None:
    with pytest.raises(errors.APIException, match="'Uncategorized' is built in"):
        cluster.session().delete("api/v1/workspaces/1")


def test_configuration_chooses_the_project_of_an_experiment(cluster: Cluster) -> None:
    project = cluster.sdk.create_workspace("Here").create_project("there")
    experiment = cluster.steps(1, workspace="Here", project="there")
    assert experiment.project_id == project.id
    assert finish(experiment) == "COMPLETED"
    with pytest.raises(errors.APIException, match="holds 1 experiments: delete or move them first"):
        cluster.session().delete(f"api/v1/projects/{project.id}")
    with pytest.raises(errors.NotFoundException, match="project 'nowhere' not found in the workspace 'Here'"):
        cluster.steps(1, workspace="Here", project="nowhere")


def test_archived_project_takes_no_experiments(cluster: Cluster) -> None:
    project = cluster.sdk.create_workspace("Old").create_project("done")
    project.archive()
    with pytest.raises(errors.APIException, match="project 'done' is archived: unarchive it first"):
        cluster.steps(1, workspace="Old", project="done")
