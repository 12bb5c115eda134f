"""File sets: files apart from commits, made, combined, read and renewed by the SDK's two stubs for them."""

from __future__ import annotations

import random
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, storage
from pachyderm_sdk.api.cdr import resolver
from tests.conftest import ServiceProcess, wait_for
from tests.minipdk.services.pachyderm.conftest import at, head, new_repo, paths, put, put_paths, read, wait_until_it_answers

from minipdk.common.home import Home


def fileset(client: Client, *changes: Any) -> str:
    """A file set by the pfs stub: a pair (path, bytes) appends, a path deletes."""
    stream = [
        pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=change))
        if isinstance(change, str)
        else pfs.ModifyFileRequest(add_file=pfs.AddFile(path=change[0], raw=change[1]))
        for change in changes
    ]
    return str(client.pfs.create_file_set(iter(stream)).file_set_id)


def files(client: Client, fileset_id: str, **options: Any) -> list[tuple[str, bytes]]:
    """The files that the storage stub reads."""
    return [(file.path, file.data) for file in client.storage.read_fileset(fileset_id=fileset_id, **options)]


def opened(client: Client) -> pfs.Commit:
    """An open commit on top of three files."""
    branch = pfs.Branch(repo=new_repo(client), name="master")
    put(client, branch, a=b"1", b=b"2", d__c=b"3")
    return client.pfs.start_commit(branch=branch)


def tree(client: Client, commit: pfs.Commit) -> dict[str, bytes]:
    infos = client.pfs.walk_file(file=at(commit))
    return {info.file.path: read(client, commit, info.file.path) for info in infos if not info.file.path.endswith("/")}


def test_a_file_set_that_is_added_to_a_commit_removes_first_and_appends_then(client: Client) -> None:
    commit = opened(client)
    added = fileset(client, ("/a", b"more"), "/b", "/gone", "/d/c", ("/d/c", b"new"), ("/e/f", b"4"))
    client.pfs.add_file_set(commit=commit, file_set_id=added)
    assert tree(client, commit) == {"/a": b"1more", "/d/c": b"new", "/e/f": b"4"}
    assert files(client, added) == [("/a", b"more"), ("/d/c", b"new"), ("/e/f", b"4")]
    client.pfs.finish_commit(commit=commit)
    with pytest.raises(grpc.RpcError, match="has already finished"):
        client.pfs.add_file_set(commit=commit, file_set_id=added)


def test_composed_file_sets_have_the_effect_of_each_in_order(client: Client) -> None:
    sets = [
        fileset(client, ("/a", b"x"), ("/n", b"1")),
        fileset(client, "/n", ("/a", b"y")),
        fileset(client, ("/n", b"2"), "/b"),
    ]
    one_by_one, at_once = opened(client), opened(client)
    for each in sets:
        client.pfs.add_file_set(commit=one_by_one, file_set_id=each)
    composed = client.pfs.compose_file_set(file_set_ids=sets, ttl_seconds=60).file_set_id
    client.pfs.add_file_set(commit=at_once, file_set_id=composed)
    assert tree(client, at_once) == tree(client, one_by_one) == {"/a": b"1xy", "/d/c": b"3", "/n": b"2"}
    assert files(client, client.storage.compose_fileset(fileset_ids=sets[:2], ttl_seconds=60).fileset_id) == [("/a", b"xy")]


def test_a_file_set_is_read_as_a_commit_of_the_filesets_repo(client: Client) -> None:
    repo = pfs.Repo(name="__filesets__", type="user", project=pfs.Project(name="default"))
    commit = pfs.Commit(repo=repo, id=fileset(client, ("/a", b"1"), ("/d/b", b"22")))
    assert paths(client.pfs.walk_file(file=at(commit))) == ["/", "/a", "/d/", "/d/b"]
    assert paths(client.pfs.list_file(file=at(commit))) == ["/a", "/d/"]
    assert paths(client.pfs.glob_file(commit=commit, pattern="/**b")) == ["/d/b"]
    assert read(client, commit, "/d/b") == b"22"
    assert client.pfs.inspect_file(file=at(commit)).size_bytes == 3
    target = opened(client)
    client.pfs.copy_file(commit=target, src=at(commit, "/d"), dst="/copied")
    assert tree(client, target)["/copied/b"] == b"22"
    with pytest.raises(grpc.RpcError, match="__filesets__ is a reserved name"):
        client.pfs.create_repo(repo=repo)


