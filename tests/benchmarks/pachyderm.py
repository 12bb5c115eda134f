"""How fast pachd stores and tells, through the SDK: ``python tests/benchmarks/pachyderm.py [MiB of the large file]``."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs

sys.path.insert(0, str(Path(__file__).parents[1]))
from conftest import ServiceProcess, new_home

MIB = 1 << 20


@contextmanager
def measured(what: str, amount: float, unit: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    print(f"{what:45} {amount / seconds:10.0f} {unit}/s   ({seconds:.2f} s)")


def peak(process: psutil.Process) -> int:
    """The most memory the process has held so far, in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


class Zeros:
    """A file of ``size`` bytes that are not all zero, made while it is read."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._block = bytes(range(256)) * (MIB // 256)
        self._count = 0

    def read(self, size: int) -> bytes:
        size = min(size, self._left)
        self._left -= size
        self._count += 1
        return (self._count.to_bytes(8) + self._block * (size // MIB + 1))[:size]


def run(client: Client, server: psutil.Process, large: int) -> None:
    repo = pfs.Repo(name="bench")
    client.pfs.create_repo(repo=repo)
    branch = pfs.Branch(repo=repo, name="master")
    head = pfs.Commit(repo=repo, branch=branch)
    before = server.memory_info().rss
    with client.pfs.commit(branch=branch) as commit, measured(f"put one file of {large} MiB", large, "MiB"):
        commit.put_file_from_file(path="/large", file=Zeros(large * MIB))
    with measured(f"get one file of {large} MiB", large, "MiB"):
        for _ in client.pfs.get_file(file=pfs.File(commit=head, path="/large")):
            pass
    after = server.memory_info().rss
    print(f"{'server memory before, after, at most':45} {before // MIB}, {after // MIB}, {peak(server)} MiB")
    data = b"x" * 1016
    with client.pfs.commit(branch=branch) as commit, measured("put 500 x 1 KiB, one call each", 500, "files"):
        for number in range(500):
            commit.put_file_from_bytes(path=f"/each/{number}", data=data + number.to_bytes(8))
    with client.pfs.commit(branch=branch) as commit, measured("put 10,000 x 1 KiB, one stream", 10_000, "files"):
        changes = (
            pfs.ModifyFileRequest(add_file=pfs.AddFile(path=f"/many/{number}", raw=data + number.to_bytes(8)))
            for number in range(10_000)
        )
        client.pfs.modify_file(iter([pfs.ModifyFileRequest(set_commit=commit), *changes]))
    with client.pfs.commit(branch=branch) as commit, measured("a commit of one file on top of it", 1, "commits"):
        commit.put_file_from_bytes(path="/one", data=data)
    with measured("walk 10,000 files", 10_000, "files"):
        assert sum(1 for _ in client.pfs.walk_file(file=pfs.File(commit=head, path="/many"))) == 10_001
    with measured("get_file_tar of 10,000 files", 10_000, "files"):
        for _ in client.pfs.get_file_tar(file=pfs.File(commit=head, path="/many")):
            pass
    print(f"{'server memory at most':45} {peak(server)} MiB")


def main() -> None:
    large = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    with tempfile.TemporaryDirectory() as folder:
        home = new_home(Path(folder) / "home")
        service = ServiceProcess(home, "pachyderm", "pachd", "s3")
        with measured("start", 1, "starts"):
            service.start()
        assert service.process is not None
        try:
            client = Client(host="127.0.0.1", port=home.port("pachd"), auth_token=home.token)
            run(client, psutil.Process(service.process.pid), large)
        finally:
            service.stop()


if __name__ == "__main__":
    main()
