"""Requests that fail while an InferenceService is replaced under load, and while its predictor is killed.

    python -m tests.benchmarks.replace [seconds]

Starts a separate cluster: the Kubernetes API, the serving service and an S3 server with two models. Fifty requests a
second are sent through the ingress, each at its time whether or not those before it are answered, on kept connections.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp
from kubernetes import client as k8s
from tests.benchmarks._serving_cluster import serving_cluster
from tests.conftest import wait_for
from tests.minipdk.services.kserve.conftest import NAMESPACE, Cluster, archiver, inference_service, predictors

RATE = 50
SECONDS = 60.0
REPLACEMENTS, KILLS = 5, 2
PATIENCE = 30.0
BODY = {"instances": [{"data": {"x": 1}}]}
ANSWERS = {"one": 2.0, "ten": 20.0}  # the answers of the two models to the body


@dataclass(frozen=True)
class Answer:
    """One request: when it was sent (monotonic seconds), its seconds, the predicted value, and why it failed, if it did."""

    sent: float
    took: float
    value: float | None = None
    failure: str = ""


@dataclass
class Load:
    """Steady requests to ``name`` from a separate thread, which nothing else delays."""

    url: str
    host: str
    answers: list[Answer] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[Load]:
        thread = threading.Thread(target=lambda: asyncio.run(self._send()))
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()

    async def _send(self) -> None:
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(headers={"Host": self.host}, timeout=timeout, connector=connector) as session,
            asyncio.TaskGroup() as tasks,
        ):
            due = time.monotonic()
            while not self._ended.is_set():
                tasks.create_task(self._ask(session))
                due += 1 / RATE
                await asyncio.sleep(due - time.monotonic())

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        sent, value, failure = time.monotonic(), None, ""
        try:
            async with session.post(self.url, json=BODY) as answer:
                if answer.status == 200:
                    [value] = (await answer.json())["predictions"]
                else:
                    failure = f"{answer.status} {(await answer.text())[:120]}"
        except (aiohttp.ClientError, TimeoutError) as error:
            failure = f"{type(error).__name__} {error}"
        self.answers.append(Answer(sent, time.monotonic() - sent, value, failure))

    def report(self, what: str) -> None:
        times = sorted(1000 * answer.took for answer in self.answers if not answer.failure)
        failures = Counter(answer.failure for answer in self.answers if answer.failure)
        print(f"{what}: {len(self.answers)} requests, {failures.total()} failed", end="; ")
        print(f"p50 {times[len(times) // 2]:.1f} ms, p99 {times[len(times) * 99 // 100]:.1f} ms, longest {times[-1]:.0f} ms")
        for failure, count in failures.most_common():
            print(f"    {count} x {failure}")

    def last_is(self, value: float) -> bool:
        """Whether the newest answer is ``value``."""
        return [answer.value for answer in self.answers[-1:]] == [value]

    def answered_after(self, moment: float) -> bool:
        """Whether a request that was sent after ``moment`` was answered."""
        return any(answer.sent > moment and answer.value for answer in self.answers)

    def outage(self, since: float) -> str:
        """The failures among the requests of and after the moment ``since``."""
        failed = [answer for answer in self.answers if answer.failure and answer.sent + answer.took >= since]
        if not failed:
            return "no request failed"
        last = max(answer.sent for answer in failed) - since
        return f"{len(failed)} requests failed, the last of them sent {last:.2f} s after it"


def replace_under_load(cluster: Cluster, load: Load, seconds: float) -> None:
    """Exchange the two models in turn, evenly over ``seconds``."""
    began = time.monotonic()
    with load.running():
        for turn in range(REPLACEMENTS):
            model = "ten" if turn % 2 == 0 else "one"
            asked = time.monotonic()
            cluster.kserve.replace("linear", inference_service("linear", f"s3://models/{model}"), namespace=NAMESPACE)
            wait_for(partial(load.last_is, ANSWERS[model]), what=model)
            print(f"    replaced after {time.monotonic() - asked:.1f} s by the model {model}")
            _until(began + seconds * (turn + 1) / REPLACEMENTS)
    load.report(f"{REPLACEMENTS} replacements")


def kill_under_load(cluster: Cluster, load: Load, name: str, replicas: int, seconds: float) -> None:
    """kill -9 of the first replica's processes, twice."""
    began = time.monotonic()
    with load.running():
        for turn in range(KILLS):
            _until(began + seconds * turn / KILLS + 2)
            pod = wait_for(lambda: _settled(cluster, name, replicas), what="the replicas")[0]
            restarts = pod.status.container_statuses[0].restart_count
            killed = time.monotonic()
            for process in predictors(pod.metadata.uid):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            wait_for(partial(_is_back, cluster, name, pod.metadata.uid, restarts), what="the replica's return")
            back = time.monotonic()
            wait_for(partial(load.answered_after, back), what="an answer")
            print(f"    killed: {load.outage(killed)}; the replica was ready again after {back - killed:.1f} s")
    load.report(f"{KILLS} kills with {replicas} replicas")


def _settled(cluster: Cluster, name: str, replicas: int) -> list[k8s.V1Pod] | None:
    """The service's Pods, once there are as many as there should be: Pods of earlier revisions are gone."""
    pods = cluster.pods(name)
    return pods if len(pods) == replicas else None


def _is_back(cluster: Cluster, name: str, uid: str, restarts: int) -> bool:
    [pod] = [pod for pod in cluster.pods(name) if pod.metadata.uid == uid]
    status = pod.status.container_statuses[0]
    return bool(status.ready and status.restart_count > restarts)


def _until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def main() -> None:
    seconds = float(sys.argv[1]) if sys.argv[1:] else SECONDS
    with tempfile.TemporaryDirectory() as folder, serving_cluster(Path(folder)) as cluster:
        make_archive = archiver(Path(folder))
        for model, factor in (("one", 1), ("ten", 10)):
            cluster.s3.put_folder("models", make_archive(factor=factor).parent, f"{model}/model-store/")
        url = f"http://127.0.0.1:{cluster.home.port('ingress')}/v1/models/linear:predict"

        def start(name: str, **predictor: object) -> Callable[[], Load]:
            cluster.create(name, "s3://models/one", **predictor)
            wait_for(lambda: cluster.is_ready(name), what=f"{name} to be ready")
            return lambda: Load(url, f"{name}.{NAMESPACE}.example.com")

        load = start("linear")
        replace_under_load(cluster, load(), seconds)
        kill_under_load(cluster, load(), "linear", 1, seconds)
        two = start("pair", min_replicas=2, max_replicas=2)
        kill_under_load(cluster, two(), "pair", 2, seconds)


if __name__ == "__main__":
    main()