def test_a_commit_as_a_file_set_has_all_files_or_only_changes(client: Client) -> None:
    branch = pfs.Branch(repo=new_repo(client), name="master")
    put(client, branch, a=b"1", b=b"2", c=b"3")
    with client.pfs.commit(branch=branch) as commit:
        commit.delete_file(path="/a")
        commit.put_file_from_bytes(path="/b", data=b"22")
    kinds = pfs.GetFileSetRequestFileSetType
    total = client.pfs.get_file_set(commit=commit, type=kinds.TOTAL).file_set_id
    changes = client.pfs.get_file_set(commit=commit, type=kinds.DIFF).file_set_id
    assert files(client, total) == [("/b", b"22"), ("/c", b"3")]
    assert files(client, changes) == [("/b", b"22")]
    target = opened(client)
    client.pfs.add_file_set(commit=target, file_set_id=changes)
    assert tree(client, target) == {"/b": b"22", "/d/c": b"3"}


def test_the_storage_stub_appends_deletes_copies_filters_and_leaves_data_out(client: Client) -> None:
    Request = storage.CreateFilesetRequest
    first = client.storage.create_fileset(
        iter([Request(append_file=storage.AppendFile(path=path, data=b"1")) for path in ("/d/a", "/d/a", "/e", "/x")])
    ).fileset_id
    stream = [
        Request(copy_file=storage.CopyFile(fileset_id=first, src="/d", dst="/f")),
        Request(copy_file=storage.CopyFile(fileset_id=first, src="/e")),
        Request(append_file=storage.AppendFile(path="/e", data=b"2")),
        Request(append_file=storage.AppendFile(path="/empty", data=b"")),
        Request(append_file=storage.AppendFile(path="/large", data=b"x" * (5 << 20))),
        Request(delete_file=storage.DeleteFile(path="/e")),
    ]
    second = client.storage.create_fileset(iter(stream)).fileset_id
    contents: dict[str, bytes] = {}
    for path, data in files(client, second):
        contents[path] = contents.get(path, b"") + data
    assert contents == {"/empty": b"", "/f/a": b"11", "/large": b"x" * (5 << 20)}
    assert files(client, second, empty_files=True) == [("/empty", b""), ("/f/a", b""), ("/large", b"")]
    until = storage.FileFilter(path_range=storage.PathRange(upper="/large"))
    since = storage.FileFilter(path_range=storage.PathRange(lower="/f"))
    pattern = storage.FileFilter(path_regex="a$")
    assert files(client, second, filters=[since, until]) == [("/f/a", b"11")]
    assert files(client, first, filters=[pattern]) == [("/d/a", b"11")]
    with pytest.raises(grpc.RpcError, match="error parsing regexp"):
        files(client, first, filters=[storage.FileFilter(path_regex="(")])


def test_a_client_puts_files_together_from_references_to_their_chunks(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "requests", requests)  # the SDK wants a library for ciphers too, which are not used
    monkeypatch.setattr(resolver, "CDR_ENABLED", True)
    contents = {"/d/small": b"1", "/empty": b"", "/large": random.Random(1).randbytes(9 << 20)}
    appended = (storage.AppendFile(path=path, data=data) for path, data in contents.items())
    fileset_id = client.storage.create_fileset(
        storage.CreateFilesetRequest(append_file=file) for file in appended
    ).fileset_id
    chunks, made = tmp_path / "chunks", tmp_path / "made"
    client.storage.assemble_fileset(fileset_id, path="/", destination=made, cache_location=chunks)
    assert {f"/{path.relative_to(made)}": path.read_bytes() for path in made.rglob("*") if path.is_file()} == contents
    assert sum(chunk.stat().st_size for chunk in chunks.iterdir()) == sum(map(len, contents.values()))
    (small,) = client.storage.read_fileset_cdr(fileset_id=fileset_id, filters=[storage.FileFilter(path_regex="small")])
    url = small.ref.concat.refs[0].content_hash.inner.http.url
    assert requests.get(url).content == b"1"
    start, expires, signature = url.rsplit("/", 2)
    longer = requests.get(f"{start}/{int(expires) + 9}/{signature}")
    assert (longer.status_code, "SignatureDoesNotMatch" in longer.text) == (403, True)


