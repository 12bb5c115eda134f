"""The churn endpoint: requests of one row and of ten, straight to the predictor and through the ingress.

    python -m tests.benchmarks.serving [rounds]

Beside it stand (a) the same network behind a handler that prepares its rows with pandas, as first versions of such handlers
do, and (b) the same network in the barest model that kserve's own ModelServer can run, which gets the 139 numbers ready
made. The endpoint and (a) have a worker for each core, (b) has one, as is ModelServer's default. Starts a cluster of its
own: the Kubernetes API, the serving service and an S3 server with the archives; (b) is a container beside it. The load
comes from a process on the same machine, so it says how loaded that is: its requests are prebuilt bytes (`_load.py`), as a
client with an HTTP library would take more of the machine than the server does.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import requests
from tests import churn_archive
from tests.benchmarks import _bare_model
from tests.benchmarks._load import Load, measure
from tests.benchmarks._serving_cluster import serving_cluster
from tests.conftest import free_ports, wait_for
from tests.minipdk.services.kserve.conftest import NAMESPACE, Cluster, build_image

from minipdk.sandbox import ContainerSpec, Mount, start

SECONDS = 3.0
CONNECTIONS, ROWS = (1, 8, 64), (1, 10)
ENDPOINT, PANDAS = "churn", "churn-pandas"
MODEL = churn_archive.NAME
IMAGE = "pytorch/torchserve-kfs:0.12.0"
PANDAS_HANDLER = Path(__file__).with_name("_pandas_handler.py")
BARE_MODEL = Path(_bare_model.__file__)
Target = tuple[str, str, Callable[[int], dict[str, Any]]]
"""A predictor's URL, the Host header to ask it with, and the body of a request for so many rows."""


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster that serves the course's archive and the one with the pandas handler."""
    with serving_cluster(folder) as made:
        for name, handler in ((ENDPOINT, None), (PANDAS, PANDAS_HANDLER)):
            place = folder / name
            place.mkdir()
            made.s3.put_folder("models", churn_archive.make(place, handler).parent, f"{name}/model-store/")
            made.create(name, f"s3://models/{name}")
        for name in (ENDPOINT, PANDAS):
            wait_for(partial(made.is_ready, name), seconds=300, what=name)
        yield made


def direct_url(made: Cluster, name: str) -> str:
    """Where the predictor itself listens."""
    [pod] = made.pods(name)
    log = made.home.pod_log(NAMESPACE, pod.metadata.name, "kserve-container").read_text()
    return str(re.findall(r"serving (http://\S+)", log)[-1]) + f"/v1/models/{MODEL}:predict"


@contextlib.contextmanager
def bare_model(made: Cluster, folder: Path) -> Iterator[str]:
    """The URL of kserve's ModelServer with the archive's network and nothing else, in the endpoint's own image."""
    [port] = free_ports(1)
    models = folder / "bare"
    models.mkdir()
    shutil.copy(folder / ENDPOINT / "scriptmodule.pt", models)
    shutil.copy(BARE_MODEL, models / "bare.py")
    command = ["python", "/mnt/models/bare.py", "/mnt/models/scriptmodule.pt", f"--http_port={port}", "--enable_grpc=false"]
    spec = ContainerSpec(build_image(made.home, IMAGE), command, mounts=[Mount(models, "/mnt/models", read_only=True)])
    with (folder / "bare.log").open("wb") as log:
        container = start(made.home, spec, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/v2/health/ready"), what="the bare model")
        yield f"http://127.0.0.1:{port}/v1/models/bare:predict"
    finally:
        container.stop()


def answers(url: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(url, timeout=5).ok
    return False


def measure_all(targets: dict[str, Target], rounds: int) -> dict[tuple[str, int, int], Load]:
    """The medians of ``rounds``, which take turns, by target, rows and connections."""
    cases = [(name, rows, connections) for rows in ROWS for connections in CONNECTIONS for name in targets]
    loads: dict[tuple[str, int, int], list[Load]] = {case: [] for case in cases}
    for _ in range(rounds):
        for name, rows, connections in cases:
            url, host, body = targets[name]
            loads[name, rows, connections].append(measure(url, host, connections, body(rows), seconds=SECONDS))
    return {
        case: Load(*(map(statistics.median, zip(*map(_figures, measured), strict=True)))) for case, measured in loads.items()
    }


def _figures(load: Load) -> tuple[float, ...]:
    return load.rate, load.p50, load.p99, load.worst


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        made = stack.enter_context(cluster(folder))
        ingress = f"http://127.0.0.1:{made.home.port('ingress')}/v1/models/{MODEL}:predict"
        host = "{}.models.example.com"
        targets: dict[str, Target] = {
            "endpoint, direct": (direct_url(made, ENDPOINT), host.format(ENDPOINT), churn_archive.customers),
            "endpoint, ingress": (ingress, host.format(ENDPOINT), churn_archive.customers),
            "(a) pandas, direct": (direct_url(made, PANDAS), host.format(PANDAS), churn_archive.customers),
            "(a) pandas, ingress": (ingress, host.format(PANDAS), churn_archive.customers),
            "(b) bare, direct": (stack.enter_context(bare_model(made, folder)), "localhost", _bare_model.numbers),
        }
        print(f"{os.cpu_count()} CPUs, load average before: {os.getloadavg()[0]:.1f}; medians of {rounds} rounds")
        loads = measure_all(targets, rounds)
        print(f"load average after: {os.getloadavg()[0]:.1f}")
    print_table(loads)


def print_table(loads: dict[tuple[str, int, int], Load]) -> None:
    print("| rows | connections | served by | requests/s | p50 ms | p99 ms | max ms | of (a) | of (b) |")
    print("|---|---|---|---|---|---|---|---|---|")
    for (name, rows, connections), load in loads.items():
        pandas = loads[f"(a) pandas, {name.rpartition(' ')[2]}", rows, connections].rate
        bare = loads["(b) bare, direct", rows, connections].rate
        print(
            f"| {rows} | {connections} | {name} | {load.rate:.0f} | {load.p50:.2f} | {load.p99:.2f} | {load.worst:.1f} "
            f"| {load.rate / pandas:.1f} | {load.rate / bare:.2f} |"
        )


if __name__ == "__main__":
    main()
