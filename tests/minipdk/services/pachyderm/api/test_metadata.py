"""Metadata of projects, repos, branches, commits, pipelines and the cluster."""

from __future__ import annotations

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.metadata import (
    ClusterPicker,
    Edit,
    EditAddKey,
    EditDeleteKey,
    EditEditKey,
    EditReplace,
)
from tests.minipdk.services.pachyderm.conftest import head, put
from tests.minipdk.services.pachyderm.pfs.test_branches import refused
from tests.minipdk.services.pachyderm.pipelines import Workbench


def edit(client: Client, *edits: Edit) -> None:
    client.metadata.edit_metadata(edits=list(edits))


def test_each_kind_of_object_has_separate_metadata(client: Client, master: pfs.Branch, bench: Workbench) -> None:
    commit = put(client, master, a=b"1")
    pipeline = bench.pipeline(master.repo.name, "true")
    targets = {
        "project": pfs.ProjectPicker(name="default"),
        "repo": master.repo.as_picker(),
        "branch": master.as_picker(),
        "commit": commit.as_picker(),
        "cluster": ClusterPicker(),
        "pipeline": pps.PipelinePicker(name=pps.PipelinePickerPipelineName(name=pipeline.name)),
    }
    edit(client, *(Edit(**{kind: picker}, add_key=EditAddKey(key="of", value=kind)) for kind, picker in targets.items()))
    metadata = {
        "project": client.pfs.inspect_project(project=pfs.Project(name="default")),
        "repo": client.pfs.inspect_repo(repo=master.repo),
        "branch": client.pfs.inspect_branch(branch=master),
        "commit": client.pfs.inspect_commit(commit=head(master)),
        "cluster": client.admin.inspect_cluster(),
        "pipeline": client.pps.inspect_pipeline(pipeline=pipeline),
    }
    assert {kind: info.metadata["of"] for kind, info in metadata.items()} == {kind: kind for kind in targets}


def test_keys_are_added_changed_deleted_and_replaced(client: Client, repo: pfs.Repo) -> None:
    def now() -> dict[str, str]:
        return dict(client.pfs.inspect_repo(repo=repo).metadata)

    target = repo.as_picker()
    edit(client, Edit(repo=target, add_key=EditAddKey(key="a", value="1")))
    edit(client, Edit(repo=target, edit_key=EditEditKey(key="a", value="2")))
    edit(client, Edit(repo=target, edit_key=EditEditKey(key="b", value="3")))
    assert now() == {"a": "2", "b": "3"}
    edit(client, Edit(repo=target, delete_key=EditDeleteKey(key="a")))
    edit(client, Edit(repo=target, delete_key=EditDeleteKey(key="not there")))
    assert now() == {"b": "3"}
    edit(client, Edit(repo=target, replace=EditReplace(replacement={"c": "4"})))
    assert now() == {"c": "4"}


def test_all_edits_are_made_or_none_and_every_failure_is_reported(client: Client, repo: pfs.Repo) -> None:
    add = Edit(repo=repo.as_picker(), add_key=EditAddKey(key="k", value="1"))
    elsewhere = Edit(project=pfs.ProjectPicker(name="nowhere"), add_key=EditAddKey(key="k", value="1"))
    with pytest.raises(grpc.RpcError) as failure:
        edit(client, add, add, elsewhere)
    assert failure.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    words = failure.value.details()
    assert words.startswith("apply edits: edit #1: ")
    assert 'add_key target key "k" already exists; use edit_key instead\nedit #2: ' in words
    assert 'project "nowhere" not found' in words
    assert client.pfs.inspect_repo(repo=repo).metadata == {}


@pytest.mark.parametrize(
    "wrong",
    [
        Edit(add_key=EditAddKey(key="k")),
        Edit(project=pfs.ProjectPicker(name="default")),
        Edit(project=pfs.ProjectPicker(name="default"), add_key=EditAddKey(value="v")),
    ],
)
def test_an_edit_names_a_target_an_operation_and_a_key(client: Client, wrong: Edit) -> None:
    with refused("validate request: invalid Edit", grpc.StatusCode.INVALID_ARGUMENT):
        edit(client, wrong)
