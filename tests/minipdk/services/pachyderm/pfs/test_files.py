"""Files: put, get, list, walk, glob, diff, copy and delete."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.minipdk.services.pachyderm.conftest import at, head, paths, put, put_paths, read

UNKNOWN = grpc.StatusCode.UNKNOWN
BIG = bytes(range(256)) * 20_000  # more than two messages' worth

BAD_PATHS = [
    ("", "only printable ASCII characters allowed"),
    ("/é", "only printable ASCII characters allowed"),
    ("/a\nb", "only printable ASCII characters allowed"),
    ("/*", "globbing character (*) not allowed in path"),
    ("/**", "globbing character (*) not allowed in path"),
    ("/dir/b.*", "globbing character (*) not allowed in path"),
    ("/a[b]", "globbing character ([) not allowed in path"),
    ("/.", "relative file paths are not allowed"),
    ("..", "relative file paths are not allowed"),
    ("/dir/../a", "relative file paths are not allowed"),
    ("/a/./b", "relative file paths are not allowed"),
]
"""pachd's answers to paths that are written or deleted: a forgotten or mistyped path must not stand for everything."""


def refused(words: str, code: grpc.StatusCode = UNKNOWN) -> pytest.RaisesExc[grpc.RpcError]:
    return pytest.raises(grpc.RpcError, check=lambda error: error.code() == code and words in error.details())


@pytest.fixture
def commit(client: Client, master: pfs.Branch) -> pfs.Commit:
    """An open commit."""
    return client.pfs.start_commit(branch=master)


@pytest.fixture
def tree(client: Client, master: pfs.Branch) -> pfs.Commit:
    """A finished commit with files in directories."""
    return put(client, master, a=b"1", dir__b=b"22", dir__c=b"333", dir__sub__d=b"4444", z=b"5")


