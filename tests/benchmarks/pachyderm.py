"""The speed of pachd's writes and reads, through the SDK, beside a server that keeps files in memory and beside ``dvc add``.

``python -m tests.benchmarks.pachyderm [--mib 1024] [--rounds 3] [--dvc PATH-TO-DVC]``. dvc is not in the environment: its
column is filled only if --dvc or the variable DVC names one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.conftest import ServiceProcess, free_ports, new_home, wait_for

from minipdk.common.ports import is_listening

MIB = 1 << 20
SMALL_FILES = 10_000
Times = dict[str, float]


class Varied:
    """A file of ``mib`` MiB that differ from each other, made while it is read."""

    def __init__(self, mib: int) -> None:
        self._left = mib * MIB
        self._block = os.urandom(32 * MIB)
        self._count = 0

    def read(self, size: int) -> bytes:
        size = min(size, self._left)
        self._left -= size
        self._count += 1
        return (self._count.to_bytes(8) + self._block)[:size]


@contextmanager
def timed(times: Times, what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    times[what] = time.perf_counter() - start


def exercise(client: Client, number: int, mib: int) -> Times:
    """One round against either server."""
    times: Times = {}
    repo = pfs.Repo(name=f"bench{number}")
    client.pfs.create_repo(repo=repo)
    branch = pfs.Branch(repo=repo, name="master")
    head = pfs.Commit(repo=repo, branch=branch)
    with timed(times, f"put {mib} MiB"):
        commit = client.pfs.start_commit(branch=branch)
        client.pfs.put_file_from_file(commit=commit, path="/large", file=Varied(mib))
        client.pfs.finish_commit(commit=commit)
    with timed(times, f"get {mib} MiB"):
        assert sum(len(part.value) for part in client.pfs.get_file(file=pfs.File(commit=head, path="/large"))) == mib * MIB
    with timed(times, f"put {SMALL_FILES} x 1 KiB"):
        commit = client.pfs.start_commit(branch=branch)
        client.pfs.modify_file(iter([pfs.ModifyFileRequest(set_commit=commit), *map(small_file, range(SMALL_FILES))]))
        client.pfs.finish_commit(commit=commit)
    with timed(times, f"walk {SMALL_FILES}"):
        assert sum(1 for _ in client.pfs.walk_file(file=pfs.File(commit=head, path="/many"))) == SMALL_FILES + 1
    return times


def small_file(number: int) -> pfs.ModifyFileRequest:
    return pfs.ModifyFileRequest(add_file=pfs.AddFile(path=f"/many/{number}", raw=small_data(number)))


def small_data(number: int) -> bytes:
    return number.to_bytes(8) + b"x" * 1016


def dvc_times(dvc: str, folder: Path, mib: int) -> Times:
    """``dvc add`` of the same files, which are on disk already."""
    times: Times = {}
    subprocess.run([dvc, "init", "--quiet", "--no-scm"], cwd=folder, check=True)
    source = Varied(mib)
    with (folder / "large").open("wb") as file:
        while block := source.read(16 * MIB):
            file.write(block)
    (folder / "many").mkdir()
    for number in range(SMALL_FILES):
        (folder / "many" / str(number)).write_bytes(small_data(number))
    for what, name in ((f"put {mib} MiB", "large"), (f"put {SMALL_FILES} x 1 KiB", "many")):
        with timed(times, what):
            subprocess.run([dvc, "add", "--quiet", name], cwd=folder, check=True)
    return times


@contextmanager
def pachd(folder: Path) -> Iterator[tuple[Client, int]]:
    home = new_home(folder)
    service = ServiceProcess(home, "pachyderm", "pachd", "s3")
    service.start()
    assert service.process is not None
    try:
        yield Client(host="127.0.0.1", port=home.port("pachd"), auth_token=home.token), service.process.pid
    finally:
        service.stop()


@contextmanager
def in_memory() -> Iterator[tuple[Client, int]]:
    (port,) = free_ports(1)
    process = subprocess.Popen([sys.executable, "-m", "tests.benchmarks._in_memory", str(port)])
    try:
        wait_for(lambda: is_listening(port), what="the server in memory")
        yield Client(host="127.0.0.1", port=port), process.pid
    finally:
        process.terminate()
        process.wait()


def peak(pid: int) -> int:
    """The most memory a process has held so far, in MiB."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024


def medians(rounds: list[Times]) -> Times:
    return {name: statistics.median(times[name] for times in rounds) for name in rounds[0]} if rounds else {}


def amount(what: str) -> float:
    return float(what.split()[1])


def show(ours: Times, others: dict[str, Times]) -> None:
    print(f"{'':22}{'pachd':>16}" + "".join(f"{name:>20}{'ratio':>8}" for name in others))
    for what, seconds in ours.items():
        unit = "MiB/s" if "MiB" in what else "files/s"
        line = f"{what:22}{amount(what) / seconds:>8.0f} {unit:7}"
        for times in others.values():
            if what in times:
                line += f"{amount(what) / times[what]:>12.0f} {unit:7}{times[what] / seconds:>8.2f}"
            else:
                line += f"{'-':>20}{'-':>8}"
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024, help="size of the large file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dvc", default=os.environ.get("DVC", ""), help="the dvc to compare with")
    arguments = parser.parse_args()
    ours, memory, dvc, peaks = list[Times](), list[Times](), list[Times](), list[int]()
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with pachd(folder / "home") as (client, pid):
                ours.append(exercise(client, number, arguments.mib))
                peaks.append(peak(pid))
            shutil.rmtree(folder / "home")
            with in_memory() as (client, _):
                memory.append(exercise(client, number, arguments.mib))
            if arguments.dvc:
                dvc.append(dvc_times(arguments.dvc, folder, arguments.mib))
    show(medians(ours), {"in memory": medians(memory), "dvc add": medians(dvc)})
    print(f"{'memory of pachd, peak':22}{statistics.median(peaks):>8.0f} MiB")


if __name__ == "__main__":
    main()
