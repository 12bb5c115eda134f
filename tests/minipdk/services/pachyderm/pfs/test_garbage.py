"""Space comes back when nothing names it any more, and nothing else ever goes."""

from __future__ import annotations

import random
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.conftest import ServiceProcess, new_home, wait_for
from tests.minipdk.services.pachyderm.conftest import connect, head, new_repo, put_paths, read, wait_until_it_answers
from tests.minipdk.services.pachyderm.s3.test_gateway import connect as connect_s3

from minipdk.common.home import Home
from minipdk.services.pachyderm.pfs import Commit, Pfs, Repo
from minipdk.services.pachyderm.pfs.model import Change, Copy, Delete, Parts, Put

MIB = 1 << 20
CHANCE = random.Random(11)


def stored(home: Home) -> tuple[int, int]:
    """How many bytes of blobs, and how many small contents, are stored."""
    with closing(sqlite3.connect(home.database("pachyderm"))) as database:
        small = database.execute("SELECT count(*) FROM small_contents").fetchone()[0]
    return sum(blob.stat().st_size for blob in home.folder("blobs").rglob("*") if blob.is_file()), small


def is_within(now: tuple[int, int], before: tuple[int, int]) -> bool:
    """Older garbage may go at any time, so less may be stored than before."""
    return all(new <= old for new, old in zip(now, before, strict=True))


def test_a_large_file_with_a_small_change_takes_little_more_space(home: Home, client: Client) -> None:
    repo, data = new_repo(client), CHANCE.randbytes(24 * MIB)
    branch = pfs.Branch(repo=repo, name="master")
    put_paths(client, branch, {"/a": data})
    before, _ = stored(home)
    changed = data[:MIB] + b"put in" + data[MIB:]
    put_paths(client, branch, {"/b": changed})
    assert stored(home)[0] - before < 12 * MIB
    client.pfs.put_file_from_bytes(commit=head(branch), path="/b", data=b"appended", append=True)
    assert stored(home)[0] - before < 12 * MIB
    assert read(client, head(branch), "/b") == changed + b"appended"
    assert read(client, head(branch), "/b", offset=20 * MIB) == changed[20 * MIB :] + b"appended"


def test_memory_does_not_grow_with_the_size_of_a_file(home: Home, client: Client, pachd: ServiceProcess) -> None:
    s3, repo = connect_s3(home), new_repo(client)
    client.pfs.create_branch(branch=pfs.Branch(repo=repo, name="master"))
    body = CHANCE.randbytes(128 * MIB)
    s3.put_object(Bucket=f"master.{repo.name}", Key="a", Body=body)
    put_paths(client, pfs.Branch(repo=repo, name="master"), {"/b": body[: 96 * MIB], "/c": body[:1] + body[96 * MIB :]})
    for name, size in (("/a", 128), ("/b", 96)):
        pieces = client.pfs.get_file(file=pfs.File(commit=head(pfs.Branch(repo=repo, name="master")), path=name))
        assert sum(len(piece.value) for piece in pieces) == size * MIB
    assert pachd.process is not None
    status = Path(f"/proc/{pachd.process.pid}/status").read_text()
    assert int(status.partition("VmHWM:")[2].split()[0]) < 240 << 10


def test_deleted_and_dropped_data_gives_its_space_back_and_shared_data_stays(home: Home, client: Client) -> None:
    kept = pfs.Branch(repo=new_repo(client), name="master")
    gone = pfs.Branch(repo=new_repo(client), name="master")
    shared, dropped = CHANCE.randbytes(3 * MIB), CHANCE.randbytes(8 * MIB)
    files = {"/shared": shared, "/small": b"kept", "/empty": b""}
    put_paths(client, kept, files)
    before = stored(home)
    put_paths(client, gone, {**files, "/large": CHANCE.randbytes(8 * MIB), "/other": b"gone"})
    commit = put_paths(client, kept, {"/dropped": dropped})
    client.pfs.delete_repo(repo=gone.repo)
    client.pfs.drop_commit(commit=commit)
    wait_for(lambda: is_within(stored(home), before), seconds=60, what="the space of the deleted contents")
    assert {path: read(client, head(kept), path) for path in files} == files


def test_parts_of_uploads_and_filesets_stay_until_they_are_given_up(home: Home, client: Client) -> None:
    s3 = connect_s3(home)
    repo, passing = new_repo(client), new_repo(client)
    client.pfs.create_branch(branch=pfs.Branch(repo=repo, name="master"))
    place = {"Bucket": f"master.{repo.name}", "Key": "object"}
    part = CHANCE.randbytes(6 * MIB)
    upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    tags = [s3.upload_part(**upload, PartNumber=number, Body=part)["ETag"] for number in (1, 2)]
    put_paths(client, pfs.Branch(repo=passing, name="master"), {"/x": CHANCE.randbytes(5 * MIB)})
    full, _ = stored(home)
    client.pfs.delete_repo(repo=passing)
    wait_for(lambda: stored(home)[0] <= full - 5 * MIB, seconds=60, what="a collection")
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    ranged = s3.get_object(**place, Range=f"bytes={5 * MIB}-{7 * MIB - 1}")["Body"].read()
    assert ranged == (part + part)[5 * MIB : 7 * MIB]
    full, _ = stored(home)
    upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    s3.upload_part(**upload, PartNumber=1, Body=CHANCE.randbytes(6 * MIB))
    s3.abort_multipart_upload(**upload)
    wait_for(lambda: stored(home)[0] <= full, seconds=60, what="the space of the upload that was given up")


