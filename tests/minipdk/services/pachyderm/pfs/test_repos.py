"""Projects and repos."""

from __future__ import annotations

import uuid

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.minipdk.services.pachyderm.conftest import head, new_repo, put


@pytest.fixture
def project(client: Client) -> pfs.Project:
    project = pfs.Project(name=f"p-{uuid.uuid4().hex[:8]}")
    client.pfs.create_project(project=project, description="one of mine")
    return project


def refused(code: grpc.StatusCode, words: str) -> pytest.RaisesExc[grpc.RpcError]:
    """A context that expects the call in it to fail with this status and these words."""
    return pytest.raises(grpc.RpcError, check=lambda error: error.code() == code and words in error.details())


def test_a_project_is_created_inspected_updated_and_listed(client: Client, project: pfs.Project) -> None:
    info = client.pfs.inspect_project(project=project)
    assert (info.project.name, info.description) == (project.name, "one of mine")
    client.pfs.create_project(project=project, description="changed", update=True)
    assert client.pfs.inspect_project(project=project).description == "changed"
    assert {"default", project.name} <= {info.project.name for info in client.pfs.list_project()}


def test_a_project_cannot_be_made_twice(client: Client, project: pfs.Project) -> None:
    with refused(grpc.StatusCode.ALREADY_EXISTS, f"project {project.name} already exists"):
        client.pfs.create_project(project=project)


@pytest.mark.parametrize("name", ["a b", "-a", "a/b", "a" * 52, "é"])
def test_project_names_that_kubernetes_or_ancestry_cannot_express_are_refused(client: Client, name: str) -> None:
    with pytest.raises(grpc.RpcError, match=r"invalid|must start|longer"):
        client.pfs.create_project(project=pfs.Project(name=name))


def test_a_request_without_a_project_is_invalid(client: Client) -> None:
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "validate request: invalid InspectProjectRequest.Project"):
        client.pfs.inspect_project()


def test_a_missing_project_is_not_found(client: Client) -> None:
    assert not client.pfs.project_exists(project=pfs.Project(name="nowhere"))
    with refused(grpc.StatusCode.NOT_FOUND, 'cannot find project "nowhere"'):
        client.pfs.create_repo(repo=pfs.Repo(name="a", type="user", project=pfs.Project(name="nowhere")))


def test_a_project_with_repos_is_not_deleted(client: Client, project: pfs.Project) -> None:
    repo = pfs.Repo(name="kept", type="user", project=project)
    client.pfs.create_repo(repo=repo)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, f"repo {project.name}/kept still exists"):
        client.pfs.delete_project(project=project)
    client.pfs.delete_repo(repo=repo)
    client.pfs.delete_project(project=project)
    assert not client.pfs.project_exists(project=project)


def test_a_repo_is_created_inspected_and_updated(client: Client, repo: pfs.Repo) -> None:
    info = client.pfs.inspect_repo(repo=repo)
    assert info.repo == repo
    assert info.details.size_bytes == 0
    assert info.branches == []
    client.pfs.create_repo(repo=repo, description="described", update=True)
    assert client.pfs.inspect_repo(repo=repo).description == "described"


def test_a_repo_cannot_be_made_twice(client: Client, repo: pfs.Repo) -> None:
    with refused(grpc.StatusCode.ALREADY_EXISTS, f"repo default/{repo.name} already exists"):
        client.pfs.create_repo(repo=repo)


@pytest.mark.parametrize("name", ["a.b", "a b", "a@b", "a/b", "é"])
def test_names_that_ancestry_could_not_tell_apart_are_refused(client: Client, name: str) -> None:
    words = "only alphanumeric characters, underscores, and dashes are allowed"
    with refused(grpc.StatusCode.UNKNOWN, words):
        client.pfs.create_repo(repo=pfs.Repo(name=name))


def test_repos_are_listed_by_name(client: Client) -> None:
    new_repo(client), new_repo(client)
    names = [info.repo.name for info in client.pfs.list_repo(type="user")]
    assert names == sorted(names)


def test_repos_are_listed_by_type_project_and_page(client: Client, project: pfs.Project) -> None:
    for name in ("c", "a", "b"):
        client.pfs.create_repo(repo=pfs.Repo(name=name, type="user", project=project))
    client.pfs.create_repo(repo=pfs.Repo(name="a", type="spec", project=project))

    def names(**options: object) -> list[str]:
        return [f"{info.repo.name}.{info.repo.type}" for info in client.pfs.list_repo(projects=[project], **options)]

    assert names(type="user") == ["a.user", "b.user", "c.user"]
    assert names(type="spec") == ["a.spec"]
    assert names(page=pfs.RepoPage(page_size=2, page_index=1)) == ["b.user", "c.user"]


def test_a_system_repo_needs_the_users_repo(client: Client) -> None:
    with pytest.raises(grpc.RpcError, match="without a corresponding 'user' repo"):
        client.pfs.create_repo(repo=pfs.Repo(name="lonely", type="meta"))


def test_deleting_a_repo_says_whether_there_was_one(client: Client, repo: pfs.Repo) -> None:
    assert client.pfs.delete_repo(repo=repo).deleted
    assert not client.pfs.delete_repo(repo=repo).deleted
    assert not client.pfs.repo_exists(repo=repo)


def test_a_repo_that_others_depend_on_is_deleted_by_force_only(client: Client) -> None:
    upstream, downstream = new_repo(client), new_repo(client)
    source, derived = pfs.Branch(repo=upstream, name="master"), pfs.Branch(repo=downstream, name="master")
    put(client, source, a=b"1")
    client.pfs.create_branch(branch=derived, provenance=[source])
    with pytest.raises(grpc.RpcError, match="cannot be deleted because it's in the direct provenance of"):
        client.pfs.delete_repo(repo=upstream)
    assert client.pfs.repo_exists(repo=upstream)
    assert client.pfs.delete_repo(repo=upstream, force=True).deleted
    assert client.pfs.inspect_branch(branch=derived).provenance == []


def test_a_repos_size_is_that_of_the_newest_finished_commit_on_master(client: Client, repo: pfs.Repo) -> None:
    master, other = pfs.Branch(repo=repo, name="master"), pfs.Branch(repo=repo, name="other")
    put(client, master, a=b"12345")
    put(client, other, b=b"1" * 100)
    assert client.pfs.inspect_repo(repo=repo).details.size_bytes == 5
    client.pfs.start_commit(branch=master)
    assert client.pfs.inspect_repo(repo=repo).details.size_bytes == 5
    client.pfs.finish_commit(commit=head(master), error="spoilt")
    assert client.pfs.inspect_repo(repo=repo).details.size_bytes == 5


def test_every_repo_of_a_project_is_deleted_together(client: Client, project: pfs.Project) -> None:
    for name in ("a", "b"):
        client.pfs.create_repo(repo=pfs.Repo(name=name, type="user", project=project))
    deleted = client.pfs.delete_repos(projects=[project]).repos
    assert {repo.name for repo in deleted} == {"a", "b"}
    assert list(client.pfs.list_repo(projects=[project])) == []
