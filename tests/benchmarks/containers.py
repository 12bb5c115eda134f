"""How long a container takes to start, a byte to come back out of its network, and an image to build:
``python -m tests.benchmarks.containers [rounds]``."""

from __future__ import annotations

import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import free_ports, new_home, wait_for

from minipdk import sandbox
from minipdk.common.home import Home
from minipdk.common.ports import HOST
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


ECHO = """
import socket, sys
with socket.create_server(("0.0.0.0", int(sys.argv[1]))) as server:
    while True:
        connection, _ = server.accept()
        while block := connection.recv(1 << 16):
            connection.sendall(block)
"""
TRIPS = 2000


def round_trip(home: Home, network: sandbox.Network | None) -> float:
    """How many microseconds a byte takes to an echo in a container and back, in the median."""
    inside = 8080 if network else free_ports(1)[0]
    argv = ["python", "-c", ECHO, str(inside)]
    container = sandbox.start(home, sandbox.ContainerSpec(ImageStore(home).resolve("python:3.11"), argv, network=network))
    port = network.ports[inside] if network else inside
    connection = wait_for(lambda: connected(port), what="the echo")
    assert isinstance(connection, socket.socket)
    times = []
    with connection:
        for _ in range(TRIPS):
            begin = time.perf_counter()
            connection.sendall(b"x")
            connection.recv(1)
            times.append((time.perf_counter() - begin) * 1e6)
    container.stop(grace=0)
    return statistics.median(times)


def connected(port: int) -> socket.socket | None:
    """A connection that has echoed a byte; None while no server does."""
    connection = None
    try:
        connection = socket.create_connection((HOST, port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(b"x")
        if connection.recv(1):
            return connection
    except ConnectionError:
        pass
    if connection:
        connection.close()
    return None


def measure_network(home: Home, rounds: int) -> None:
    measure("network of a Pod's own, made and ended", lambda: sandbox.create_network(home, (8080,), ()).close(), rounds)
    network = sandbox.create_network(home, (8080,), ())
    pairs = [(round_trip(home, None), round_trip(home, network)) for _ in range(3)]
    network.close()
    shared, own = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"round trip: {shared:.0f} us in this machine's network, {own:.0f} us in its own, {own - shared:.0f} us more")


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
        measure_network(home, rounds)
        store = ImageStore(home)
        begin = time.perf_counter()
        store.build(context, "benchmark")
        first = (time.perf_counter() - begin) * 1000
        print(f"{'image of six instructions, requirements met: first build':<60} {first:7.1f} ms")
        measure("the same, unchanged", lambda: store.build(context, "benchmark"), rounds)


if __name__ == "__main__":
    main()
