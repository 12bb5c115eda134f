"""Permissions: owners and administrators, as in Determined's open-source master."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from determined.common.api import Session, authentication, errors
from tests.minipdk.services.determined.conftest import Cluster, best, configuration, finish


@dataclass
class Nouns:
    """The ids of one user's nouns, and sessions of this user and of another."""

    owner: Session
    stranger: Session
    owner_id: int
    ids: dict[str, Any]


def user(cluster: Cluster) -> tuple[Session, int]:
    fields = {"user": {"username": f"user-{uuid.uuid4().hex[:8]}", "active": True}, "password": "secret"}
    made = cluster.session("admin").post("api/v1/users", json=fields).json()["user"]
    return authentication.login(cluster.url, made["username"], "secret").with_retry(0), made["id"]


@pytest.fixture(scope="module")
def nouns(cluster: Cluster) -> Nouns:
    (owner, owner_id), (stranger, _) = user(cluster), user(cluster)
    workspace = owner.post("api/v1/workspaces", json={"name": uuid.uuid4().hex}).json()["workspace"]["id"]
    project = owner.post(f"api/v1/workspaces/{workspace}/projects", json={"name": "p"}).json()["project"]["id"]
    body = {"config": yaml.safe_dump(configuration(entrypoint="true")), "modelDefinition": []}
    experiment = owner.post("api/v1/experiments", json=body).json()["experiment"]["id"]
    owner.post(f"api/v1/experiments/{experiment}/kill")
    saved = cluster.steps(1)
    finish(saved)
    model = owner.post("api/v1/models", json={"name": uuid.uuid4().hex}).json()["model"]["name"]
    version = {"checkpointUuid": best(saved).uuid}
    number = owner.post(f"api/v1/models/{model}/versions", json=version).json()["modelVersion"]["version"]
    ids = {"workspace": workspace, "project": project, "experiment": experiment, "model": model, "version": number}
    return Nouns(owner, stranger, owner_id, {**ids, "user": owner_id})


PROJECT = "non admin users need to own the project or workspace"
FORBIDDEN: list[tuple[str, str, Any, str]] = [
    ("PATCH", "workspaces/{workspace}", {"name": "other"}, "only admins may set other user's workspaces names"),
    ("POST", "workspaces/{workspace}/archive", None, "only admins may archive other user's workspaces"),
    ("POST", "workspaces/{workspace}/unarchive", None, "only admins may unarchive other user's workspaces"),
    ("DELETE", "workspaces/{workspace}", None, "only admins may delete other user's workspaces"),
    ("DELETE", "workspaces/1", None, "only admins may delete other user's workspaces"),
    ("PATCH", "projects/{project}", {"name": "other"}, f"can't set project name: {PROJECT}"),
    ("PATCH", "projects/{project}", {"description": "other"}, f"can't set project name: {PROJECT}"),
    ("PATCH", "projects/{project}", {"key": "OTHER"}, f"can't set project key: {PROJECT}"),
    ("POST", "projects/{project}/archive", None, f"can't archive project: {PROJECT}"),
    ("POST", "projects/{project}/unarchive", None, f"can't unarchive project: {PROJECT}"),
    ("POST", "projects/{project}/move", {"destinationWorkspaceId": 1}, "can't move projects that someone else owns"),
    ("DELETE", "projects/{project}", None, f"can't delete project: {PROJECT}"),
    ("DELETE", "experiments/{experiment}", None, "non admin users may not delete other user's experiments"),
    ("DELETE", "models/{model}/versions/{version}", None, "may not delete other users' model versions access denied"),
    ("DELETE", "models/{model}", None, "non-admin users may not delete other users' models access denied"),
    ("POST", "users", {"user": {"username": "eve"}}, "only admin privileged users can create users"),
    ("PATCH", "users/{user}", {"active": False}, "only admin privileged users can update users"),
    ("PATCH", "users/{user}", {"admin": True}, "only admin privileged users can update users"),
    ("PATCH", "users/{user}", {"agentUserGroup": {}}, "only admin privileged users can update users"),
    ("PATCH", "users/{user}", {"username": "eve"}, "only admin privileged users can update other users"),
    ("PATCH", "users/{user}", {"displayName": "Eve"}, "can set another user's display name"),
    ("PATCH", "users/{user}", {"password": "x"}, "only admin privileged users can change other user's passwords"),
    ("POST", "users/{user}/password", "x", "only admin privileged users can change other user's passwords"),
    ("GET", "master/cluster_message", None, "user does not have permission"),
]


@pytest.mark.parametrize(("method", "path", "body", "words"), FORBIDDEN)
def test_stranger_is_refused(nouns: Nouns, method: str, path: str, body: Any, words: str) -> None:
    with pytest.raises(errors.ForbiddenException, match=words):
        nouns.stranger._do_request(method, f"/api/v1/{path.format(**nouns.ids)}", None, body, None, None, None, False)


@pytest.mark.parametrize("fields", [{"active": False}, {"admin": True}, {"agentUserGroup": {}}])
def test_user_may_not_become_more_than_an_administrator_made_of_them(nouns: Nouns, fields: dict[str, Any]) -> None:
    with pytest.raises(errors.ForbiddenException, match="can update users"):
        nouns.owner.patch(f"api/v1/users/{nouns.owner_id}", json=fields)


def test_stranger_may_edit_what_determined_lets_everybody_edit(nouns: Nouns) -> None:
    ids, stranger = nouns.ids, nouns.stranger
    stranger.patch(f"api/v1/experiments/{ids['experiment']}", json={"description": "noted"})
    stranger.post(f"api/v1/experiments/{ids['experiment']}/archive")
    stranger.post(f"api/v1/experiments/{ids['experiment']}/unarchive")
    stranger.patch(f"api/v1/models/{ids['model']}", json={"description": "noted"})
    stranger.put(f"api/v1/projects/{ids['project']}/notes", json={"notes": [{"name": "n", "contents": "c"}]})


def test_owner_may_change_and_delete_their_own(nouns: Nouns) -> None:
    owner, ids = nouns.owner, nouns.ids
    owner.patch(f"api/v1/users/{nouns.owner_id}", json={"displayName": uuid.uuid4().hex, "password": "new"})
    owner = authentication.login(owner.master, owner.username, "new").with_retry(0)
    owner.patch(f"api/v1/workspaces/{ids['workspace']}", json={"name": uuid.uuid4().hex})
    owner.patch(f"api/v1/projects/{ids['project']}", json={"name": "q", "key": "ab1"})
    assert owner.get("api/v1/projects/key/AB1").json()["project"]["name"] == "q"
    for path in ("models/{model}/versions/{version}", "models/{model}", "experiments/{experiment}"):
        owner.delete(f"api/v1/{path.format(**ids)}")
    owner.delete(f"api/v1/projects/{ids['project']}")
    owner.delete(f"api/v1/workspaces/{ids['workspace']}")


def test_owner_of_a_workspace_may_change_the_projects_of_others_in_it(cluster: Cluster) -> None:
    (owner, _), (guest, _) = user(cluster), user(cluster)
    workspace = owner.post("api/v1/workspaces", json={"name": uuid.uuid4().hex}).json()["workspace"]["id"]
    project = guest.post(f"api/v1/workspaces/{workspace}/projects", json={"name": "p"}).json()["project"]["id"]
    owner.post(f"api/v1/projects/{project}/archive")
    owner.post(f"api/v1/projects/{project}/unarchive")
    owner.delete(f"api/v1/projects/{project}")
