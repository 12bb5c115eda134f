"""How long a container takes to start and an image to build: ``python -m tests.benchmarks.containers [rounds]``."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import new_home

from minipdk import sandbox
from minipdk.home import Home
from minipdk.images import ImageStore

DOCKERFILE = """\
FROM python:3.11
WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY main.py .
CMD ["python", "main.py"]
"""


def measure(what: str, action: Callable[[], object], rounds: int) -> None:
    """Print the median and the best of ``rounds`` runs of ``action``, after one that is not counted."""
    action()
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        action()
        times.append((time.perf_counter() - begin) * 1000)
    print(f"{what:<60} {statistics.median(times):7.1f} ms, best {min(times):6.1f} ms")


def run(home: Home, *argv: str) -> None:
    status = sandbox.start(home, sandbox.ContainerSpec(ImageStore(home).resolve("python:3.11"), argv)).wait()
    assert status == 0, status


def enter(home: Home) -> None:
    """A fork of this process becomes a container and ends."""
    spec = sandbox.ContainerSpec(ImageStore(home).resolve("python:3.11"))
    pid = os.fork()
    if pid == 0:
        sandbox.enter(home, spec)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as folder:
        home, context = new_home(Path(folder) / "home"), Path(folder) / "context"
        context.mkdir()
        (context / "Dockerfile").write_text(DOCKERFILE)
        (context / "requirements.txt").write_text("numpy\npandas\nrequests\n")
        (context / "main.py").write_text("print('ready')\n")
        measure("container: /bin/true, start to end", lambda: run(home, "/bin/true"), rounds)
        measure("container: python -c pass, start to end", lambda: run(home, "python", "-c", "pass"), rounds)
        measure("enter from a fork of this process, start to end", lambda: enter(home), rounds)
        store = ImageStore(home)
        begin = time.perf_counter()
        store.build(context, "benchmark")
        first = (time.perf_counter() - begin) * 1000
        print(f"{'image of six instructions, requirements met: first build':<60} {first:7.1f} ms")
        measure("the same, unchanged", lambda: store.build(context, "benchmark"), rounds)


if __name__ == "__main__":
    main()
