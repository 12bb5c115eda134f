"""The figures of the course itself: start to ready, and one-row requests to the churn endpoint through the ingress.

    python -m tests.benchmarks.course

The first part makes new clusters; the second asks the endpoint of the embedded profile, so run `make course` before.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path

from tests.benchmarks._load import measure
from tests.conftest import new_home

from course import endpoint, load
from minipdk import cluster

STARTS = 5


def start_to_ready() -> None:
    """Start an empty cluster and stop it, several times."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        home = new_home(Path(folder) / "home")
        for _ in range(STARTS):
            began = time.perf_counter()
            home = cluster.start(home.path).home
            seconds.append(time.perf_counter() - began)
            cluster.stop(home)
    print(f"start to ready: median {statistics.median(seconds):.2f} s, first {seconds[0]:.2f} s, of {STARTS}")


def one_row_requests() -> None:
    """Ask about one customer, over one connection and over eight."""
    profile = load()
    sample = json.loads((profile.root / "sample-data" / "customer_churn_sample.json").read_text())
    body = {"instances": [{"data": {column: {"0": values["0"]} for column, values in sample.items()}}]}
    url, host = f"{profile.ingress}/v1/models/{endpoint.MODEL}:predict", endpoint.hostname(profile)
    print("| connections | requests/s | p50 ms | p99 ms |\n|---|---|---|---|")
    for connections in (1, 8):
        answers = measure(url, host, connections, body)
        print(f"| {connections} | {answers.rate:.0f} | {answers.p50:.2f} | {answers.p99:.2f} |")


if __name__ == "__main__":
    start_to_ready()
    one_row_requests()
