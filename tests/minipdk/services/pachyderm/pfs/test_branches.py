"""Branches, provenance and propagation; commit sets, squash and drop."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.minipdk.services.pachyderm.conftest import at, head, is_finished, new_repo, paths, put, read

UNKNOWN = grpc.StatusCode.UNKNOWN


def refused(words: str, code: grpc.StatusCode = UNKNOWN) -> pytest.RaisesExc[grpc.RpcError]:
    return pytest.raises(grpc.RpcError, check=lambda error: error.code() == code and words in error.details())


def new_branch(client: Client, *provenance: pfs.Branch) -> pfs.Branch:
    """master of a new repo, provenant on these."""
    branch = pfs.Branch(repo=new_repo(client), name="master")
    client.pfs.create_branch(branch=branch, provenance=list(provenance))
    return branch


def finish(client: Client, branch: pfs.Branch) -> pfs.Commit:
    """Finish the open head of a branch, as its job would."""
    commit = client.pfs.inspect_commit(commit=head(branch)).commit
    client.pfs.finish_commit(commit=commit, force=True)
    return commit


def named(commits: Any) -> list[str]:
    return [commit.repo.name for commit in commits]


def with_branch(commit: pfs.Commit, branch: pfs.Branch) -> pfs.Commit:
    return pfs.Commit(id=commit.id, repo=commit.repo, branch=branch)


class TestCreating:
    def test_a_source_branch_begins_with_an_empty_finished_commit(self, client: Client, master: pfs.Branch) -> None:
        client.pfs.create_branch(branch=master)
        info = client.pfs.inspect_commit(commit=head(master))
        assert is_finished(info)
        assert info.origin.kind == pfs.OriginKind.AUTO
        assert list(client.pfs.walk_file(file=at(head(master)))) == []

    def test_a_branch_with_provenance_begins_with_an_open_commit(self, client: Client, master: pfs.Branch) -> None:
        put(client, master, a=b"1")
        derived = new_branch(client, master)
        info = client.pfs.inspect_commit(commit=head(derived))
        assert not is_finished(info)
        source = client.pfs.inspect_commit(commit=head(master))
        assert info.direct_provenance == [with_branch(source.commit, master)]
        assert source.direct_subvenance == [with_branch(info.commit, derived)]

    def test_commits_name_the_branches_of_their_children(self, client: Client, master: pfs.Branch) -> None:
        """Provenance, subvenance and children have their branch and its repo; no other commit in an answer has."""
        first, second = put(client, master, a=b"1"), put(client, master, a=b"2")
        info = client.pfs.inspect_commit(commit=first)
        assert info.child_commits == [with_branch(second, master)]
        assert client.pfs.inspect_commit(commit=second).parent_commit.branch == pfs.Branch()

    def test_missing_branches_of_the_provenance_are_made(self, client: Client, master: pfs.Branch) -> None:
        new_branch(client, master)
        assert client.pfs.branch_exists(branch=master)

    def test_a_branch_may_be_put_on_a_commit(self, client: Client, master: pfs.Branch) -> None:
        first = put(client, master, a=b"1")
        put(client, master, b=b"1")
        release = pfs.Branch(repo=master.repo, name="release")
        client.pfs.create_branch(branch=release, head=first)
        assert paths(client.pfs.walk_file(file=at(head(release)))) == ["/", "/a"]
        client.pfs.create_branch(branch=release, head=head(master))
        assert paths(client.pfs.walk_file(file=at(head(release)))) == ["/", "/a", "/b"]

    def test_the_same_provenance_again_changes_nothing(self, client: Client, master: pfs.Branch) -> None:
        derived = new_branch(client, master)
        before = client.pfs.inspect_commit(commit=head(derived)).commit.id
        client.pfs.create_branch(branch=derived, provenance=[master])
        assert client.pfs.inspect_commit(commit=head(derived)).commit.id == before

    def test_a_new_provenance_makes_a_new_head_downstream_too(self, client: Client, master: pfs.Branch) -> None:
        derived = new_branch(client, master)
        last = new_branch(client, derived)
        other = new_branch(client)
        before = client.pfs.inspect_commit(commit=head(last)).commit.id
        client.pfs.create_branch(branch=derived, provenance=[master, other])
        infos = [client.pfs.inspect_commit(commit=head(branch)) for branch in (derived, last)]
        assert infos[0].commit.id == infos[1].commit.id != before
        assert infos[1].parent_commit.id == before

    def test_provenance_is_reported_in_both_directions(self, client: Client, master: pfs.Branch) -> None:
        middle = new_branch(client, master)
        last = new_branch(client, middle)
        info = client.pfs.inspect_branch(branch=last)
        assert info.direct_provenance == [middle]
        assert info.provenance == [middle, master]
        assert client.pfs.inspect_branch(branch=master).subvenance == [middle, last]
        assert [info.branch for info in client.pfs.walk_branch_provenance(start=[last.as_picker()])] == [middle, master]
        near = client.pfs.walk_branch_subvenance(start=[master.as_picker()], max_depth=1)
        assert [info.branch for info in near] == [middle]

    def test_a_repo_is_never_in_its_own_provenance(self, client: Client, master: pfs.Branch) -> None:
        other = pfs.Branch(repo=master.repo, name="other")
        with refused(f"repo default/{master.repo.name} cannot be in the provenance of its own branch"):
            client.pfs.create_branch(branch=other, provenance=[master])

    def test_a_circle_is_refused(self, client: Client, master: pfs.Branch) -> None:
        derived = new_branch(client, master)
        with refused("cycle detected", grpc.StatusCode.INTERNAL):
            client.pfs.create_branch(branch=master, provenance=[derived])

    def test_two_branches_of_one_repo_cannot_meet(self, client: Client, master: pfs.Branch) -> None:
        other = pfs.Branch(repo=master.repo, name="other")
        joined = pfs.Branch(repo=new_repo(client), name="master")
        with refused(f'multiple branches from the same repo, "default/{master.repo.name}", cannot participate in a DAG'):
            client.pfs.create_branch(branch=joined, provenance=[master, other])
        assert not client.pfs.branch_exists(branch=joined)

    def test_a_branch_named_like_a_commit_is_refused(self, client: Client, repo: pfs.Repo) -> None:
        with refused("branch name cannot be a UUID V4"):
            client.pfs.create_branch(branch=pfs.Branch(repo=repo, name="0" * 12 + "4" + "0" * 19))

    def test_the_newest_branch_is_listed_first(self, client: Client, repo: pfs.Repo) -> None:
        for name in ("a", "b"):
            client.pfs.create_branch(branch=pfs.Branch(repo=repo, name=name))
        assert [info.branch.name for info in client.pfs.list_branch(repo=repo)] == ["b", "a"]
        assert [info.branch.name for info in client.pfs.list_branch(repo=repo, reverse=True)] == ["a", "b"]


class TestDeleting:
    def test_the_commits_stay(self, client: Client, master: pfs.Branch) -> None:
        commit = put(client, master, a=b"1")
        client.pfs.delete_branch(branch=master)
        assert not client.pfs.branch_exists(branch=master)
        assert read(client, commit, "/a") == b"1"

    def test_a_branch_that_others_depend_on_goes_by_force_only(self, client: Client, master: pfs.Branch) -> None:
        derived = new_branch(client, master)
        with refused(f"cannot be deleted because it's in the direct provenance of [default/{derived.repo.name}@master]"):
            client.pfs.delete_branch(branch=master)
        client.pfs.delete_branch(branch=master, force=True)
        assert client.pfs.inspect_branch(branch=derived).direct_provenance == []


class TestPropagation:
    def test_every_branch_downstream_gets_a_commit_of_the_same_set(self, client: Client, master: pfs.Branch) -> None:
        middle = new_branch(client, master)
        last = new_branch(client, middle)
        old = [client.pfs.inspect_commit(commit=head(branch)).commit for branch in (middle, last)]
        commit = put(client, master, a=b"1")
        for branch, parent in zip((middle, last), old, strict=True):
            info = client.pfs.inspect_commit(commit=head(branch))
            assert info.commit.id == commit.id
            assert info.parent_commit == parent
            assert info.origin.kind == pfs.OriginKind.AUTO
            assert not is_finished(info)

    def test_a_commit_depends_on_the_heads_of_its_branchs_provenance(self, client: Client, master: pfs.Branch) -> None:
        other = new_branch(client)
        joined = new_branch(client, master, other)
        commit = put(client, master, a=b"1")
        info = client.pfs.inspect_commit(commit=head(joined))
        unchanged = client.pfs.inspect_commit(commit=head(other)).commit
        assert sorted(named(info.direct_provenance)) == sorted([master.repo.name, other.repo.name])
        assert {above.id for above in info.direct_provenance} == {commit.id, unchanged.id}

    def test_two_ways_to_one_branch_make_one_commit(self, client: Client, master: pfs.Branch) -> None:
        left, right = new_branch(client, master), new_branch(client, master)
        bottom = new_branch(client, left, right)
        before = len(list(client.pfs.list_commit(repo=bottom.repo)))
        commit = put(client, master, a=b"1")
        assert len(list(client.pfs.list_commit(repo=bottom.repo))) == before + 1
        info = client.pfs.inspect_commit(commit=head(bottom))
        assert {above.id for above in info.direct_provenance} == {commit.id}

    def test_users_do_not_start_commits_on_output_branches(self, client: Client, master: pfs.Branch) -> None:
        derived = new_branch(client, master)
        with refused(f"cannot start a commit on an output branch: default/{derived.repo.name}@master"):
            client.pfs.start_commit(branch=derived)

    def test_the_global_id_leads_to_the_commit_that_was_used(self, client: Client, master: pfs.Branch) -> None:
        """A trainer opens input_repo@$PACH_JOB_ID, though that repo has no commit of that set."""
        put(client, master, a=b"old")
        other = new_branch(client)
        joined = new_branch(client, master, other)
        job = put(client, other, b=b"1")
        assert client.pfs.inspect_commit(commit=head(joined)).commit.id == job.id
        alias = pfs.Commit(repo=master.repo, id=job.id)
        assert read(client, alias, "/a") == b"old"
        put(client, master, a=b"new")
        assert read(client, alias, "/a") == b"old"


class TestFinishingDownstream:
    def test_a_commit_whose_parent_is_open_is_finished_after_it(self, client: Client, master: pfs.Branch) -> None:
        derived = new_branch(client, master)
        first = client.pfs.inspect_commit(commit=head(derived)).commit
        put(client, master, a=b"1")
        second = finish(client, derived)
        info = client.pfs.inspect_commit(commit=second, wait=pfs.CommitState.FINISHING)
        assert not is_finished(info)
        client.pfs.finish_commit(commit=first, force=True)
        assert is_finished(client.pfs.inspect_commit(commit=second))


class TestCommitSets:
    def test_a_set_lists_its_dependencies_first(self, client: Client, master: pfs.Branch) -> None:
        other = new_branch(client)
        middle = new_branch(client, master, other)
        last = new_branch(client, middle)
        commit = put(client, master, a=b"1")
        infos = list(client.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=commit.id)))
        order = [info.commit.repo.name for info in infos]
        assert set(order) == {branch.repo.name for branch in (master, other, middle, last)}
        assert order.index(middle.repo.name) > max(order.index(branch.repo.name) for branch in (master, other))
        assert order[-1] == last.repo.name

    def test_waiting_for_a_set(self, client: Client, master: pfs.Branch) -> None:
        derived = new_branch(client, master)
        finish(client, derived)
        commit = put(client, master, a=b"1")
        finisher = threading.Timer(0.1, finish, [client, derived])
        finisher.start()
        infos = client.pfs.wait_commit_set(pfs.CommitSet(id=commit.id))
        assert all(is_finished(info) for info in infos)
        assert named(info.commit for info in infos) == [master.repo.name, derived.repo.name]
        finisher.join()

    def test_a_missing_set(self, client: Client) -> None:
        with refused("no commits found for commitset nope", grpc.StatusCode.NOT_FOUND):
            list(client.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id="nope")))

    def test_the_newest_set_is_listed_first(self, client: Client, master: pfs.Branch) -> None:
        older, newer = put(client, master, a=b"1"), put(client, master, a=b"2")
        listed = [info.commit_set.id for info in client.pfs.list_commit_set(project=pfs.Project(name="default"))]
        assert listed.index(newer.id) < listed.index(older.id)


class TestSquashAndDrop:
    def test_squashing_keeps_the_data_in_the_child(self, client: Client, master: pfs.Branch) -> None:
        first, second = put(client, master, a=b"1"), put(client, master, b=b"2")
        client.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=first.id))
        assert not client.pfs.commit_exists(commit=first)
        assert paths(client.pfs.walk_file(file=at(second))) == ["/", "/a", "/b"]

    def test_a_commit_without_children_is_not_squashed(self, client: Client, master: pfs.Branch) -> None:
        commit = put(client, master, a=b"1")
        with refused("cannot squash a commit that has no children as that would cause data loss"):
            client.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=commit.id))

    def test_a_set_that_later_sets_depend_on_is_not_squashed(self, client: Client, master: pfs.Branch) -> None:
        other = new_branch(client)
        joined = new_branch(client, master, other)
        finish(client, joined)
        used = put(client, master, a=b"1")
        finish(client, joined)
        put(client, other, b=b"1")
        with refused("because it has subvenant commit sets"):
            client.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=used.id))

    def test_dropping_moves_the_head_to_the_parent(self, client: Client, master: pfs.Branch) -> None:
        first, second = put(client, master, a=b"1"), put(client, master, b=b"2")
        with refused("cannot drop a commit that has children"):
            client.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=first.id))
        client.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=second.id))
        assert client.pfs.inspect_commit(commit=head(master)).commit == first

    def test_a_branch_that_loses_its_only_commit_gets_an_empty_one(self, client: Client, master: pfs.Branch) -> None:
        commit = put(client, master, a=b"1")
        client.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=commit.id))
        info = client.pfs.inspect_commit(commit=head(master))
        assert is_finished(info)
        assert list(client.pfs.walk_file(file=at(head(master)))) == []

    def test_subvenance_is_deleted_too_if_recursive(self, client: Client, master: pfs.Branch) -> None:
        derived = new_branch(client, master)
        finish(client, derived)
        commit = put(client, master, a=b"1")
        finish(client, derived)
        with refused("with subvenance without recursive"):
            client.pfs.drop_commit(commit=commit)
        client.pfs.drop_commit(commit=commit, recursive=True)
        assert not client.pfs.commit_exists(commit=pfs.Commit(repo=derived.repo, id=commit.id))