def test_acknowledged_writes_survive_collections_and_kills(home: Home, pachd: ServiceProcess) -> None:
    """Writers put the same few contents again and again while others delete them, and pachd dies in the middle."""
    contents = [CHANCE.randbytes(size) for size in (100, 100, 40_000, 40_000, 700_000)]
    repos = [new_repo(connect(home)) for _ in range(2)]

    def work(repo: pfs.Repo, known: dict[str, bytes], enough: threading.Event) -> None:
        client, chance = connect(home), random.Random(repo.name)
        branch = pfs.Branch(repo=repo, name="master")
        try:
            for number in range(10_000):
                path, data = f"/{chance.randrange(4)}", chance.choice(contents)
                known.pop(path, None)  # until it is acknowledged, either may be there
                client.pfs.put_file_from_bytes(commit=head(branch), path=path, data=data)
                known[path] = data
                passing = new_repo(client, "passing")
                put_paths(client, pfs.Branch(repo=passing, name="master"), {"/x": chance.choice(contents)})
                client.pfs.delete_repo(repo=passing)
                if number == 5:
                    enough.set()
        except (grpc.RpcError, ConnectionError):
            return

    for _ in range(3):
        known: list[dict[str, bytes]] = [{} for _ in repos]
        events = [threading.Event() for _ in repos]
        threads = [threading.Thread(target=work, args=arguments) for arguments in zip(repos, known, events, strict=True)]
        for thread in threads:
            thread.start()
        assert all(event.wait(60) for event in events)
        pachd.kill()
        for thread in threads:
            thread.join()
        pachd.start()
        client = connect(home)
        wait_until_it_answers(client)
        for repo, files in zip(repos, known, strict=True):
            there = head(pfs.Branch(repo=repo, name="master"))
            assert {path: read(client, there, path) for path in files} == files


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Pfs:
    return Pfs(new_home(tmp_path_factory.mktemp("model") / "home"))


class Model:
    """A repo's line of commits and writers with contents that no commit refers to yet, and the expected contents of both."""

    def __init__(self, store: Pfs) -> None:
        for info in store.list_repos():
            store.delete_repo(info.repo)
        self.store, self.repo = store, Repo("default", "r")
        store.create_repo(self.repo)
        self.history: list[dict[str, bytes]] = [{}]
        self.commit([])
        self.writers: list[tuple[Any, Parts, bytes]] = []

    def commit(self, changes: list[Change]) -> None:
        self.store.files.modify_branch(self.repo.branch("master"), changes)

    def do(self, what: str, path: str, other: str, data: bytes) -> None:
        newest = dict(self.history[-1])
        if what == "store":
            writer = self.store.files.writer()
            self.writers.append((writer, writer.put([data]), data))
            writer.flush()
        elif what == "name" and self.writers:
            _writer, parts, data = self.writers.pop(0)
            self.commit([Delete(path), Put(path, parts)])
            self.history.append(newest | {path: data})
        elif what == "give up" and self.writers:
            self.writers.pop()
        elif what == "delete":
            self.commit([Delete(path)])
            newest.pop(path, None)
            self.history.append(newest)
        elif what == "copy" and other in newest:
            self.commit([Copy(path, Commit(self.repo, "master"), other)])
            self.history.append(newest | {path: newest[other]})
        elif what == "squash" and len(self.history) > 1:
            oldest = list(self.store.commits.all(self.repo))[-1].commit
            self.store.commit_sets.squash_commit(oldest, recursive=True)
            self.history.pop(0)
        elif what == "drop" and len(self.history) > 1:
            self.store.commit_sets.drop_commit(Commit(self.repo, "master"), recursive=True)
            self.history.pop()

    def check(self) -> None:
        live = {data for files in self.history for data in files.values()} | {data for *_, data in self.writers}
        small = self.store.db.connection().execute("SELECT data FROM small_contents").fetchall()
        blobs = self.store.state.content.blobs
        large = [blobs.path(name).read_bytes() for name in blobs.digests()]
        assert sorted([*large, *(bytes(row["data"]) for row in small)]) == sorted(live - {b""})
        there = Commit(self.repo, "master")
        for path, data in self.history[-1].items():
            assert b"".join(self.store.files.read(there, path)) == data


KINDS = st.sampled_from(["store", "store", "name", "name", "give up", "delete", "copy", "squash", "drop"])
PATHS = st.sampled_from(["/a", "/b", "/d/c"])
DATA = st.sampled_from([b"", b"1", b"22", b"x" * 40_000, b"y" * 40_000])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(st.tuples(KINDS, PATHS, PATHS, DATA), max_size=15))
def test_a_collection_at_any_time_takes_all_that_is_dead_and_nothing_else(store: Pfs, history: list[Any]) -> None:
    model = Model(store)
    for step in history:
        model.do(*step)
        store.garbage.collect()
        model.check()
