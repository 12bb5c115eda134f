"""One-row requests per second and their latency, straight to the predictor and through the ingress.

    python -m tests.benchmarks.serving

Starts a cluster of its own: the Kubernetes API, the serving service and an S3 server with a model whose handler takes
half a millisecond of numpy for a row. The load comes from this process, over connections that are kept, on the same
machine, so it says how loaded that is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import tempfile
import time
from pathlib import Path

import aiohttp
from tests.conftest import ServiceProcess, new_home, wait_for
from tests.minipdk.serving.conftest import FakeS3, archiver
from tests.minipdk.serving.test_inference_service import NAMESPACE, Cluster

SECONDS, WARM_UP = 5.0, 100
COLUMNS = 139
HANDLER = """
import time

import numpy
import torch
from ts.torch_handler.base_handler import BaseHandler


class Handler(BaseHandler):
    def preprocess(self, data):
        until = time.perf_counter() + 0.0005
        rows = numpy.array([one["data"]["x"] for one in data], dtype=numpy.float32)
        while time.perf_counter() < until:
            rows = rows + 0.0
        return torch.from_numpy(rows)

    def postprocess(self, result):
        return result.sum(dim=1).tolist()
"""


async def measure(url: str, host: str, connections: int, body: object) -> tuple[float, list[float]]:
    """Requests per second, and each request's milliseconds, sorted."""
    latencies: list[float] = []

    async with aiohttp.ClientSession(headers={"Host": host}, connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask() -> None:
            async with session.post(url, json=body) as answer:
                await answer.read()
                answer.raise_for_status()

        async def keep_asking(until: float) -> None:
            while (started := time.perf_counter()) < until:
                await ask()
                latencies.append((time.perf_counter() - started) * 1000)

        for _ in range(WARM_UP):
            await ask()
        started = time.perf_counter()
        await asyncio.gather(*(keep_asking(started + SECONDS) for _ in range(connections)))
        took = time.perf_counter() - started
    return len(latencies) / took, sorted(latencies)


def main() -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home = new_home(folder / "home")
        services = [ServiceProcess(home, "kubernetes", "kubernetes"), ServiceProcess(home, "serving", "ingress")]
        for service in services:
            service.start()
            stack.callback(service.stop)
        s3 = FakeS3()
        stack.callback(s3.close)
        cluster = Cluster(home, services[1], s3)
        cluster.add_credentials()
        s3.put("models", archiver(folder)(handler=HANDLER).parent, "linear/model-store/")
        started = time.perf_counter()
        cluster.create("linear", "s3://models/linear")
        wait_for(lambda: cluster.is_ready("linear"), seconds=120)
        print(f"created to ready: {time.perf_counter() - started:.1f} s")
        [pod] = cluster.pods("linear")
        log = home.pod_log(NAMESPACE, pod.metadata.name, "kserve-container").read_text()
        direct = re.findall(r"serving (http://\S+)", log)[-1]
        ingress = f"http://127.0.0.1:{home.port('ingress')}/v1/models/linear:predict"
        print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
        body = {"instances": [{"data": {"x": [0.5] * COLUMNS}}]}
        print("| way | connections | requests/s | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|---|")
        for way, url in (("direct", direct), ("ingress", ingress)):
            for connections in (1, 8):
                rate, times = asyncio.run(measure(url, "linear.models.example.com", connections, body))
                p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
                print(f"| {way} | {connections} | {rate:.0f} | {p50:.2f} | {p99:.2f} | {times[-1]:.1f} |")


if __name__ == "__main__":
    main()