class TestPutting:
    def test_putting_replaces(self, client: Client, master: pfs.Branch) -> None:
        put(client, master, a=b"old and long")
        assert read(client, put(client, master, a=b"new"), "/a") == b"new"

    def test_appending_adds_to_the_parents_files(self, client: Client, master: pfs.Branch) -> None:
        put(client, master, a=b"one ")
        with client.pfs.commit(branch=master) as commit:
            for word in (b"two ", b"three"):
                commit.put_file_from_bytes(path="/a", data=word, append=True)
        assert read(client, head(master), "/a") == b"one two three"

    @pytest.mark.parametrize("size", [0, 1, 32 * 1024, 32 * 1024 + 1, 5_000_000])
    def test_files_of_any_size(self, client: Client, commit: pfs.Commit, size: int) -> None:
        data = (BIG * 2)[:size]
        client.pfs.put_file_from_bytes(commit=commit, path="/a", data=data)
        assert client.pfs.inspect_file(file=at(commit, "/a")).size_bytes == size
        assert read(client, commit, "/a") == data

    def test_many_messages_make_one_file(self, client: Client, commit: pfs.Commit) -> None:
        messages = [pfs.ModifyFileRequest(set_commit=commit)]
        messages += [pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/a", raw=BIG[:1000])) for _ in range(100)]
        client.pfs.modify_file(iter(messages))
        assert read(client, commit, "/a") == BIG[:1000] * 100

    def test_appends_to_two_files_in_turn(self, client: Client, commit: pfs.Commit) -> None:
        messages = [pfs.ModifyFileRequest(set_commit=commit)]
        for number in range(100):
            for path in ("/a", "/b"):
                line = f"{path}{number}\n".encode()
                messages.append(pfs.ModifyFileRequest(add_file=pfs.AddFile(path=path, raw=line)))
        client.pfs.modify_file(iter(messages))
        assert read(client, commit, "/b") == b"".join(f"/b{number}\n".encode() for number in range(100))

    def test_a_branch_whose_head_is_finished_gets_a_new_commit(self, client: Client, master: pfs.Branch) -> None:
        put(client, master, a=b"1")
        client.pfs.put_file_from_bytes(commit=head(master), path="/b", data=b"2")
        info = client.pfs.inspect_commit(commit=head(master))
        assert info.finished.year > 1970
        assert len(list(client.pfs.list_commit(repo=master.repo))) == 2
        assert paths(client.pfs.walk_file(file=at(head(master)))) == ["/", "/a", "/b"]

    def test_so_does_a_missing_branch(self, client: Client, master: pfs.Branch) -> None:
        client.pfs.put_file_from_bytes(commit=head(master), path="/a", data=b"1")
        assert read(client, head(master), "/a") == b"1"

    def test_a_finished_commit_is_not_written_to(self, client: Client, tree: pfs.Commit) -> None:
        with refused(f"commit default/{tree.repo.name}@{tree.id} has already finished"):
            client.pfs.put_file_from_bytes(commit=tree, path="/a", data=b"1")

    def test_an_output_branch_is_not_written_to(self, client: Client, tree: pfs.Commit, master: pfs.Branch) -> None:
        from tests.minipdk.services.pachyderm.pfs.test_branches import finish, new_branch

        derived = new_branch(client, master)
        finish(client, derived)
        with refused("cannot start a commit on an output branch"):
            client.pfs.put_file_from_bytes(commit=head(derived), path="/a", data=b"1")

    def test_the_stream_begins_with_the_commit(self, client: Client) -> None:
        with refused("first message must be a commit"):
            client.pfs.modify_file(iter([pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path="/a"))]))

    @pytest.mark.parametrize(("path", "words"), BAD_PATHS)
    def test_no_change_names_a_file_that_could_not_be_read_back(
        self, client: Client, tree: pfs.Commit, path: str, words: str
    ) -> None:
        commit = client.pfs.start_commit(branch=pfs.Branch(repo=tree.repo, name="master"))
        for change in (
            pfs.ModifyFileRequest(add_file=pfs.AddFile(path=path, raw=b"1")),
            pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=path)),
        ):
            with refused(f"path ({path}) invalid: {words}"):
                client.pfs.modify_file(iter([pfs.ModifyFileRequest(set_commit=commit), change]))
            with refused(f"path ({path}) invalid: {words}"):
                client.pfs.create_file_set(iter([change]))
        assert paths(client.pfs.walk_file(file=at(commit))) == paths(client.pfs.walk_file(file=at(tree)))

    @pytest.mark.parametrize(("path", "name"), [("/../up", "/up"), ("x/./y", "/x/y"), ("/new/", "/new")])
    def test_the_target_of_a_copy_is_cleaned(
        self, client: Client, tree: pfs.Commit, master: pfs.Branch, path: str, name: str
    ) -> None:
        commit = client.pfs.start_commit(branch=master)
        client.pfs.modify_file(
            iter(
                [
                    pfs.ModifyFileRequest(set_commit=commit),
                    pfs.ModifyFileRequest(copy_file=pfs.CopyFile(dst=path, src=at(tree, "/a"))),
                ]
            )
        )
        assert client.pfs.path_exists(at(commit, name))

    def test_a_file_needs_a_name(self, client: Client, commit: pfs.Commit) -> None:
        with refused("path (/) invalid: a file needs a name"):
            client.pfs.put_file_from_bytes(commit=commit, path="/", data=b"1", append=True)

    @pytest.mark.parametrize("path", ["a//b", "/a/b", "a/b/", "//a/b"])
    def test_one_file_has_one_name(self, client: Client, commit: pfs.Commit, path: str) -> None:
        client.pfs.put_file_from_bytes(commit=commit, path=path, data=b"1")
        assert paths(client.pfs.walk_file(file=at(commit))) == ["/", "/a/", "/a/b"]

    def test_a_stream_that_fails_leaves_nothing(self, client: Client, commit: pfs.Commit) -> None:
        def messages() -> Any:
            yield pfs.ModifyFileRequest(set_commit=commit)
            yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/good", raw=b"1"))
            yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/bad*", raw=b"1"))

        with refused("globbing character"):
            client.pfs.modify_file(messages())
        assert list(client.pfs.walk_file(file=at(commit))) == []

    def test_a_scheme_that_is_not_http_is_refused(self, client: Client, commit: pfs.Commit) -> None:
        with refused("putting a file from a s3 URL (s3://b/k) is not supported", grpc.StatusCode.UNIMPLEMENTED):
            client.pfs.put_file_from_url(commit=commit, path="/a", url="s3://b/k")