@pytest.mark.parametrize(
    "shards",
    [
        lambda client, fileset_id, **limits: client.pfs.shard_file_set(file_set_id=fileset_id, **limits).shards,
        lambda client, fileset_id, **limits: client.storage.shard_fileset(fileset_id=fileset_id, **limits).shards,
    ],
    ids=["pfs", "storage"],
)
def test_shards_are_ranges_that_together_cover_every_file_once(client: Client, shards: Callable[..., Any]) -> None:
    numbered = fileset(client, *((f"/{number}", b"x" * number) for number in range(7)))

    def ends(**limits: int) -> list[tuple[str, str]]:
        return [(shard.lower, shard.upper) for shard in shards(client, numbered, **limits)]

    assert ends() == [("", "")]
    assert ends(num_files=3) == [("", "/3"), ("/3", "/6"), ("/6", "")]
    assert ends(size_bytes=6) == [("", "/4"), ("/4", "/6"), ("/6", "")]


def test_a_file_set_expires_unless_it_is_renewed_and_its_space_comes_back(home: Home, client: Client) -> None:
    data = b"short" * 100_000
    kept, gone = fileset(client, ("/a", b"kept")), fileset(client, ("/a", data))
    client.pfs.renew_file_set(file_set_id=gone, ttl_seconds=1)
    client.storage.renew_fileset(fileset_id=kept, ttl_seconds=1800)

    def rows() -> list[str]:
        with closing(sqlite3.connect(home.database("pachyderm"))) as database:
            return [row[0] for row in database.execute("SELECT id FROM filesets")]

    wait_for(lambda: gone not in rows(), seconds=60, what="the file set to expire")
    with pytest.raises(grpc.RpcError, match=f"file set {gone} not found: it never was, or it has expired"):
        files(client, gone)
    assert files(client, kept) == [("/a", b"kept")]
    renewals: list[Callable[[int], object]] = [
        lambda seconds: client.pfs.renew_file_set(file_set_id=kept, ttl_seconds=seconds),
        lambda seconds: client.storage.renew_fileset(fileset_id=kept, ttl_seconds=seconds),
    ]
    for renew in renewals:
        with pytest.raises(grpc.RpcError, match=r"ttl \(0\) must be at least one second"):
            renew(0)
        with pytest.raises(grpc.RpcError, match=r"ttl \(1801s\) exceeds max ttl \(1800s\)"):
            renew(1801)


def test_a_file_set_survives_kill_9(home: Home, client: Client, pachd: ServiceProcess) -> None:
    kept = fileset(client, ("/small", b"1"), ("/large", b"x" * 100_000))
    pachd.kill()
    pachd.start()
    wait_until_it_answers(client)
    assert files(client, kept) == [("/large", b"x" * 100_000), ("/small", b"1")]


def test_a_range_of_paths_limits_glob_and_get(client: Client) -> None:
    branch = pfs.Branch(repo=new_repo(client), name="master")
    put_paths(client, branch, {f"/{name}": name.encode() for name in ("a/1", "a/2", "b/1", "c")})
    within = pfs.PathRange(lower="/a/2", upper="/c")
    matches = client.pfs.glob_file(commit=head(branch), pattern="/**", path_range=within)
    assert paths(matches) == ["/a/", "/a/2", "/b/", "/b/1"]
    stream = b"".join(piece.value for piece in client.pfs.get_file_tar(file=at(head(branch), "/"), path_range=within))
    with tarfile.open(fileobj=BytesIO(stream)) as archive:
        assert [member.name.strip("/") for member in archive] == ["", "a", "a/2", "b", "b/1"]
    assert read(client, head(branch), "/a/*", path_range=within) == b"a/2"
    with pytest.raises(grpc.RpcError, match="not found"):
        read(client, head(branch), "/c", path_range=within)
