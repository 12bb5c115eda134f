"""The cost of the ingress: requests straight to a trivial server and through the gateway, in turns, in one run.

    python -m tests.benchmarks.gateway

The server answers one short JSON document; the load is one process that keeps ``c`` connections busy. All three share this
machine, so the ratio says more than the milliseconds.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import free_ports, wait_for

from minipdk.common.ports import is_listening
from minipdk.controller.routes import Address, Backend, Route, Routes, Traffic
from minipdk.services.ingress.gateway import gateway

ROUNDS, SECONDS = 5, 2.0
CONNECTIONS = (1, 8, 64)
HOST = "linear.models.example.com"
BODY = b'{"instances": [[6.8, 2.8, 4.8, 1.4]]}'
SERVER = """
import asyncio, sys, uvloop
ANSWER = b'{"predictions":[1]}'
REPLY = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n%s" % (len(ANSWER), ANSWER)
LENGTH = int(sys.argv[2])

class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.data = transport, b""

    def data_received(self, data):
        self.data += data
        head, end, body = self.data.partition(b"\\r\\n\\r\\n")
        if end and len(body) >= LENGTH:
            self.data = body[LENGTH:]
            self.transport.write(REPLY)

async def main():
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

uvloop.run(main())
"""


async def load(port: int, connections: int, seconds: float) -> list[float]:
    """The milliseconds of each request, sorted."""
    request = (
        f"POST /v1/models/linear:predict HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    )
    times: list[float] = []
    until = time.perf_counter() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (began := time.perf_counter()) < until:
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer
            length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            times.append((time.perf_counter() - began) * 1000)
        writer.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    return sorted(times)


async def measure(direct: int, ingress: int) -> None:
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    print("| c | way | requests/s | p50 ms | p99 ms | p50 ratio | added ms (p50) |\n|---|---|---|---|---|---|---|")
    for connections in CONNECTIONS:
        loads: dict[str, list[tuple[float, float, float]]] = {"direct": [], "ingress": []}
        for _ in range(ROUNDS):
            for way, port in (("direct", direct), ("ingress", ingress)):
                times = await load(port, connections, SECONDS)
                loads[way].append((len(times) / SECONDS, times[len(times) // 2], times[len(times) * 99 // 100]))
        medians = {way: [statistics.median(column) for column in zip(*rows, strict=True)] for way, rows in loads.items()}
        for way, (rate, p50, p99) in medians.items():
            base = medians["direct"][1]
            print(f"| {connections} | {way} | {rate:.0f} | {p50:.3f} | {p99:.3f} | {p50 / base:.2f} | {p50 - base:.3f} |")


async def run(folder: Path) -> None:
    server_port, port = free_ports(2)
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(server_port), str(len(BODY))])
    try:
        await asyncio.to_thread(wait_for, lambda: is_listening(server_port))
        routes = Routes()
        routes.known = True
        async with gateway(routes, folder / "envoy", port):
            traffic = Traffic(100, (Backend(server_port),))
            routes.set("models", "linear", Route((traffic,), address=Address((HOST,))))
            await routes.in_force()
            # In a separate process, as a client is.
            measuring = await asyncio.create_subprocess_exec(
                sys.executable, "-m", __spec__.name, str(server_port), str(port)
            )
            await measuring.wait()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        import uvloop

        uvloop.run(measure(int(sys.argv[1]), int(sys.argv[2])))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            asyncio.run(run(Path(temporary)))
