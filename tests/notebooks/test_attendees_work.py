"""Commands that would destroy an attendee's work on the cluster refuse, and say how to keep it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pachyderm_sdk.api import pfs

from course import Profile
from course.labs import load, work
from tests.notebooks.conftest import ROOT

LAB = load(ROOT).lab("iris-pipeline")
PROJECT = pfs.Project(name=LAB.project)


@pytest.fixture
def repo(profile: Profile) -> pfs.Repo:
    """A repository in the lab's project, which has no commits yet."""
    client = profile.pachyderm
    if client.pfs.project_exists(PROJECT):
        client.pps.delete_pipelines(projects=[PROJECT])
        client.pfs.delete_repos(projects=[PROJECT])
    else:
        client.pfs.create_project(project=PROJECT)
    repo = pfs.Repo(name="mine", type="user", project=PROJECT)
    client.pfs.create_repo(repo=repo)
    return repo


def commit(profile: Profile, repo: pfs.Repo) -> None:
    with profile.pachyderm.pfs.commit(branch=pfs.Branch(repo=repo, name="master")) as commit:
        commit.put_file_from_bytes(path="/answer", data=b"42")


def test_a_solution_replaces_only_commits_of_its_own_last_run(profile: Profile, repo: pfs.Repo, tmp_path: Path) -> None:
    profile = replace(profile, root=tmp_path)
    work.check_project(profile, LAB)
    commit(profile, repo)
    refusal = r"pdk-iris has work in it.*make iris MINIPDK_HOME=/another/folder\. To start over: make iris START_OVER=1"
    with pytest.raises(work.WorkError, match=refusal):
        work.check_project(profile, LAB)
    work.record_run(profile, LAB)
    work.check_project(profile, LAB)
    commit(profile, repo)
    with pytest.raises(work.WorkError, match="pdk-iris has work in it"):
        work.check_project(profile, LAB)


def test_outputs_are_not_stored_from_a_cluster_in_use(profile: Profile, repo: pfs.Repo) -> None:
    with pytest.raises(work.WorkError, match=r"this one has .*the project pdk-iris.*`minipdk reset` forgets them"):
        work.check_cluster(profile)