class TestDeleting:
    def test_a_file(self, client: Client, master: pfs.Branch, tree: pfs.Commit) -> None:
        with client.pfs.commit(branch=master) as commit:
            commit.delete_file(path="/dir/b")
            commit.delete_file(path="/missing")
        assert paths(client.pfs.walk_file(file=at(head(master), "/dir"))) == ["/dir/", "/dir/c", "/dir/sub/", "/dir/sub/d"]

    def test_a_directory_needs_its_slash(self, client: Client, master: pfs.Branch, tree: pfs.Commit) -> None:
        with client.pfs.commit(branch=master) as commit:
            commit.delete_file(path="/dir")
        assert client.pfs.path_exists(at(head(master), "/dir/b"))
        with client.pfs.commit(branch=master) as commit:
            commit.delete_file(path="/dir/")
        assert paths(client.pfs.walk_file(file=at(head(master)))) == ["/", "/a", "/z"]

    @pytest.mark.parametrize("path", ["/", "//"])
    def test_the_root_is_everything(self, client: Client, master: pfs.Branch, tree: pfs.Commit, path: str) -> None:
        with client.pfs.commit(branch=master) as commit:
            commit.delete_file(path=path)
        assert paths(client.pfs.walk_file(file=at(head(master)))) == []

    def test_deleting_then_putting_in_one_stream(self, client: Client, commit: pfs.Commit) -> None:
        changes = [
            pfs.ModifyFileRequest(set_commit=commit),
            pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/d/a", raw=b"1")),
            pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/d/b", raw=b"1")),
            pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path="/d/")),
            pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/d/b", raw=b"2")),
        ]
        client.pfs.modify_file(iter(changes))
        assert paths(client.pfs.walk_file(file=at(commit))) == ["/", "/d/", "/d/b"]
        assert read(client, commit, "/d/b") == b"2"

    def test_the_last_file_takes_its_directories_along(self, client: Client, master: pfs.Branch) -> None:
        put(client, master, a__b__c=b"1")
        with client.pfs.commit(branch=master) as commit:
            commit.delete_file(path="/a/b/c")
        assert list(client.pfs.walk_file(file=at(head(master)))) == []


class TestCopying:
    def test_a_file_and_a_directory(self, client: Client, tree: pfs.Commit, master: pfs.Branch) -> None:
        with client.pfs.commit(branch=master) as commit:
            commit.copy_file(src=at(tree, "/a"), dst="/copy")
            commit.copy_file(src=at(tree, "/dir"), dst="/more/dirs")
        newest = head(master)
        assert read(client, newest, "/copy") == b"1"
        assert read(client, newest, "/more/dirs/sub/d") == b"4444"

    def test_replacing_and_appending(self, client: Client, tree: pfs.Commit, master: pfs.Branch) -> None:
        with client.pfs.commit(branch=master) as commit:
            commit.copy_file(src=at(tree, "/dir/b"), dst="/a")
            commit.copy_file(src=at(tree, "/dir/c"), dst="/z", append=True)
        assert read(client, head(master), "/a") == b"22"
        assert read(client, head(master), "/z") == b"5333"


class TestGetting:
    def test_from_an_offset(self, client: Client, commit: pfs.Commit) -> None:
        client.pfs.put_file_from_bytes(commit=commit, path="/a", data=BIG)
        client.pfs.put_file_from_bytes(commit=commit, path="/a", data=b"end", append=True)
        assert read(client, commit, "/a", offset=len(BIG) - 2) == BIG[-2:] + b"end"
        assert read(client, commit, "/a", offset=len(BIG) + 3) == b""

    def test_a_glob_that_matches_one_file(self, client: Client, tree: pfs.Commit) -> None:
        assert read(client, tree, "/dir/s*/d") == b"4444"

    def test_directories_and_several_files_want_a_tar(self, client: Client, tree: pfs.Commit) -> None:
        with refused("cannot get directory or non-regular file. Use GetFileTAR instead"):
            read(client, tree, "/dir")
        with refused("matched multiple files. Use GetFileTAR instead"):
            read(client, tree, "/[az]")

    def test_a_missing_file(self, client: Client, tree: pfs.Commit) -> None:
        words = f"file /nope not found in repo default/{tree.repo.name} at commit {tree.id}"
        with refused(words, grpc.StatusCode.NOT_FOUND):
            read(client, tree, "/nope")

    def test_the_sdks_file_object(self, client: Client, tree: pfs.Commit) -> None:
        with client.pfs.pfs_file(file=at(tree, "/dir/c")) as file:
            assert file.read() == b"333"

    def test_a_tar_has_the_whole_directory_once(self, client: Client, tree: pfs.Commit) -> None:
        with client.pfs.pfs_tar_file(file=at(tree, "/**")) as tar:
            contents = {}
            for member in tar:
                file = tar.extractfile(member)
                contents[member.name.strip("/")] = file.read() if file else None
        assert set(contents) == {"a", "dir", "dir/b", "dir/c", "dir/sub", "dir/sub/d", "z"}
        assert contents["dir/sub/d"] == b"4444"

    def test_an_open_commit_shows_the_files_written_so_far(self, client: Client, commit: pfs.Commit) -> None:
        client.pfs.put_file_from_bytes(commit=commit, path="/a", data=b"1")
        assert paths(client.pfs.list_file(file=at(commit))) == ["/a"]


