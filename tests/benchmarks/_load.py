"""A load generator that leaves the machine to the server: prebuilt bytes over kept connections, in a separate process.

Each connection sends its next request when the last answer is there (a closed loop). A request costs a
read, a search for the end of the answer, and a write: about 25 microseconds with uvloop.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

REPOSITORY = Path(__file__).parents[2]
HEAD_END, LENGTH = b"\r\n\r\n", b"content-length:"


@dataclass(frozen=True)
class Load:
    """Requests per second that were answered with 200, milliseconds of the median, of the 99th percentile and at most."""

    rate: float
    p50: float
    p99: float
    worst: float


class FailedError(RuntimeError):
    """An answer with another status than 200, or a connection that was closed."""


class Connection(asyncio.Protocol):
    """Sends ``request`` again and again until ``end`` of the clock; ``latencies`` gets each one's milliseconds."""

    def __init__(self, request: bytes, start: float, end: float, latencies: list[float]) -> None:
        self._request, self._start, self._end, self._latencies = request, start, end, latencies
        self._answer, self._length = b"", 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's are no subclass of it
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._length and (head := self._answer.find(HEAD_END)) >= 0:
            self._length = head + len(HEAD_END) + int(self._answer[:head].lower().partition(LENGTH)[2].split(None, 1)[0])
        if self._length and len(self._answer) >= self._length:
            self._answered()

    def _answered(self) -> None:
        now = time.perf_counter()
        if self._answer[9:12] != b"200":
            self._fail(self._answer.decode(errors="replace"))
            return
        if self._sent >= self._start:
            self._latencies.append((now - self._sent) * 1000)
        self._answer, self._length = b"", 0
        if now < self._end:
            self._send()
        elif not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"the connection was closed: {error}")

    def _fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(FailedError(why))


def measure(url: str, host: str, connections: int, body: object, *, seconds: float = 5.0, warm_up: float = 0.5) -> Load:
    """POST ``body`` to ``url`` with the Host header ``host`` for ``seconds``, after ``warm_up`` seconds not counted."""
    target, content = urlsplit(url), json.dumps(body).encode()
    head = f"POST {target.path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
    task = json.dumps([target.hostname, target.port, connections, seconds, warm_up])
    finished = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks._load", task],
        input=head.encode() + HEAD_END + content,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        check=True,
    )
    return Load(**json.loads(finished.stdout))


async def _run(request: bytes, host: str, port: int, connections: int, seconds: float, warm_up: float) -> Load:
    loop, latencies = asyncio.get_running_loop(), list[float]()
    start = time.perf_counter() + warm_up
    opened = [
        await loop.create_connection(lambda: Connection(request, start, start + seconds, latencies), host, port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.done for _, connection in opened))
    latencies.sort()
    count = len(latencies)
    return Load(count / seconds, latencies[count // 2], latencies[count * 99 // 100], latencies[-1])


if __name__ == "__main__":
    import uvloop

    print(json.dumps(vars(uvloop.run(_run(sys.stdin.buffer.read(), *json.loads(sys.argv[1]))))))
