"""A cluster's growth while it works: memory, open files, threads, databases, logs and left-over folders.

    python -m tests.benchmarks.soak [--commits 300] [--replacements 200]

Starts pachd, the Kubernetes API and the serving process in a separate home. Commits go through a pipeline of one datum, and
each replacement of an InferenceService makes a new revision and waits until that one is ready. Prints measurements of the
start (after a tenth of the work, when all caches are warm), the middle and the end.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps
from tests.conftest import ServiceProcess, new_home, wait_for
from tests.minipdk.services.kserve.conftest import Cluster, FakeS3

from minipdk.common.home import Home
from minipdk.common.ports import HOST

PROCESSES = {"pachyderm": ("pachd", "s3"), "kubernetes": ("kubernetes",), "serving": ("ingress",)}
LEFTOVERS = ("containers", "serving", "run/datums", "logs/pods/models", "blobs/incoming")
NAME = "soaked"
MIB = 1 << 20
PATIENCE = 600
Measurements = dict[str, float]


def measure(home: Home, services: list[ServiceProcess]) -> Measurements:
    measured: Measurements = {}
    for service in services:
        assert service.process is not None
        process = psutil.Process(service.process.pid)
        measured |= {
            f"{service.name}: memory, MiB": process.memory_info().rss / MIB,
            f"{service.name}: open files": process.num_fds(),
            f"{service.name}: threads": process.num_threads(),
            f"{service.name}: log, KiB": home.log_file(service.name).stat().st_size / 1024,
        }
    for database in sorted(home.database("x").parent.glob("*.db")):
        files = (database, database.with_name(f"{database.name}-wal"))
        measured[f"{database.name} with its log, MiB"] = sum(file.stat().st_size for file in files if file.exists()) / MIB
    for name in LEFTOVERS:
        folder = home.path / name
        measured[f"{name}: entries"] = sum(1 for _ in folder.iterdir()) if folder.exists() else 0
    return measured | {"processes of the clusters": sum(1 for _ in _descendants(services))}


def _descendants(services: list[ServiceProcess]) -> list[psutil.Process]:
    return [
        child
        for service in services
        if service.process is not None
        for child in psutil.Process(service.process.pid).children(recursive=True)
    ]


class Commits:
    """Commits of one small file each, whose content changes, through a pipeline."""

    def __init__(self, home: Home) -> None:
        self._client = Client(host=HOST, port=home.port("pachd"), auth_token=home.token)
        self._branch = pfs.Branch.from_uri(f"{NAME}@master")
        self._pipeline = pps.Pipeline(name=f"{NAME}-copies")
        self._client.pfs.create_repo(repo=pfs.Repo(name=NAME))
        self._client.pps.create_pipeline(
            pipeline=self._pipeline,
            transform=pps.Transform(image="python:3.11", cmd=["sh"], stdin=[f"cp /pfs/{NAME}/* /pfs/out/; echo done"]),
            input=pps.Input(pfs=pps.PfsInput(repo=NAME, glob="/")),
        )

    def run(self, number: int) -> None:
        with self._client.pfs.commit(branch=self._branch) as commit:
            commit.delete_file(path="/file")
            commit.put_file_from_bytes(path="/file", data=str(number).encode() * 20_000)
        newest = next(iter(self._client.pps.list_job(pipeline=self._pipeline)))
        job = self._client.pps.inspect_job(job=newest.job, wait=True)
        assert job.state == pps.JobState.JOB_SUCCESS, job.reason


class Replacements:
    """Revisions of one InferenceService, each until it is ready."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def run(self, number: int) -> None:
        container = {
            "name": "mine",
            "image": "python:3.11",
            "command": ["python", "-m", "http.server", "8080"],
            "env": [{"name": "NUMBER", "value": str(number)}],
        }
        kind: dict[str, Any] = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
        service = {**kind, "metadata": {"name": NAME}, "spec": {"predictor": {"containers": [container], "timeout": 5}}}
        self._cluster.kubectl("apply", "-f", "-", stdin=json.dumps(service))
        wait_for(lambda: self._is_served(number + 1), seconds=PATIENCE, what=f"revision {number + 1} to be ready")

    def _is_served(self, revision: int) -> bool:
        predictor = self._cluster.status(NAME).get("components", {}).get("predictor", {})
        return str(predictor.get("latestReadyRevision", "")).endswith(f"-{revision:05}")


def work(count: int, run: Callable[[int], None], share: tuple[int, int]) -> None:
    """The part of ``count`` runs between two tenths."""
    for number in range(count * share[0] // 10, count * share[1] // 10):
        run(number)


def soak(home: Home, services: list[ServiceProcess], cluster: Cluster, commits: int, replacements: int) -> None:
    runs = {commits: Commits(home).run, replacements: Replacements(cluster).run}
    measured, began = [], time.monotonic()
    for share in ((0, 1), (1, 5), (5, 10)):
        threads = [Thread(target=work, args=(count, run, share)) for count, run in runs.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        measured.append(measure(home, services))
        print(f"{10 * share[1]} % done after {time.monotonic() - began:.0f} s", flush=True)
        for name in measured[-1]:
            print(f"{name:40}" + "".join(f"{one.get(name, 0):12.1f}" for one in measured), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=300)
    parser.add_argument("--replacements", type=int, default=200)
    chosen = parser.parse_args()
    with ExitStack() as stack:
        home = new_home(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "home")
        services = [ServiceProcess(home, name, *ports) for name, ports in PROCESSES.items()]
        for service in services:
            service.start()
            stack.callback(service.stop)
        s3 = FakeS3()
        stack.callback(s3.close)
        cluster = Cluster(home, services[-1], s3)
        soak(home, services, cluster, chosen.commits, chosen.replacements)


if __name__ == "__main__":
    main()