class TestListing:
    def test_directories_end_in_a_slash_and_order_is_bytewise(self, client: Client, master: pfs.Branch) -> None:
        commit = put_paths(client, master, {"/b/x": b"1", "/b-c": b"1", "/B": b"1", "/b.d": b"1", "/a": b"1"})
        assert paths(client.pfs.list_file(file=at(commit))) == ["/B", "/a", "/b-c", "/b.d", "/b/"]
        assert paths(client.pfs.walk_file(file=at(commit))) == ["/", "/B", "/a", "/b-c", "/b.d", "/b/", "/b/x"]

    def test_a_directorys_size_is_the_sum(self, client: Client, tree: pfs.Commit) -> None:
        info = client.pfs.inspect_file(file=at(tree, "/dir"))
        assert (info.file.path, info.file_type, info.size_bytes) == ("/dir/", pfs.FileType.DIR, 9)

    def test_a_directorys_hash_says_whether_anything_in_it_differs(self, client: Client, master: pfs.Branch) -> None:
        def hashed() -> bytes:
            return bytes(client.pfs.inspect_file(file=at(head(master), "/d")).hash)

        put(client, master, d__s__a=b"1", d__b=b"2")
        before = hashed()
        put(client, master, d__s__a=b"3")
        changed = hashed()
        put(client, master, d__s__a=b"1")
        assert hashed() == before != changed

    def test_a_missing_directory_is_empty_in_list_and_missing_elsewhere(self, client: Client, tree: pfs.Commit) -> None:
        assert list(client.pfs.list_file(file=at(tree, "/nope"))) == []
        for call in (client.pfs.inspect_file, lambda file: list(client.pfs.walk_file(file=file))):
            with refused("not found", grpc.StatusCode.NOT_FOUND):
                call(file=at(tree, "/nope"))

    def test_a_file_is_found_with_a_slash_after_its_name(self, client: Client, tree: pfs.Commit) -> None:
        assert client.pfs.inspect_file(file=at(tree, "/dir/b/")).file.path == "/dir/b"

    def test_listing_a_file_lists_it(self, client: Client, tree: pfs.Commit) -> None:
        assert paths(client.pfs.list_file(file=at(tree, "/dir/b"))) == ["/dir/b"]

    def test_walking_nothing(self, client: Client, master: pfs.Branch) -> None:
        client.pfs.create_branch(branch=master)
        assert list(client.pfs.walk_file(file=at(head(master)))) == []

    @pytest.mark.parametrize("call", ["list_file", "walk_file"])
    def test_page_by_page(self, client: Client, tree: pfs.Commit, call: str) -> None:
        ask = getattr(client.pfs, call)
        everything = paths(ask(file=at(tree)))
        listed: list[str] = []
        while page := paths(ask(file=at(tree), number=2, **({"pagination_marker": at(tree, listed[-1])} if listed else {}))):
            listed += page
        assert listed == everything

    @pytest.mark.parametrize("call", ["list_file", "walk_file"])
    def test_backwards(self, client: Client, tree: pfs.Commit, call: str) -> None:
        ask = getattr(client.pfs, call)
        everything = paths(ask(file=at(tree)))
        assert paths(ask(file=at(tree), reverse=True, number=100)) == everything[::-1]
        before = paths(ask(file=at(tree), reverse=True, number=2, pagination_marker=at(tree, everything[2])))
        assert before == everything[1::-1]
        with refused("number must be > 0 when reverse is true"):
            list(ask(file=at(tree), reverse=True))

    @pytest.mark.parametrize("call", ["list_file", "walk_file"])
    def test_a_negative_number_lists_all(self, client: Client, tree: pfs.Commit, call: str) -> None:
        ask = getattr(client.pfs, call)
        assert paths(ask(file=at(tree), number=-1)) == paths(ask(file=at(tree)))
        with refused("number must be > 0 when reverse is true"):
            list(ask(file=at(tree), number=-1, reverse=True))

    def test_a_directory_longer_than_a_page_of_rows(self, client: Client, commit: pfs.Commit) -> None:
        names = [f"/d/{number:05}" for number in range(5000)]
        messages = [pfs.ModifyFileRequest(set_commit=commit)]
        messages += [pfs.ModifyFileRequest(add_file=pfs.AddFile(path=name, raw=name.encode())) for name in names]
        client.pfs.modify_file(iter(messages))
        assert paths(client.pfs.list_file(file=at(commit, "/d"))) == names
        assert (
            paths(client.pfs.list_file(file=at(commit, "/d"), number=3, pagination_marker=at(commit, names[2500])))
            == names[2501:2504]
        )


