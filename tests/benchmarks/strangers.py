"""How the services bear strangers without a token: ``python -m tests.benchmarks.strangers [seconds] [port ...]``.

For each port: the latency of an authenticated client, which makes ten calls a second, before strangers come and while they
keep the port busy for so many seconds (60) with idle connections, heads and bodies that come slowly, bodies of 1 GiB, and
heads of 10,000 fields; and the memory, threads and open files of the service. At pachd 600 calls also wait for a commit.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import grpc
import requests
from aiohttp import web
from botocore.config import Config
from tests.benchmarks._strangers import strangers
from tests.conftest import ServiceProcess, new_home
from tests.minipdk.services.ingress.conftest import running_gateway, serving

from minipdk.common.home import Home
from minipdk.services.ingress.config import Limits
from minipdk.services.pachyderm import wire

SECONDS, BEFORE, PAUSE, PATIENCE = 60.0, 5.0, 0.1, 10.0
WAITING = 600


@dataclass
class Measured:
    """Milliseconds of the calls, how many failed, and the use of a process."""

    times: list[float]
    failures: int
    megabytes: float
    threads: int
    files: int

    def __str__(self) -> str:
        times = sorted(self.times) or [float("inf")]
        late = times[int(0.95 * (len(times) - 1))]
        return (
            f"{statistics.median(times):8.1f} ms median {late:9.1f} ms 95 % {times[-1]:9.1f} ms longest "
            f"{self.failures:4} failed {self.megabytes:7.0f} MB {self.threads:4} threads {self.files:5} files"
        )


def measure(call: Callable[[], object], pid: int, seconds: float) -> Measured:
    """Make calls for so many seconds; the use is the highest that was seen."""
    measured = Measured([], 0, 0, 0, 0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.perf_counter()
        try:
            call()
        except Exception:
            measured.failures += 1
        measured.times.append((time.perf_counter() - begin) * 1000)
        status = Path(f"/proc/{pid}/status").read_text()
        use = {line.partition(":")[0]: line.split()[1] for line in status.splitlines() if len(line.split()) > 1}
        measured.megabytes = max(measured.megabytes, int(use["VmRSS"]) / 1024)
        measured.threads = max(measured.threads, int(use["Threads"]))
        measured.files = max(measured.files, len(list(Path(f"/proc/{pid}/fd").iterdir())))
        time.sleep(PAUSE)
    return measured


def compare(
    name: str,
    call: Callable[[], object],
    pid: int,
    port: int,
    seconds: float,
    beside: AbstractContextManager[None] | None = None,
) -> None:
    """Print the measurements of one port; ``beside`` is the context in which strangers come."""
    call()
    print(f"{name:11} before  {measure(call, pid, BEFORE)}", flush=True)
    with beside or nullcontext(), strangers(port, tls=name == "kubernetes"):
        print(f"{name:11} during  {measure(call, pid, seconds)}", flush=True)
    print(f"{name:11} after   {measure(call, pid, BEFORE)}", flush=True)


def pachd_call(home: Home, path: str, kind: str, request: Any) -> Callable[[], Any]:
    rpc = next(rpc for rpc in wire.rpcs() if rpc.path == path)
    channel = grpc.insecure_channel(f"127.0.0.1:{home.port('pachd')}", options=[("grpc.use_local_subchannel_pool", 1)])
    parse = wire.message_class(rpc.response).FromString
    method = getattr(channel, kind)(path, lambda message: message.SerializeToString(), parse)
    timeout = PATIENCE if kind == "unary_unary" else None
    return lambda: method(request, metadata=[("authn-token", home.token)], timeout=timeout)


def repo() -> Any:
    return wire.pfs.Repo(name="repo", type="user", project=wire.pfs.Project(name="default"))


@contextmanager
def waiting_calls(home: Home) -> Iterator[None]:
    request = wire.pfs.SubscribeCommitRequest(repo=repo(), branch="master")
    subscribe = pachd_call(home, "/pfs_v2.API/SubscribeCommit", "unary_stream", request)
    calls = [subscribe() for _ in range(WAITING)]
    yield
    for call in calls:
        call.cancel()


def of_pachd(home: Home) -> Callable[[], object]:
    pachd_call(home, "/pfs_v2.API/CreateRepo", "unary_unary", wire.pfs.CreateRepoRequest(repo=repo()))()
    return pachd_call(home, "/pfs_v2.API/InspectRepo", "unary_unary", wire.pfs.InspectRepoRequest(repo=repo()))


def of_s3(home: Home) -> Callable[[], object]:
    patience = Config(retries={"max_attempts": 0}, connect_timeout=PATIENCE, read_timeout=PATIENCE)
    keys = {"aws_access_key_id": home.token, "aws_secret_access_key": home.token}
    client = boto3.client("s3", endpoint_url=home.url("s3"), config=patience, region_name="us-east-1", **keys)
    return lambda: client.list_buckets()


def over_http(url: str, headers: dict[str, str], verify: str | bool = True) -> Callable[[], object]:
    session = requests.Session()
    session.headers.update(headers)

    def get() -> None:
        session.get(url, timeout=PATIENCE, verify=verify).raise_for_status()

    return get


def of_determined(home: Home) -> Callable[[], object]:
    login = {"username": "determined", "password": home.token}
    token = requests.post(f"{home.url('determined')}/api/v1/auth/login", json=login, timeout=PATIENCE).json()["token"]
    return over_http(f"{home.url('determined')}/api/v1/workspaces", {"Authorization": f"Bearer {token}"})


def of_kubernetes(home: Home) -> Callable[[], object]:
    path = f"{home.url('kubernetes', 'https')}/api/v1/namespaces"
    return over_http(path, {"Authorization": f"Bearer {home.token}"}, str(home.ca_certificate))


CLIENTS = {
    "kubernetes": ("kubernetes", of_kubernetes),
    "pachd": ("pachyderm", of_pachd),
    "s3": ("pachyderm", of_s3),
    "determined": ("determined", of_determined),
}


def of_services(folder: Path, names: list[str], seconds: float) -> None:
    home = new_home(folder / "home")
    for process_name in dict.fromkeys(CLIENTS[name][0] for name in names):
        ports = [name for name in CLIENTS if CLIENTS[name][0] == process_name]
        for name in (name for name in ports if name in names):
            running = ServiceProcess(home, process_name, *ports)
            running.start()
            assert running.process is not None
            try:
                call = CLIENTS[name][1](home)
                beside = waiting_calls(home) if name == "pachd" else None
                compare(name, call, running.process.pid, home.port(name), seconds, beside)
            finally:
                running.kill()


async def of_ingress(folder: Path, seconds: float) -> None:
    """Envoy in front of a predictor that answers everything."""

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"predictions": [1]})

    def run(port: int) -> None:
        [pid] = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and is_envoy(entry, folder)]
        body = {"data": json.dumps({"instances": [1]}), "headers": {"Host": "linear.models.example.com"}}
        session = requests.Session()

        def predict() -> None:
            url = f"http://127.0.0.1:{port}/v1/models/linear:predict"
            session.post(url, timeout=PATIENCE, **body).raise_for_status()  # type: ignore[arg-type]

        compare("ingress", predict, pid, port, seconds)

    async with running_gateway(folder / "envoy", Limits()) as ingress, serving(ingress, answer):
        thread = threading.Thread(target=run, args=(ingress.port,))
        thread.start()
        await asyncio.to_thread(thread.join)


def is_envoy(process: Path, folder: Path) -> bool:
    try:
        return str(folder) in (process / "cmdline").read_text() and "envoy" in (process / "exe").readlink().name
    except OSError:
        return False


def main(arguments: list[str]) -> None:
    seconds = float(arguments[0]) if arguments else SECONDS
    names = arguments[1:] or [*CLIENTS, "ingress"]
    with tempfile.TemporaryDirectory() as folder:
        of_services(Path(folder), [name for name in names if name in CLIENTS], seconds)
        if "ingress" in names:
            asyncio.run(of_ingress(Path(folder), seconds))


if __name__ == "__main__":
    main(sys.argv[1:])
