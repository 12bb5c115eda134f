"""Findings and repairs of fsck, CheckStorage, and the cache."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import betterproto.lib.google.protobuf as wrappers
import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.conftest import wait_for
from tests.minipdk.services.pachyderm.conftest import head, new_repo, put, read
from tests.minipdk.services.pachyderm.pfs.test_filesets import files, fileset
from tests.minipdk.services.pachyderm.pipelines import Workbench

from minipdk.common.home import Home

CHANCE = random.Random(5)


def findings(client: Client, **options: Any) -> list[tuple[str, str]]:
    return [(finding.fix, finding.error) for finding in client.pfs.fsck(**options)]


@contextmanager
def database(home: Home) -> Iterator[sqlite3.Connection]:
    """Behind the server's back."""
    with closing(sqlite3.connect(home.database("pachyderm"), timeout=60)) as connection, connection:
        yield connection


def blob(home: Home, data: bytes) -> Path:
    digest = hashlib.sha256(data).hexdigest()
    return home.folder("blobs") / digest[:2] / digest


@pytest.fixture
def branch(client: Client) -> pfs.Branch:
    return pfs.Branch(repo=new_repo(client), name="master")


def test_intact_data_has_no_findings(client: Client, bench: Workbench, branch: pfs.Branch) -> None:
    put(client, branch, a=b"1", d__b=CHANCE.randbytes(100_000))
    fileset(client, ("/x", b"1"))
    output = pfs.Branch(repo=new_repo(client), name="master")
    client.pfs.create_branch(branch=output, provenance=[branch])
    client.pfs.finish_commit(commit=head(output))
    put(client, branch, a=b"2")
    client.pfs.finish_commit(commit=head(output))
    client.pfs.drop_commit(commit=head(branch), recursive=True)
    assert findings(client) == findings(client, fix=True) == findings(client, zombie_all=True) == []


def test_a_damaged_file_is_named_set_aside_and_repaired_by_putting_it_again(
    home: Home, client: Client, branch: pfs.Branch
) -> None:
    data = CHANCE.randbytes(100_000)
    commit = put(client, branch, a=data, b=b"1")
    elsewhere = pfs.Branch(repo=new_repo(client), name="master")
    copied = put(client, elsewhere, c__d=data)
    put(client, elsewhere, other=b"1")
    place = blob(home, data)
    place.write_bytes(b"spoilt" + data[6:])
    digest = place.name
    files_with_it = f"default/{branch.repo.name}@{commit.id}:/a", f"default/{elsewhere.repo.name}@{copied.id}:/c/d"
    wrong = [f"file {file}: its content {digest} is damaged" for file in files_with_it]
    assert findings(client) == [("", text) for text in wrong]
    with pytest.raises(grpc.RpcError, match=f"the content {digest} is damaged"):
        client.pfs.check_storage(read_chunk_data=True)
    assert findings(client, fix=True) == [(f"{text}: set it aside, put the file again to repair it", "") for text in wrong]
    assert (home.folder("blobs") / "damaged" / digest).read_bytes() == b"spoilt" + data[6:]
    missing = [f"file {file}: its content {digest} is missing" for file in files_with_it]
    assert findings(client, fix=True) == [("", text) for text in missing]
    put(client, pfs.Branch(repo=new_repo(client), name="master"), anywhere=data)
    assert findings(client) == []
    assert read(client, head(branch), "/a") == data