class TestGlobbing:
    @pytest.mark.parametrize(
        ("pattern", "matches"),
        [
            ("/", ["/"]),
            ("/*", ["/a", "/dir/", "/z"]),
            ("*", ["/a", "/dir/", "/z"]),
            ("/dir/*", ["/dir/b", "/dir/c", "/dir/sub/"]),
            ("/*/*", ["/dir/b", "/dir/c", "/dir/sub/"]),
            ("/**", ["/a", "/dir/", "/dir/b", "/dir/c", "/dir/sub/", "/dir/sub/d", "/z"]),
            ("/**/d", ["/dir/sub/d"]),
            ("/dir/[bc]", ["/dir/b", "/dir/c"]),
            ("/dir/[!b]", ["/dir/c"]),
            ("/dir/?", ["/dir/b", "/dir/c"]),
            ("/{a,dir/b}", ["/a", "/dir/b"]),
            ("/@(a|z)", ["/a", "/z"]),
            ("/!(a)", ["/dir/", "/z"]),
            ("/dir/sub/d", ["/dir/sub/d"]),
            ("/nope*", []),
        ],
    )
    def test_patterns(self, client: Client, tree: pfs.Commit, pattern: str, matches: list[str]) -> None:
        assert paths(client.pfs.glob_file(commit=tree, pattern=pattern)) == matches

    @pytest.mark.parametrize(
        ("pattern", "fault"),
        [
            *((text, "unexpected end of input") for text in ("/[", "/a[", "/[!]", "/{a", "/(a", "/a\\")),
            ("/a)", "unexpected ')'"),
        ],
    )
    def test_a_pattern_that_is_not_well_formed(self, client: Client, tree: pfs.Commit, pattern: str, fault: str) -> None:
        with refused(f"is not well formed: {fault}"):
            list(client.pfs.glob_file(commit=tree, pattern=pattern))


class TestDiffing:
    def test_against_the_parent(self, client: Client, master: pfs.Branch, tree: pfs.Commit) -> None:
        with client.pfs.commit(branch=master) as commit:
            commit.put_file_from_bytes(path="/a", data=b"changed")
            commit.put_file_from_bytes(path="/dir/new", data=b"1")
            commit.delete_file(path="/z")
        changes = {}
        for pair in client.pfs.diff_file(new_file=at(head(master))):
            new = pair.new_file.file.path if pair.new_file and pair.new_file.file else ""
            old = pair.old_file.file.path if pair.old_file and pair.old_file.file else ""
            changes[new or old] = (bool(new), bool(old))
        assert changes == {
            "/": (True, True),
            "/a": (True, True),
            "/dir/": (True, True),
            "/dir/new": (True, False),
            "/z": (False, True),
        }

    def test_equal_commits_do_not_differ(self, client: Client, tree: pfs.Commit) -> None:
        assert list(client.pfs.diff_file(new_file=at(tree), old_file=at(tree))) == []

    def test_the_first_commit_differs_in_everything(self, client: Client, tree: pfs.Commit) -> None:
        assert len(list(client.pfs.diff_file(new_file=at(tree)))) == 8
