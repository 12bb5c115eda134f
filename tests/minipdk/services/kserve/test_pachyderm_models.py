"""Models served from the output of a Pachyderm commit, as a pipeline's deployment step does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.conftest import ServiceProcess, wait_for
from tests.minipdk.services.kserve.conftest import Archiver, Cluster, FakeS3

from minipdk.common.home import Home


@pytest.fixture(scope="module")
def cluster(home: Home, run_service: Callable[..., ServiceProcess]) -> Iterator[Cluster]:
    run_service(home, "kubernetes", "kubernetes")
    run_service(home, "pachyderm", "pachd", "s3")
    s3 = FakeS3()
    s3.endpoint, s3.access_key = "pachd.pachyderm:30600", home.token  # the in-cluster name, as the seed has it
    cluster = Cluster(home, run_service(home, "serving", "ingress"), s3)
    cluster.add_credentials()
    yield cluster
    s3.close()


def test_a_model_of_an_open_commit_is_served_once_the_commit_is_finished(cluster: Cluster, make_archive: Archiver) -> None:
    pachyderm = Client.from_pachd_address(cluster.home.url("pachd", "grpc"), auth_token=cluster.home.token)
    project = pfs.Project(name="churn")
    repo = pfs.Repo(name="deploy", type="user", project=project)
    pachyderm.pfs.create_project(project=project)
    pachyderm.pfs.create_repo(repo=repo)
    branch = pfs.Branch(repo=repo, name="master")
    with pachyderm.pfs.commit(branch=branch) as commit:
        cluster.create("served", f"s3://{commit.id}.master.deploy.churn/linear")
        wait_for(lambda: "waiting for the model" in cluster.predict("served").text, what="the visible wait")
        commit.put_file_from_bytes(path="/linear/model-store/linear.mar", data=make_archive().read_bytes())
    wait_for(lambda: cluster.is_ready("served"), what="the model to be served")
    assert cluster.answers("served", 2.0)