def test_small_contents_sizes_directories_and_layers_are_checked(home: Home, client: Client, branch: pfs.Branch) -> None:
    commit = put(client, branch, sum__a=b"lost")
    name = f"default/{branch.repo.name}@{commit.id}"
    digest = hashlib.sha256(b"lost").digest()
    with database(home) as rows:
        rows.execute("DELETE FROM small_contents WHERE digest = ?", (digest,))
        rows.execute("UPDATE commits SET size = 99 WHERE commit_set = ?", (commit.id,))
        rows.execute("UPDATE entries SET children = 7 WHERE name = 'sum/'")
        layer = rows.execute("INSERT INTO layers DEFAULT VALUES").lastrowid
    directory = ("", f"directory /sum/ in commit {name} does not add up to what is in it")
    size, unused = f"commit {name} has 99 bytes, its files 4", f"layer {layer} belongs to no commit and no file set"
    missing = ("", f"file {name}:/sum/a: its content {digest.hex()} is missing")
    assert findings(client) == [("", size), directory, ("", unused), missing]
    fixes = [(f"{size}: noted their size", ""), directory, (f"{unused}: dropped it", ""), missing]
    assert findings(client, fix=True) == fixes
    put(client, branch, other=b"lost")
    with database(home) as rows:
        rows.execute("UPDATE entries SET children = 1 WHERE name = 'sum/'")
    assert findings(client) == []


def test_files_that_no_datum_wrote_are_found_in_a_pipelines_output(home: Home, client: Client, bench: Workbench) -> None:
    pipeline = bench.pipeline(bench.repo(a="1"), "cp /pfs/repo*/a /pfs/out/written")
    bench.job(pipeline)
    output = pfs.Commit.from_uri(f"{pipeline.name}@master")
    assert findings(client, zombie_all=True) == []
    with database(home) as rows:
        in_commits = "layer IN (SELECT layer FROM commit_layers)"
        rows.execute(f"UPDATE entries SET name = 'stale' WHERE name = 'written' AND {in_commits}")
    stale = "has file /stale, which no datum of its job wrote"
    assert any(stale in error for _, error in findings(client, zombie_all=True))
    assert not any(stale in error for _, error in findings(client))
    # The stub's own method always sends zombie_all, which takes zombie_target's place.
    answers = client.pfs._ApiStub__rpc_fsck(pfs.FsckRequest(zombie_target=output))
    assert any(stale in answer.error for answer in answers)


def test_storage_is_counted_by_ranges_of_digests(client: Client, branch: pfs.Branch) -> None:
    """The whole count also changes when the contents of earlier tests are collected, so each content is counted."""
    small, large = b"counted", CHANCE.randbytes(50_000)
    digests = [hashlib.sha256(content).digest() for content in (small, large)]
    counts = [client.pfs.check_storage(chunk_begin=each, chunk_end=each).chunk_object_count for each in digests]
    put(client, branch, a=small, b=small, c=large)
    assert counts == [0, 0]
    for digest in digests:
        assert client.pfs.check_storage(chunk_begin=digest, chunk_end=digest).chunk_object_count == 1
    assert client.pfs.check_storage(read_chunk_data=False).chunk_object_count >= 2


def test_a_cached_value_keeps_its_file_sets_until_its_tag_is_cleared(client: Client) -> None:
    kept = fileset(client, ("/a", b"kept"))
    value = wrappers.Any(type_url="type.googleapis.com/x", value=b"1")
    client.pfs.put_cache(key="k1", value=value, file_set_ids=[kept], tag="job-1")
    client.pfs.put_cache(key="k2", value=value, tag="job_2")
    client.pfs.put_cache(key="k1", value=wrappers.Any(value=b"another"), tag="other")
    passing = fileset(client, ("/b", b"2"))
    for each in (kept, passing):
        client.pfs.renew_file_set(file_set_id=each, ttl_seconds=1)

    def has_expired(each: str) -> bool:
        try:
            files(client, each)
        except grpc.RpcError as error:
            return "has expired" in error.details()
        return False

    wait_for(lambda: has_expired(passing), seconds=60, what="a file set without a cached value to expire")
    assert files(client, kept) == [("/a", b"kept")]
    assert client.pfs.get_cache(key="k1").value == value
    client.pfs.clear_cache(tag_prefix="job-")
    assert client.pfs.get_cache(key="k2").value == value
    with pytest.raises(grpc.RpcError, match="the cache has nothing under the key k1"):
        client.pfs.get_cache(key="k1")
    wait_for(lambda: has_expired(kept), seconds=60, what="the file set to expire without its value")
