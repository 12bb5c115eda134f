"""Finding one's way in the graph: walks with limits, pickers, listings by time and origin, subscriptions, summaries."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from pachyderm_sdk.api.metadata import Edit, EditAddKey
from tests.minipdk.services.pachyderm.conftest import head, new_repo, put, put_paths
from tests.minipdk.services.pachyderm.pfs.test_branches import finish, new_branch, refused


@pytest.fixture
def chain(client: Client) -> list[pfs.Branch]:
    """Four branches, each provenant on the one before, all with the commit of one set."""
    branches = [new_branch(client)]
    for _ in range(3):
        branches.append(new_branch(client, branches[-1]))
    put(client, branches[0], a=b"1")
    return branches


def repos(infos: Any) -> list[str]:
    return [info.commit.repo.name if hasattr(info, "commit") else info.branch.repo.name for info in infos]


class TestWalks:
    def test_commits_are_walked_both_ways_nearest_first(self, client: Client, chain: list[pfs.Branch]) -> None:
        names = [branch.repo.name for branch in chain]
        first, last = (pfs.CommitPicker(branch_head=branch.as_picker()) for branch in (chain[0], chain[-1]))
        assert repos(client.pfs.walk_commit_provenance(start=[last])) == names[2::-1]
        assert repos(client.pfs.walk_commit_subvenance(start=[first])) == names[1:]

    def test_walks_end_at_their_limits(self, client: Client, chain: list[pfs.Branch]) -> None:
        names = [branch.repo.name for branch in chain]
        first, last = (pfs.CommitPicker(branch_head=branch.as_picker()) for branch in (chain[0], chain[-1]))
        assert repos(client.pfs.walk_commit_provenance(start=[last], max_depth=2)) == [names[2], names[1]]
        assert repos(client.pfs.walk_commit_subvenance(start=[first], max_commits=1)) == [names[1]]
        assert repos(client.pfs.walk_branch_provenance(start=[chain[-1].as_picker()], max_branches=2)) == [
            names[2],
            names[1],
        ]
        assert repos(client.pfs.walk_branch_subvenance(start=[chain[0].as_picker()], max_depth=1)) == [names[1]]

    def test_a_walk_may_start_in_several_places(self, client: Client, chain: list[pfs.Branch]) -> None:
        names = [branch.repo.name for branch in chain]
        start = [branch.as_picker() for branch in chain[:2]]
        assert repos(client.pfs.walk_branch_subvenance(start=start, max_depth=1)) == names[1:3]

    def test_a_start_that_is_not_there(self, client: Client, repo: pfs.Repo) -> None:
        gone = pfs.BranchPicker(name=pfs.BranchPickerBranchName(repo=repo.as_picker(), name="gone"))
        with refused('branch "gone" not found', grpc.StatusCode.NOT_FOUND):
            list(client.pfs.walk_branch_provenance(start=[gone]))
        with refused("commit picker cannot be nil"):
            list(client.pfs.walk_commit_provenance(start=[pfs.CommitPicker()]))


def test_pickers_may_be_nested(client: Client, master: pfs.Branch) -> None:
    line = [put(client, master, a=str(number).encode()) for number in range(5)]
    root = pfs.CommitPicker(branch_root=pfs.CommitPickerBranchRoot(offset=3, branch=master.as_picker()))
    ancestor = pfs.CommitPicker(ancestor=pfs.CommitPickerAncestorOf(offset=1, start=root))
    twice = pfs.CommitPicker(ancestor=pfs.CommitPickerAncestorOf(offset=1, start=ancestor))
    for picker, commit in ((root, line[3]), (ancestor, line[2]), (twice, line[1])):
        client.metadata.edit_metadata(edits=[Edit(commit=picker, add_key=EditAddKey(key="picked", value="yes"))])
        assert client.pfs.inspect_commit(commit=commit).metadata == {"picked": "yes"}


class TestListing:
    def test_commits_on_one_side_of_a_time(self, client: Client, master: pfs.Branch) -> None:
        line = [put(client, master, a=str(number).encode()).id for number in range(3)]
        middle = client.pfs.inspect_commit(commit=pfs.Commit(repo=master.repo, id=line[1])).started
        older = client.pfs.list_commit(repo=master.repo, started_time=middle)
        newer = client.pfs.list_commit(repo=master.repo, started_time=middle, reverse=True)
        assert line[0] in [info.commit.id for info in older]
        assert line[2] in [info.commit.id for info in newer]

    def test_the_origin_filters_unless_all_are_requested(self, client: Client, master: pfs.Branch) -> None:
        client.pfs.create_branch(branch=master)
        made = put(client, master, a=b"1").id
        user = client.pfs.list_commit(repo=master.repo, origin_kind=pfs.OriginKind.USER)
        every = client.pfs.list_commit(repo=master.repo, origin_kind=pfs.OriginKind.USER, all=True)
        assert [info.commit.id for info in user] == [made]
        assert len(list(every)) == 2

    def test_finding_commits_ends_at_the_limit(self, client: Client, master: pfs.Branch) -> None:
        line = [put_paths(client, master, {"/dir/a": str(number).encode()}) for number in range(3)]
        *matches, last = client.pfs.find_commits(start=head(master), file_path="/dir/a", limit=1)
        assert [match.found_commit.id for match in matches] == [line[2].id]
        assert (last.last_searched_commit.id, last.commits_searched) == (line[2].id, 1)

    def test_an_open_commit_cannot_be_searched(self, client: Client, master: pfs.Branch) -> None:
        client.pfs.start_commit(branch=master)
        with refused("not finished", grpc.StatusCode.UNAVAILABLE):
            list(client.pfs.find_commits(start=head(master), file_path="/a"))


class TestSubscribing:
    def test_from_a_commit_of_some_origin_on_in_some_state(self, client: Client, master: pfs.Branch) -> None:
        client.pfs.create_branch(branch=master)
        first, second = put(client, master, a=b"1"), put(client, master, a=b"2")
        stream = client.pfs.subscribe_commit(
            repo=master.repo,
            branch="master",
            from_=first,
            state=pfs.CommitState.FINISHED,
            origin_kind=pfs.OriginKind.USER,
        )
        assert next(stream).commit == second
        opened = client.pfs.start_commit(branch=master)
        finisher = threading.Timer(0.1, lambda: client.pfs.finish_commit(commit=opened))
        finisher.start()
        assert next(stream).commit.id == opened.id
        finisher.join()
        stream.close()

    def test_every_origin_by_default(self, client: Client, chain: list[pfs.Branch]) -> None:
        stream: Iterator[pfs.CommitInfo] = client.pfs.subscribe_commit(repo=chain[1].repo, state=pfs.CommitState.STARTED)
        assert [info.origin.kind for info in islice(stream, 2)] == [pfs.OriginKind.AUTO] * 2


class TestProjects:
    def test_a_summary_counts_the_users_repos_and_their_bytes(self, client: Client) -> None:
        full, empty = pfs.Project(name="full"), pfs.Project(name="empty")
        for project in (full, empty):
            client.pfs.create_project(project=project)
        for name in ("a", "b"):
            repo = pfs.Repo(name=name, type="user", project=full)
            client.pfs.create_repo(repo=repo)
            put(client, pfs.Branch(repo=repo, name="master"), file=b"12345")
        pickers = [pfs.ProjectPicker(name=name) for name in ("full", "empty", "nowhere")]
        (summary,) = client.pfs.repos_summary(projects=pickers).summaries
        assert (summary.project.name, summary.user_repo_count, summary.size_bytes) == ("full", 2, 10)

    def test_a_project_shows_its_defaults(self, client: Client) -> None:
        project = pfs.Project(name="with-defaults")
        client.pfs.create_project(project=project, description="d")
        json = '{"createPipelineRequest": {"datumTries": 5}}'
        client.pps.set_project_defaults(project=project, project_defaults_json=json)
        response = client.pfs.inspect_project_v2(project=project)
        assert (response.info.description, response.defaults_json) == ("d", json)


class TestSquashAndDrop:
    def test_a_set_that_is_not_there_is_gone_already(self, client: Client) -> None:
        nothing = pfs.CommitSet(id="0" * 12 + "4" + "0" * 19)
        client.pfs.squash_commit_set(commit_set=nothing)
        client.pfs.drop_commit_set(commit_set=nothing)

    def test_a_commit_with_an_open_child_stays(self, client: Client, master: pfs.Branch) -> None:
        first = put(client, master, a=b"1")
        child = client.pfs.start_commit(branch=master)
        with refused(f"cannot squash until child commit default/{master.repo.name}@{child.id} is finished"):
            client.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=first.id))

    def test_squashing_one_commit_takes_its_subvenance_along(self, client: Client, master: pfs.Branch) -> None:
        derived = new_branch(client, master)
        finish(client, derived)
        commits = [put(client, master, a=b"1")]
        finish(client, derived)
        put(client, master, b=b"2")
        finish(client, derived)
        with refused("with subvenance without recursive"):
            client.pfs.squash_commit(commit=commits[0])
        client.pfs.squash_commit(commit=commits[0], recursive=True)
        for repo in (master.repo, derived.repo):
            assert not client.pfs.commit_exists(commit=pfs.Commit(repo=repo, id=commits[0].id))

    def test_a_branch_elsewhere_falls_back_to_the_parent_too(self, client: Client, master: pfs.Branch) -> None:
        first, second = put(client, master, a=b"1"), put(client, master, b=b"2")
        release = pfs.Branch(repo=master.repo, name="release")
        client.pfs.create_branch(branch=release, head=second)
        client.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=second.id))
        assert client.pfs.inspect_branch(branch=release).head.id == first.id


def test_a_head_set_again_starts_branches_downstream_even_if_unchanged(client: Client, master: pfs.Branch) -> None:
    """Naming a head is asking for a new run, as deferred processing does."""
    put(client, master, a=b"1")
    derived = new_branch(client, master)
    before = client.pfs.inspect_commit(commit=head(derived)).commit.id
    client.pfs.create_branch(branch=master, head=head(master))
    again = client.pfs.inspect_commit(commit=head(derived))
    assert again.parent_commit.id == before != again.commit.id


def test_a_head_or_a_parent_of_another_repo_is_refused(client: Client, master: pfs.Branch) -> None:
    other = pfs.Branch(repo=new_repo(client), name="master")
    commit = put(client, other, a=b"1")
    with refused("branch and head commit must belong to the same repo"):
        client.pfs.create_branch(branch=master, head=commit)
    with refused("branch and parent commit must belong to the same repo"):
        client.pfs.start_commit(branch=master, parent=commit)
