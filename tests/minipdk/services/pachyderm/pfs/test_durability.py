"""kill -9 of pachd: acknowledged writes are there, others are there whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.conftest import ServiceProcess
from tests.minipdk.services.pachyderm.conftest import at, connect, head, is_finished, new_repo, paths, put, read

from minipdk.common.home import Home


@pytest.fixture
def killed(home: Home, pachd: ServiceProcess) -> Callable[[], Client]:
    """Kill pachd, start it again, and reconnect."""

    def again() -> Client:
        pachd.kill()
        pachd.start()
        return connect(home)

    return again


def test_acknowledged_commits_and_files_survive(client: Client, killed: Callable[[], Client]) -> None:
    branch = pfs.Branch(repo=new_repo(client), name="master")
    big = bytes(range(256)) * 10_000
    finished = put(client, branch, small=b"1", big=big)
    opened = client.pfs.start_commit(branch=branch)
    client.pfs.put_file_from_bytes(commit=opened, path="/more", data=b"2")
    client = killed()
    assert read(client, finished, "/big") == big
    assert paths(client.pfs.walk_file(file=at(opened))) == ["/", "/big", "/more", "/small"]
    client.pfs.finish_commit(commit=opened)
    assert is_finished(client.pfs.inspect_commit(commit=opened))


def test_a_put_that_was_cut_off_leaves_nothing(home: Home, pachd: ServiceProcess, killed: Callable[[], Client]) -> None:
    client = connect(home)
    branch = pfs.Branch(repo=new_repo(client), name="master")
    put(client, branch, before=b"1")
    commit = client.pfs.start_commit(branch=branch)
    under_way, ended = threading.Event(), threading.Event()

    def messages() -> Iterator[pfs.ModifyFileRequest]:
        yield pfs.ModifyFileRequest(set_commit=commit)
        for number in range(50):
            yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path=f"/file{number}", raw=b"x" * 100_000))
        under_way.set()
        ended.wait(30)

    def stream() -> None:
        with pytest.raises(grpc.RpcError):
            client.pfs.modify_file(messages())

    writer = threading.Thread(target=stream)
    writer.start()
    assert under_way.wait(30)
    client = killed()
    ended.set()
    writer.join()
    assert paths(client.pfs.walk_file(file=at(commit))) == ["/", "/before"]
    client.pfs.put_file_from_bytes(commit=commit, path="/after", data=b"2")
    client.pfs.finish_commit(commit=commit)
    assert paths(client.pfs.walk_file(file=at(head(branch)))) == ["/", "/after", "/before"]


def test_every_returned_put_is_there_after_the_kill(home: Home, pachd: ServiceProcess, killed: Callable[[], Client]) -> None:
    client = connect(home)
    branch = pfs.Branch(repo=new_repo(client), name="master")
    acknowledged: list[int] = []
    enough = threading.Event()

    def keep_putting() -> None:
        try:
            for number in range(10_000):
                client.pfs.put_file_from_bytes(commit=head(branch), path=f"/{number}", data=b"x" * number)
                acknowledged.append(number)
                if number == 30:
                    enough.set()
        except grpc.RpcError:
            return

    writer = threading.Thread(target=keep_putting)
    writer.start()
    assert enough.wait(60)
    again = killed()
    writer.join()
    stored = {int(info.file.path[1:]): info.size_bytes for info in again.pfs.list_file(file=at(head(branch)))}
    assert set(acknowledged) <= set(stored)
    assert all(number == size for number, size in stored.items())
    assert set(stored) <= {*acknowledged, acknowledged[-1] + 1}


def test_a_lost_database_deletes_nothing(home: Home, pachd: ServiceProcess) -> None:
    """Without it every stored content would be garbage: pachd refuses to start until it is back."""
    client, big = connect(home), bytes(range(256)) * 10_000
    commit = put(client, pfs.Branch(repo=new_repo(client), name="master"), big=big)
    pachd.kill()
    database = home.database("pachyderm")
    kept = [path.rename(path.with_name(f"kept-{path.name}")) for path in database.parent.glob(f"{database.name}*")]
    blobs = sorted(home.folder("blobs").glob("??/*"))
    for _ in range(2):
        with pytest.raises(AssertionError, match=f"{database} does not know the files in {home.folder('blobs')}"):
            pachd.start()
        assert sorted(home.folder("blobs").glob("??/*")) == blobs
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    for path in kept:
        path.rename(path.with_name(path.name.removeprefix("kept-")))
    pachd.start()
    assert read(connect(home), commit, "/big") == big
