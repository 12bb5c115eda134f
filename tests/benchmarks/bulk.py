"""Many small files: ``put_files`` and ``pachctl put file -r`` against one call each: ``python -m tests.benchmarks.bulk``."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.conftest import ServiceProcess, new_home
from tests.pachctl.conftest import write_config

from course.transfer import put_files

FILES, EACH, ROUNDS = 10_000, 500, 3
"""How many files a stream holds, how many are sent by one call each (they are slow), and how often all of it is done."""


def rate(files: int, work: Callable[[], object]) -> float:
    """Files a second."""
    began = time.perf_counter()
    work()
    return files / (time.perf_counter() - began)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, home = Path(name) / "files", new_home(Path(name) / "home")
        folder.mkdir()
        for number in range(FILES):
            (folder / f"{number:05}").write_bytes(os.urandom(1024))
        service = ServiceProcess(home, "pachyderm", "pachd")
        service.start()
        address = f"grpc://127.0.0.1:{home.port('pachd')}"
        config = write_config(Path(name) / "config.json", address, home.token)
        try:
            client = Client.from_pachd_address(address, auth_token=home.token)
            rounds = [measure(client, folder, config, number) for number in range(ROUNDS)]
        finally:
            service.stop()
    each, stream, command = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{EACH:6,} x 1 KiB, one call each          {each:8.0f} files/s")
    print(f"{FILES:6,} x 1 KiB, course.put_files       {stream:8.0f} files/s   {stream / each:5.1f} times as fast")
    print(f"{FILES:6,} x 1 KiB, pachctl put file -r    {command:8.0f} files/s   {command / each:5.1f} times as fast")


def measure(client: Client, folder: Path, config: Path, number: int) -> tuple[float, float, float]:
    """The three rates, each into a separate repo."""
    branches = [pfs.Branch.from_uri(f"{kind}-{number}@master") for kind in ("each", "stream", "command")]
    for branch in branches:
        client.pfs.create_repo(repo=branch.repo)
    first = sorted(folder.iterdir())[:EACH]

    def one_call_each() -> None:
        with client.pfs.commit(branch=branches[0]) as commit:
            for path in first:
                commit.put_file_from_bytes(path=f"/{path.name}", data=path.read_bytes())

    def command() -> None:
        words = ["put", "file", f"command-{number}@master:/", "-r", "-f", str(folder)]
        subprocess.run([sys.executable, "-m", "pachctl", *words], env={**os.environ, "PACH_CONFIG": str(config)}, check=True)

    return (
        rate(EACH, one_call_each),
        rate(FILES, lambda: put_files(client, branches[1], folder)),
        rate(FILES, command),
    )


if __name__ == "__main__":
    main()
