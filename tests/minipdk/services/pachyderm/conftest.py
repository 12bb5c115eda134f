"""A separate pachd for each module, and the vendor's clients for it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.conftest import ServiceProcess, wait_for
from tests.minipdk.services.pachyderm.pipelines import Workbench

from minipdk.common.home import Home
from minipdk.common.ports import HOST
from minipdk.services.pachyderm import wire


@pytest.fixture(scope="module")
def pachd(home: Home, run_service: Callable[..., ServiceProcess]) -> ServiceProcess:
    """The service's process, ready to answer."""
    return run_service(home, "pachyderm", "pachd", "s3")


@pytest.fixture(scope="module")
def client(home: Home, pachd: ServiceProcess) -> Client:
    """pachyderm_sdk's client, signed in with the cluster's token."""
    return connect(home)


def connect(home: Home, token: str | None = None) -> Client:
    return Client(host=HOST, port=home.port("pachd"), auth_token=home.token if token is None else token)


def wait_until_it_answers(client: Client) -> None:
    """After a restart of pachd: gRPC waits between its attempts to connect, and fails calls meanwhile."""

    def answers() -> bool:
        try:
            client.get_version()
        except (grpc.RpcError, ConnectionError):
            return False
        return True

    wait_for(answers, seconds=60, what="a connection to the restarted pachd")


@pytest.fixture(scope="module")
def bench(client: Client) -> Workbench:
    """Short ways to make pipelines and wait for their jobs."""
    return Workbench(client)


@pytest.fixture
def repo(client: Client) -> pfs.Repo:
    """A fresh repo."""
    return new_repo(client)


@pytest.fixture
def master(repo: pfs.Repo) -> pfs.Branch:
    return pfs.Branch(repo=repo, name="master")


def new_repo(client: Client, prefix: str = "repo") -> pfs.Repo:
    repo = pfs.Repo(name=f"{prefix}-{uuid.uuid4().hex[:8]}", type="user", project=pfs.Project(name="default"))
    client.pfs.create_repo(repo=repo)
    return repo


def put(client: Client, branch: pfs.Branch, **files: bytes) -> pfs.Commit:
    """One finished commit that adds these files at the top; double underscores are slashes."""
    return put_paths(client, branch, {"/" + name.replace("__", "/"): data for name, data in files.items()})


def put_paths(client: Client, branch: pfs.Branch, files: dict[str, bytes]) -> pfs.Commit:
    with client.pfs.commit(branch=branch) as commit:
        for path, data in files.items():
            commit.put_file_from_bytes(path=path, data=data)
    return pfs.Commit(repo=branch.repo, id=commit.id)


def at(commit: pfs.Commit, path: str = "/") -> pfs.File:
    return pfs.File(commit=commit, path=path)


def head(branch: pfs.Branch) -> pfs.Commit:
    return pfs.Commit(repo=branch.repo, branch=branch)


def read(client: Client, commit: pfs.Commit, path: str, **options: Any) -> bytes:
    return b"".join(part.value for part in client.pfs.get_file(file=at(commit, path), **options))


def paths(infos: Iterable[pfs.FileInfo]) -> list[str]:
    return [info.file.path for info in infos]


def failure(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    """The code and the message of a call's failure."""
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value.code(), error.value.details()


def failures(home: Home, package: str) -> dict[str, tuple[grpc.StatusCode, str]]:
    """The failure of each call of ``package`` on an empty message, by its vendor name, without the SDK's own handling."""
    metadata = [("authn-token", home.session_token)]
    with grpc.insecure_channel(f"{HOST}:{home.port('pachd')}") as channel:
        calls = {
            f"{call.service}.{call.method}": channel.unary_unary(call.path)
            for call in wire.rpcs()
            if call.package == package
        }
        return {name: failure(partial(call, b"", metadata=metadata)) for name, call in calls.items()}


def is_finished(info: pfs.CommitInfo) -> bool:
    """An unset time reads as 1970 in the SDK."""
    return info.finished is not None and info.finished.year > 1970
