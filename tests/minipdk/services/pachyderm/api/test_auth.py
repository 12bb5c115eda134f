"""Who may call: with authentication the user who has the token, without it every client; and the calls about users."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from botocore.exceptions import ClientError
from pachyderm_sdk import Client
from pachyderm_sdk.api import auth, pfs, pps
from pachyderm_sdk.config import ConfigFile
from pachyderm_sdk.constants import AUTH_TOKEN_ENV
from pachyderm_sdk.errors import AuthServiceNotActivated
from tests.conftest import ServiceProcess, new_home
from tests.minipdk.services.pachyderm.conftest import connect, failure, failures, new_repo, put
from tests.minipdk.services.pachyderm.pipelines import Workbench
from tests.minipdk.services.pachyderm.s3.test_gateway import connect as connect_s3

from minipdk.cluster import home as homes
from minipdk.cluster import lifecycle
from minipdk.common.home import Home, save
from minipdk.common.ports import HOST
from minipdk.services.pachyderm import callers
from minipdk.services.pachyderm.service import pach_config

CLUSTER = auth.Resource(type=auth.ResourceType.CLUSTER)


class TestWithAuthentication:
    def test_root_may_do_everything(self, client: Client) -> None:
        assert client.auth.who_am_i().username == "pach:root"
        permissions = [auth.Permission.REPO_READ, auth.Permission.CLUSTER_MODIFY_BINDINGS]
        answer = client.auth.authorize(resource=CLUSTER, permissions=permissions)
        assert (answer.authorized, answer.satisfied, answer.missing) == (True, permissions, [])
        assert set(permissions) < set(client.auth.get_permissions(resource=CLUSTER).permissions)

    def test_roles_are_bound_when_something_is_made(self, client: Client) -> None:
        """As pachd binds them, to the user who made the project or repo."""
        project = pfs.Project(name=f"project-{uuid.uuid4().hex[:8]}")
        client.pfs.create_project(project=project)
        repo = pfs.Repo(name="r", type="user", project=project)
        client.pfs.create_repo(repo=repo)

        def bound(kind: auth.ResourceType, name: str) -> dict[str, list[str]]:
            entries = client.auth.get_role_binding(resource=auth.Resource(type=kind, name=name)).binding.entries
            return {user: list(roles.roles) for user, roles in entries.items()}

        kinds = auth.ResourceType
        assert bound(kinds.CLUSTER, "") == {
            "pach:root": ["clusterAdmin"],
            "internal:auth-server": ["clusterAdmin"],
            "allClusterUsers": ["projectCreator"],
        }
        assert bound(kinds.PROJECT, project.name) == {"pach:root": ["projectOwner"]}
        assert bound(kinds.PROJECT, "default") == {"allClusterUsers": ["projectWriter"]}
        assert bound(kinds.REPO, f"{project.name}/r") == {"pach:root": ["repoOwner"]}
        assert bound(kinds.REPO, f"{project.name}/nope") == {}

        owner = client.auth.get_permissions(resource=auth.Resource(type=kinds.REPO, name=f"{project.name}/r"))
        assert owner.roles == ["clusterAdmin", "projectOwner", "repoOwner"]
        for info in (client.pfs.inspect_repo(repo=repo), *client.pfs.list_repo(projects=[project])):
            assert (info.auth_info.roles, info.auth_info.permissions) == (owner.roles, owner.permissions)
        assert client.pfs.inspect_project(project=project).auth_info.roles == ["clusterAdmin", "projectOwner"]
        listed = {info.project.name: info.auth_info.roles for info in client.pfs.list_project()}
        assert listed[project.name] == ["clusterAdmin", "projectOwner"]
        assert listed["default"] == ["clusterAdmin", "projectWriter"]

    def test_other_users_have_the_roles_of_all_users(self, client: Client) -> None:
        answer = client.auth.get_permissions_for_principal(resource=CLUSTER, principal="user:ada")
        assert (answer.roles, answer.permissions) == (["projectCreator"], [auth.Permission.PROJECT_CREATE])

    def test_a_spec_repo_may_be_read_by_all(self, client: Client) -> None:
        bench = Workbench(client)
        pipeline = bench.pipeline(bench.repo(), "true")
        spec = client.pfs.inspect_repo(repo=pfs.Repo(name=pipeline.name, type="spec", project=pipeline.project))
        assert spec.auth_info.roles == ["clusterAdmin", "repoOwner", "repoReader"]

    def test_a_resource_must_be_named_and_exist(self, client: Client) -> None:
        missing = auth.Resource(type=auth.ResourceType.REPO, name="default/nope")
        words = "no role binding exists for REPO default/nope"
        assert failure(lambda: client.auth.get_permissions(resource=missing)) == (grpc.StatusCode.UNKNOWN, words)
        for call in (client.auth.get_permissions, client.auth.get_role_binding):
            code, words = failure(call)
            assert code == grpc.StatusCode.INVALID_ARGUMENT
            assert words.endswith("Request.Resource: value is required")

    def test_the_roles_with_a_permission(self, client: Client) -> None:
        roles = client.auth.get_roles_for_permission(permission=auth.Permission.REPO_READ).roles
        names = {"clusterAdmin", "projectOwner", "repoOwner", "repoReader", "repoWriter"}
        assert {role.name for role in roles} == names
        assert all(auth.Permission.REPO_READ in role.permissions for role in roles)

    def test_everything_says_who_made_it(self, home: Home, client: Client) -> None:
        project = pfs.Project(name=f"project-{uuid.uuid4().hex[:8]}")
        client.pfs.create_project(project=project)
        assert client.pfs.inspect_project(project=project).created_by == "pach:root"
        client.pps.set_project_defaults(project=project, project_defaults_json="{}")
        assert client.pps.get_project_defaults(project=project).created_by == "pach:root"
        bench = Workbench(client)
        source = new_repo(client)
        put(client, pfs.Branch(repo=source, name="master"), a=b"1")
        pipeline = bench.pipeline(source.name, "true")
        assert bench.client.pps.inspect_pipeline(pipeline=pipeline, details=True).details.created_by == "pach:root"
        commits = list(client.pfs.list_commit(repo=source))
        members = list(client.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=bench.job(pipeline).job.id)))
        assert {info.created_by for info in (*commits, *members, *client.pfs.list_branch(repo=source))} == {"pach:root"}

    def test_what_a_spout_commits_is_the_pipelines(self, home: Home, client: Client) -> None:
        bench = Workbench(client)
        spout = pps.Pipeline(name=f"spout-{uuid.uuid4().hex[:8]}", project=pfs.Project(name="default"))
        spec = {"pipeline": {"name": spout.name}, "spout": {}, "transform": {"image": "none", "cmd": ["true"]}}
        bench.client.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(spec))
        token = callers.issue(home.token, callers.Caller("default", spout.name))
        branch = pfs.Branch(name="master", repo=pfs.Repo(name=spout.name, type="user", project=spout.project))
        commit = put(connect(home, token), branch, a=b"1")
        assert client.pfs.inspect_commit(commit=commit).created_by == f"pipeline:default/{spout.name}"
        assert client.pfs.inspect_branch(branch=branch).created_by == "pach:root"

    def test_a_pipelines_token_has_its_name(self, home: Home, client: Client) -> None:
        token = callers.issue(home.token, callers.Caller("default", "spout"))
        assert connect(home, token).auth.who_am_i().username == "pipeline:default/spout"
        code, words = failure(lambda: connect(home, token.replace("spout", "other")).auth.who_am_i())
        assert (code, "provided auth token" in words) == (grpc.StatusCode.UNAUTHENTICATED, True)

    def test_there_are_no_groups_robots_or_identity_providers(self, client: Client) -> None:
        assert client.auth.get_groups().groups == []
        assert client.auth.get_users(group="staff").usernames == []
        assert client.auth.extract_auth_tokens().tokens == []
        assert client.auth.get_configuration().configuration.issuer == ""
        code, words = failure(lambda: client.auth.authenticate(id_token="x"))
        assert (code, "OIDC" in words) == (grpc.StatusCode.UNKNOWN, True)

    def test_calls_that_would_make_another_user_or_token_are_refused_by_name(self, home: Home, client: Client) -> None:
        calls = {
            "GetRobotToken": lambda: client.auth.get_robot_token(robot="ci"),
            "RotateRootToken": lambda: client.auth.rotate_root_token(),
            "RevokeAuthToken": lambda: client.auth.revoke_auth_token(token="x"),
            "ModifyRoleBinding": lambda: client.auth.modify_role_binding(resource=CLUSTER, principal="robot:ci"),
            "SetGroupsForUser": lambda: client.auth.set_groups_for_user(username="user:ada", groups=["staff"]),
            "Deactivate": lambda: client.auth.deactivate(),
        }
        for name, call in calls.items():
            assert failure(call) == (grpc.StatusCode.UNIMPLEMENTED, f"auth_v2.API.{name} is not supported by minipdk")
        stranger = connect(home, "")
        assert failure(stranger.auth.activate) == (grpc.StatusCode.UNIMPLEMENTED, "the auth service is already activated")

    def test_licences_are_a_thing_of_the_past(self, home: Home, client: Client) -> None:
        assert set(failures(home, "enterprise").values()) == {(grpc.StatusCode.UNKNOWN, "enterprise server is deprecated")}
        assert failure(client.license.get_activation_code) == (grpc.StatusCode.UNKNOWN, "license server is deprecated")
        assert client.license.list_user_clusters().clusters == []


@pytest.fixture(scope="module")
def open_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = new_home(tmp_path_factory.mktemp("cluster") / "open")
    return save(home.path, replace(home.identity, auth=False))


@pytest.fixture(scope="module")
def stranger(open_home: Home, run_service: Callable[..., ServiceProcess]) -> Client:
    """A client without a token, of a cluster without authentication."""
    run_service(open_home, "pachyderm", "pachd", "s3")
    return Client(host=HOST, port=open_home.port("pachd"))


class TestWithoutAuthentication:
    @pytest.fixture(autouse=True)
    def no_token_around(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(AUTH_TOKEN_ENV, raising=False)

    def test_calls_need_no_token_and_do_not_look_at_one(self, open_home: Home, stranger: Client) -> None:
        commit = put(stranger, pfs.Branch(repo=new_repo(stranger), name="master"), a=b"1")
        with_token = Client(host=HOST, port=open_home.port("pachd"), auth_token="of another cluster")
        info = with_token.pfs.inspect_commit(commit=commit)
        assert (info.details.size_bytes, info.created_by) == (1, "")
        assert stranger.pfs.inspect_repo(repo=commit.repo).auth_info == pfs.AuthInfo()

    def test_every_call_about_users_fails_without_authentication(self, open_home: Home, stranger: Client) -> None:
        with pytest.raises(AuthServiceNotActivated):
            stranger.auth.who_am_i()
        not_activated = (grpc.StatusCode.UNIMPLEMENTED, "the auth service is not activated")
        for package in ("auth", "identity"):
            assert set(failures(open_home, package).values()) == {not_activated}

    def test_s3_takes_any_credentials_whose_halves_are_the_same(self, open_home: Home, stranger: Client) -> None:
        repo = new_repo(stranger)
        put(stranger, pfs.Branch(repo=repo, name="master"), a=b"unsigned")
        s3 = connect_s3(open_home, "anything", "anything")
        s3.put_object(Bucket=repo.name, Key="b", Body=b"signed")
        assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=repo.name)["Contents"]] == ["a", "b"]
        with urllib.request.urlopen(f"{open_home.url('s3')}/{repo.name}/a") as answer:
            assert answer.read() == b"unsigned"
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            connect_s3(open_home, "one", "another").list_buckets()

    def test_a_pipeline_finds_no_token(self, stranger: Client) -> None:
        bench = Workbench(stranger)
        pipeline = bench.pipeline(bench.repo(a="1"), "env | cut -d= -f1 > /pfs/out/names")
        bench.job(pipeline)
        names = bench.files(f"{pipeline.name}@master")["/names"].split()
        assert "PACH_JOB_ID" in names
        assert "PACH_TOKEN" not in names


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Home]:
    """``started(auth=...)``: the files that a start writes, without the services."""
    for name in ("_spawn_supervisor", "_wait_until_ready"):
        monkeypatch.setattr(lifecycle, name, lambda *_: None)
    return lambda **settings: lifecycle.start(tmp_path / "home", homes.Settings(**settings)).home


def test_a_cluster_keeps_its_setting_and_its_config_holds_a_token_only_if_one_is_asked_for(
    started: Callable[..., Home],
) -> None:
    off = started(auth=False)
    assert "session_token" not in json.dumps(json.loads(pach_config(off).read_text()))
    assert ConfigFile.from_path(pach_config(off)).active_context.session_token is None
    assert started().identity.auth is False
    on = started(auth=True)
    assert ConfigFile.from_path(pach_config(on)).active_context.session_token == on.token == off.token
    assert started().identity.auth is True
