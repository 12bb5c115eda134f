"""Commits: their life, their ancestry, how they are listed, awaited and followed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.minipdk.services.pachyderm.conftest import at, head, is_finished, new_repo, paths, put, read

UNKNOWN = grpc.StatusCode.UNKNOWN


def refused(words: str, code: grpc.StatusCode = UNKNOWN) -> pytest.RaisesExc[grpc.RpcError]:
    return pytest.raises(grpc.RpcError, check=lambda error: error.code() == code and words in error.details())


def ids(infos: Any) -> list[str]:
    return [info.commit.id for info in infos]


def named(branch: pfs.Branch, expression: str) -> pfs.Commit:
    return pfs.Commit(repo=branch.repo, id=expression)


def test_a_commits_id_is_a_random_uuid_without_dashes(client: Client, master: pfs.Branch) -> None:
    commit = client.pfs.start_commit(branch=master)
    assert len(commit.id) == 32
    assert commit.id[12] == "4"


def test_starting_a_commit_makes_the_branch(client: Client, master: pfs.Branch) -> None:
    commit = client.pfs.start_commit(branch=master, description="first")
    info = client.pfs.inspect_commit(commit=head(master))
    assert (info.commit.id, info.description, info.origin.kind) == (commit.id, "first", pfs.OriginKind.USER)
    assert info.commit.branch is None or not info.commit.branch.name
    assert info.parent_commit is None or not info.parent_commit.id


def test_a_commit_needs_a_branch_and_a_repo(client: Client, repo: pfs.Repo) -> None:
    with refused("branch must be specified"):
        client.pfs.start_commit(branch=pfs.Branch(repo=repo))
    missing = pfs.Branch(repo=pfs.Repo(name="missing"), name="master")
    with refused("repo default/missing not found", grpc.StatusCode.NOT_FOUND):
        client.pfs.start_commit(branch=missing)


def test_a_commit_grows_from_a_finished_parent_only(client: Client, master: pfs.Branch) -> None:
    parent = client.pfs.start_commit(branch=master)
    with refused(f"parent commit {parent} has not been finished"):
        client.pfs.start_commit(branch=master)


def test_finishing_a_commit_twice_is_refused(client: Client, master: pfs.Branch) -> None:
    commit = put(client, master, a=b"1")
    with refused(f"commit default/{master.repo.name}@{commit.id} has already finished"):
        client.pfs.finish_commit(commit=commit)


def test_a_finished_commit_knows_its_times_and_size(client: Client, master: pfs.Branch) -> None:
    info = client.pfs.inspect_commit(commit=put(client, master, a=b"123", b=b"45"))
    assert info.started <= info.finishing <= info.finished
    assert info.details.size_bytes == 5
    assert info.size_bytes_upper_bound == 0, "only lists have it"
    assert [listed.size_bytes_upper_bound for listed in client.pfs.list_commit(repo=master.repo)] == [5]


def test_finishing_may_change_the_description(client: Client, master: pfs.Branch) -> None:
    commit = client.pfs.start_commit(branch=master, description="before")
    client.pfs.finish_commit(commit=commit, description="after")
    assert client.pfs.inspect_commit(commit=commit).description == "after"


def test_a_failed_commit_is_finished_and_its_children_do_not_inherit_from_it(client: Client, master: pfs.Branch) -> None:
    put(client, master, good=b"1")
    bad = client.pfs.start_commit(branch=master)
    client.pfs.put_file_from_bytes(commit=bad, path="/bad", data=b"2")
    client.pfs.finish_commit(commit=bad, error="it went wrong")
    info = client.pfs.inspect_commit(commit=bad)
    assert info.error == "it went wrong"
    assert is_finished(info)
    put(client, master, more=b"3")
    assert paths(client.pfs.walk_file(file=at(head(master)))) == ["/", "/good", "/more"]


def test_a_name_that_is_a_file_and_a_directory_fails_the_commit(client: Client, master: pfs.Branch) -> None:
    commit = put(client, master, a=b"1", a__b=b"2")
    assert client.pfs.inspect_commit(commit=commit).error == "file / directory path collision (/a/b)"


def test_a_collision_with_the_parents_files_fails_the_commit(client: Client, master: pfs.Branch) -> None:
    put(client, master, a__b__c=b"1")
    assert "collision (/a/b/c)" in client.pfs.inspect_commit(commit=put(client, master, a=b"2")).error


def test_a_missing_commit_is_not_found(client: Client, master: pfs.Branch) -> None:
    put(client, master, a=b"1")
    missing = "0" * 12 + "4" + "0" * 19
    with refused(f"commit default/{master.repo.name}@{missing} not found", grpc.StatusCode.NOT_FOUND):
        client.pfs.inspect_commit(commit=named(master, missing))
    with refused(f'branch "nope" not found in repo default/{master.repo.name}', grpc.StatusCode.NOT_FOUND):
        client.pfs.inspect_commit(commit=named(master, "nope"))


def test_a_commit_without_a_repo_or_branch_is_refused(client: Client) -> None:
    with refused("commit default/@ not found\nrepo default/ not found", grpc.StatusCode.NOT_FOUND):
        client.pfs.inspect_commit(commit=pfs.Commit(id="master"))


def _tree(commit: pfs.Commit) -> pfs.File:
    return pfs.File(commit=commit, path="/")


CALLS_WITH_A_COMMIT: dict[str, Callable[[Client, pfs.Branch, pfs.Commit], object]] = {
    "inspect_commit": lambda client, _, commit: client.pfs.inspect_commit(commit=commit),
    "finish_commit": lambda client, _, commit: client.pfs.finish_commit(commit=commit),
    "clear_commit": lambda client, _, commit: client.pfs.clear_commit(commit=commit),
    "squash_commit": lambda client, _, commit: client.pfs.squash_commit(commit=commit),
    "drop_commit": lambda client, _, commit: client.pfs.drop_commit(commit=commit),
    "start_commit(parent)": lambda client, branch, commit: client.pfs.start_commit(branch=branch, parent=commit),
    "find_commits": lambda client, _, commit: list(client.pfs.find_commits(start=commit, file_path="/a", limit=1)),
    "inspect_file": lambda client, _, commit: client.pfs.inspect_file(file=_tree(commit)),
    "list_file": lambda client, _, commit: list(client.pfs.list_file(file=_tree(commit))),
    "walk_file": lambda client, _, commit: list(client.pfs.walk_file(file=_tree(commit))),
    "get_file": lambda client, _, commit: list(client.pfs.get_file(file=_tree(commit))),
    "get_file_tar": lambda client, _, commit: list(client.pfs.get_file_tar(file=_tree(commit))),
    "glob_file": lambda client, _, commit: list(client.pfs.glob_file(commit=commit, pattern="/*")),
    "diff_file": lambda client, _, commit: list(client.pfs.diff_file(new_file=_tree(commit))),
    "get_file_set": lambda client, _, commit: client.pfs.get_file_set(commit=commit),
    "add_file_set": lambda client, _, commit: client.pfs.add_file_set(
        commit=commit, file_set_id=client.pfs.create_file_set(iter([])).file_set_id
    ),
    "copy_file": lambda client, branch, commit: client.pfs.modify_file(
        iter(
            [
                pfs.ModifyFileRequest(set_commit=head(branch)),
                pfs.ModifyFileRequest(copy_file=pfs.CopyFile(dst="/b", src=_tree(commit))),
            ]
        )
    ),
}


class TestACommitNamedByItsBranchAlone:
    """The SDK sends `Commit(branch=branch)` with an empty repo: pachd looks for a commit of a repo without a name."""

    @pytest.mark.parametrize("call", CALLS_WITH_A_COMMIT)
    @pytest.mark.parametrize("has_id", [False, True], ids=["head", "id"])
    def test_is_not_found(self, client: Client, master: pfs.Branch, call: str, has_id: bool) -> None:
        commit_id = put(client, master, a=b"1").id if has_id else ""
        with refused("repo default/ not found", grpc.StatusCode.NOT_FOUND):
            CALLS_WITH_A_COMMIT[call](client, master, pfs.Commit(branch=master, id=commit_id))

    def test_is_of_another_repo_than_the_one_that_is_listed(self, client: Client, master: pfs.Branch) -> None:
        put(client, master, a=b"1")
        with refused("`from` and `to` commits need to be from repo"):
            list(client.pfs.list_commit(repo=master.repo, to=pfs.Commit(branch=master)))
        with refused("the `from` commit needs to be from repo"):
            next(iter(client.pfs.subscribe_commit(repo=master.repo, branch="master", from_=pfs.Commit(branch=master))))
        with refused("branch and head commit must belong to the same repo"):
            client.pfs.create_branch(branch=pfs.Branch(repo=master.repo, name="b"), head=pfs.Commit(branch=master))

    def test_gets_a_new_commit_when_files_are_put(self, client: Client, master: pfs.Branch) -> None:
        put(client, master, a=b"1")
        client.pfs.put_file_from_bytes(commit=pfs.Commit(branch=master), path="/b", data=b"2")
        assert paths(client.pfs.walk_file(file=at(head(master)))) == ["/", "/a", "/b"]


def test_a_negative_number_lists_all(client: Client, master: pfs.Branch) -> None:
    put(client, master, a=b"1")
    put(client, master, b=b"2")
    assert len(list(client.pfs.list_commit(repo=master.repo, number=-1))) == 2
    assert len(list(client.pfs.list_commit(repo=master.repo, number=-1, reverse=True))) == 2


class TestAncestry:
    """master^N counts back from the head, master.N forward from the first commit."""

    @pytest.fixture
    def line(self, client: Client, master: pfs.Branch) -> list[str]:
        """Four commits, the oldest first."""
        return [put(client, master, a=str(number).encode()).id for number in range(4)]

    @pytest.mark.parametrize(
        ("expression", "index"),
        [
            ("master", 3),
            ("master^", 2),
            ("master^^", 1),
            ("master^3", 0),
            ("master~2", 1),
            ("master~~", 1),
            ("master.1", 0),
            ("master.4", 3),
            ("master.4^", 2),
        ],
    )
    def test_expressions(self, client: Client, master: pfs.Branch, line: list[str], expression: str, index: int) -> None:
        assert client.pfs.inspect_commit(commit=named(master, expression)).commit.id == line[index]

    def test_ancestors_of_an_id(self, client: Client, master: pfs.Branch, line: list[str]) -> None:
        assert client.pfs.inspect_commit(commit=named(master, f"{line[3]}^2")).commit.id == line[1]

    def test_the_sdks_uris_are_understood(self, client: Client, master: pfs.Branch, line: list[str]) -> None:
        uri = f"{master.repo.name}@master^1"
        assert client.pfs.inspect_commit(commit=pfs.Commit.from_uri(uri)).commit.id == line[2]

    @pytest.mark.parametrize("expression", ["master^4", "master.5", "master.0"])
    def test_beyond_either_end(self, client: Client, master: pfs.Branch, line: list[str], expression: str) -> None:
        with refused("picking commit: invalid offset"):
            client.pfs.inspect_commit(commit=named(master, expression))

    @pytest.mark.parametrize("expression", ["master^a", "master^1~1", "master.1.2"])
    def test_invalid_expressions(self, client: Client, master: pfs.Branch, line: list[str], expression: str) -> None:
        with refused("invalid ancestry format"):
            client.pfs.inspect_commit(commit=named(master, expression))

    def test_pickers_count_from_zero(self, client: Client, master: pfs.Branch, line: list[str]) -> None:
        downstream = pfs.Branch(repo=new_repo(client), name="master")
        client.pfs.create_branch(branch=downstream, provenance=[master])
        uri = f"{master.repo.name}@master"
        root = pfs.CommitPicker(branch_root=pfs.CommitPickerBranchRoot(offset=3, branch=master.as_picker()))
        for picker in (root, pfs.CommitPicker.from_uri(uri), pfs.CommitPicker.from_uri(f"{uri}^0")):
            infos = list(client.pfs.walk_commit_subvenance(start=[picker]))
            assert [info.commit.repo for info in infos] == [downstream.repo]


class TestListing:
    @pytest.fixture
    def line(self, client: Client, master: pfs.Branch) -> list[str]:
        return [put(client, master, a=str(number).encode()).id for number in range(3)]

    def test_newest_first_unless_reversed(self, client: Client, repo: pfs.Repo, line: list[str]) -> None:
        assert ids(client.pfs.list_commit(repo=repo)) == line[::-1]
        assert ids(client.pfs.list_commit(repo=repo, reverse=True)) == line

    def test_number_zero_is_all(self, client: Client, repo: pfs.Repo, line: list[str]) -> None:
        assert ids(client.pfs.list_commit(repo=repo, number=2)) == line[:0:-1]
        assert ids(client.pfs.list_commit(repo=repo, number=0)) == line[::-1]

    def test_from_and_to_walk_the_parents(self, client: Client, master: pfs.Branch, line: list[str]) -> None:
        between = client.pfs.list_commit(repo=master.repo, to=named(master, line[2]), from_=named(master, line[0]))
        assert ids(between) == [line[2], line[1]]

    def test_options_that_cannot_be_combined_are_refused(self, client: Client, master: pfs.Branch, line: list[str]) -> None:
        with refused("cannot use `from` commit without `to` commit"):
            list(client.pfs.list_commit(repo=master.repo, from_=named(master, line[0])))
        with refused("cannot use 'Reverse' while also using 'From' or 'To'"):
            list(client.pfs.list_commit(repo=master.repo, to=named(master, line[0]), reverse=True))

    def test_by_origin(self, client: Client, master: pfs.Branch) -> None:
        client.pfs.create_branch(branch=master)
        made = put(client, master, a=b"1").id
        assert ids(client.pfs.list_commit(repo=master.repo, origin_kind=pfs.OriginKind.USER)) == [made]
        assert len(ids(client.pfs.list_commit(repo=master.repo))) == 2

    def test_of_a_missing_repo(self, client: Client) -> None:
        with refused("repo default/missing not found", grpc.StatusCode.NOT_FOUND):
            list(client.pfs.list_commit(repo=pfs.Repo(name="missing")))


class TestWaiting:
    def test_started_returns_immediately(self, client: Client, master: pfs.Branch) -> None:
        commit = client.pfs.start_commit(branch=master)
        assert client.pfs.inspect_commit(commit=commit, wait=pfs.CommitState.STARTED).commit.id == commit.id

    def test_finished_blocks_until_it_is(self, client: Client, master: pfs.Branch) -> None:
        commit = client.pfs.start_commit(branch=master)
        finisher = threading.Timer(0.1, lambda: client.pfs.finish_commit(commit=commit))
        finisher.start()
        assert is_finished(client.pfs.wait_commit(commit))
        finisher.join()

    def test_ready_waits_for_the_provenance(self, client: Client, master: pfs.Branch) -> None:
        derived = pfs.Branch(repo=new_repo(client), name="master")
        client.pfs.create_branch(branch=derived, provenance=[master])
        upstream = client.pfs.start_commit(branch=master)
        finisher = threading.Timer(0.1, lambda: client.pfs.finish_commit(commit=upstream))
        finisher.start()
        client.pfs.inspect_commit(commit=head(derived), wait=pfs.CommitState.READY)
        finisher.join()
        assert is_finished(client.pfs.inspect_commit(commit=upstream))
        assert not is_finished(client.pfs.inspect_commit(commit=head(derived)))

    def test_a_commit_that_is_deleted_meanwhile(self, client: Client, repo: pfs.Repo, master: pfs.Branch) -> None:
        commit = client.pfs.start_commit(branch=master)
        deleter = threading.Timer(0.1, lambda: client.pfs.delete_repo(repo=repo))
        deleter.start()
        with refused("was deleted"):
            client.pfs.wait_commit(commit)
        deleter.join()


class TestSubscribing:
    def test_old_commits_come_first_then_new_ones(self, client: Client, master: pfs.Branch) -> None:
        client.pfs.create_branch(branch=master)
        first = put(client, master, a=b"1").id
        stream = client.pfs.subscribe_commit(repo=master.repo, branch="master", state=pfs.CommitState.FINISHED)
        assert next(stream).origin.kind == pfs.OriginKind.AUTO
        assert next(stream).commit.id == first
        opened = client.pfs.start_commit(branch=master)
        finisher = threading.Timer(0.1, lambda: client.pfs.finish_commit(commit=opened))
        finisher.start()
        info = next(stream)
        assert info.commit.id == opened.id
        assert is_finished(info)
        finisher.join()
        stream.close()

    def test_one_branch_only(self, client: Client, master: pfs.Branch) -> None:
        put(client, pfs.Branch(repo=master.repo, name="other"), a=b"1")
        mine = put(client, master, a=b"1").id
        stream = client.pfs.subscribe_commit(repo=master.repo, branch="master")
        assert next(stream).commit.id == mine
        stream.close()


class TestClearing:
    def test_clearing_an_open_commit_forgets_its_files(self, client: Client, master: pfs.Branch) -> None:
        put(client, master, old=b"1")
        commit = client.pfs.start_commit(branch=master)
        client.pfs.put_file_from_bytes(commit=commit, path="/new", data=b"2")
        client.pfs.clear_commit(commit=commit)
        client.pfs.finish_commit(commit=commit)
        assert paths(client.pfs.walk_file(file=at(commit))) == ["/", "/old"]

    def test_a_finished_commit_is_not_cleared(self, client: Client, master: pfs.Branch) -> None:
        with refused("cannot clear finished commit"):
            client.pfs.clear_commit(commit=put(client, master, a=b"1"))


def test_the_commits_that_changed_a_file_are_found(client: Client, master: pfs.Branch) -> None:
    first = put(client, master, a=b"1").id
    put(client, master, b=b"1")
    third = put(client, master, a=b"2").id
    *matches, last = client.pfs.find_commits(start=head(master), file_path="/a")
    assert [match.found_commit.id for match in matches] == [third, first]
    assert last.last_searched_commit.id == first
    assert last.commits_searched == 3


@pytest.mark.parametrize("path", ["", "/", "/d", "/d/", "d/f"])
def test_no_commit_is_found_for_anything_but_a_files_exact_path(client: Client, master: pfs.Branch, path: str) -> None:
    put(client, master, d__f=b"1")
    assert [info.commits_searched for info in client.pfs.find_commits(start=head(master), file_path=path)] == [1]


def test_each_commit_keeps_the_data_it_had(client: Client, master: pfs.Branch) -> None:
    line = [put(client, master, same=str(number).encode()) for number in range(30)]
    assert [read(client, commit, "/same") for commit in line] == [str(number).encode() for number in range(30)]
