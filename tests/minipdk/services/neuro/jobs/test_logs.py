"""The output of jobs: from the beginning or from now on, for many clients, however slow, and for as long as it is kept."""

from __future__ import annotations

import asyncio
import base64
import json
import shlex
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.conftest import wait_for
from tests.minipdk.services.neuro.conftest import Platform
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from minipdk.services.neuro.jobs import logs
from minipdk.services.neuro.jobs.logs import JobLog

ATTACH = Subprotocol("v2.channels.neu.ro")


def log_ws(cluster: Platform, job_id: str, query: str = "") -> ClientConnection:
    url = f"ws{cluster.url.removeprefix('http')}/monitoring/{job_id}/log_ws{query}"
    return connect(url, additional_headers={"Authorization": f"Bearer {cluster.token}"})


def attach(cluster: Platform, job_id: str) -> ClientConnection:
    url = f"ws{cluster.url.removeprefix('http')}/monitoring/{job_id}/attach?stdout=1&stderr=1"
    return connect(url, additional_headers={"Authorization": f"Bearer {cluster.token}"}, subprotocols=[ATTACH])


def content(connection: ClientConnection) -> bytes:
    with connection:
        return b"".join(message for message in connection if isinstance(message, bytes))


@pytest.fixture
def gate(cluster: Platform) -> Iterator[Path]:
    """A file of the storage for which a job waits at /gate/open."""
    cluster.upload("gate/shut", b"")
    path = cluster.home.folder("neuro-storage") / "course" / "default" / "gate" / "open"
    yield path
    path.unlink(missing_ok=True)


def gated(cluster: Platform, before: str, after: str) -> str:
    """A job that prints ``before``, waits for the gate, and prints ``after``."""
    volume = {"src_storage_uri": "storage://minipdk/course/default/gate", "dst_path": "/gate", "read_only": True}
    script = f"echo {before}; until test -e /gate/open; do sleep 0.05; done; echo {after}; exit 3"
    job_id = cluster.start("ubuntu", f"sh -c {script!r}", volumes=[volume])
    wait_for(lambda: before in cluster.kubectl("logs", job_id) if running(cluster, job_id) else None, what=before)
    return job_id


def running(cluster: Platform, job_id: str) -> bool:
    return bool(cluster.job(job_id)["status"] == "running")


def test_a_log_comes_from_its_beginning_and_ends_with_the_job(cluster: Platform, gate: Path) -> None:
    job_id = gated(cluster, "first", "last")
    with log_ws(cluster, job_id) as connection:
        assert connection.recv(60) == b"first\n"
        gate.touch()
        assert b"".join(part for part in connection if isinstance(part, bytes)) == b"last\n"
    cluster.waited(job_id, "failed")
    assert content(log_ws(cluster, job_id)) == b"first\nlast\n"
    stamped = content(log_ws(cluster, job_id, "?timestamps=true")).decode().splitlines()
    assert [line.partition("Z ")[2] for line in stamped] == ["first", "last"]
    since = stamped[1].partition(" ")[0]
    assert content(log_ws(cluster, job_id, f"?since={since}")) == b"last\n"


def test_an_attached_client_gets_what_is_printed_from_now_on_and_the_exit_code(cluster: Platform, gate: Path) -> None:
    job_id = gated(cluster, "before", "after")
    wait_for(lambda: "before" in (cluster.home.folder("neuro-logs") / job_id / "0.log").read_text(), what="the log")
    with attach(cluster, job_id) as connection:
        assert connection.subprotocol == ATTACH
        gate.touch()
        messages = [message for message in connection if isinstance(message, bytes)]
    assert messages[0] == b"\x01after\n"
    assert messages[-1][:1] == b"\x03"
    assert json.loads(messages[-1][1:]) == {"exit_code": 3}
    with pytest.raises(InvalidStatus) as refused:
        attach(cluster, job_id)
    assert refused.value.response.status_code == 404


def test_a_session_at_a_terminal_ends_when_its_client_leaves(cluster: Platform) -> None:
    job_id = cluster.start("ubuntu", "sleep 1000", tty=True)
    for status in ("pending", "running"):  # the first client is there before the terminal, or soon after
        cluster.waited(job_id, status, "running")
        with attach(cluster, job_id) as connection:
            connection.send(b"\x04" + json.dumps({"width": 80, "height": 24}).encode())
            began, connection.close_timeout = time.monotonic(), 40
            connection.close()  # waits until the platform has closed the connection
        assert time.monotonic() - began < 30
    cluster.ask("DELETE", f"/api/v1/jobs/{job_id}")


def test_the_log_of_a_job_that_never_started_is_empty(cluster: Platform) -> None:
    job_id = cluster.start(f"{cluster.registry}/course/default/nowhere:1", "true")
    assert content(log_ws(cluster, job_id)) == b""
    assert cluster.job(job_id)["status"] == "failed"


def test_an_unknown_jobs_log_and_a_plain_request_are_refused(cluster: Platform) -> None:
    with pytest.raises(InvalidStatus) as refused:
        log_ws(cluster, "job-unknown")
    assert refused.value.response.status_code == 404
    assert "there is no job" in refused.value.response.headers["x-error"]
    job_id = cluster.start("ubuntu", "true")
    assert cluster.ask("GET", f"/monitoring/{job_id}/log_ws").status_code == 400


def test_twenty_clients_follow_one_log(cluster: Platform, gate: Path) -> None:
    job_id = gated(cluster, "shared", "end")
    received: list[bytes] = []
    threads = [threading.Thread(target=lambda: received.append(content(log_ws(cluster, job_id)))) for _ in range(20)]
    for thread in threads:
        thread.start()
    gate.touch()
    for thread in threads:
        thread.join(60)
    assert received == [b"shared\nend\n"] * 20


def test_two_hundred_megabytes_are_bounded_and_a_client_that_never_reads_holds_nothing_up(cluster: Platform) -> None:
    assert cluster.process.process
    process = psutil.Process(cluster.process.process.pid)
    script = "head -c 200000000 /dev/zero | tr '\\000' x | fold -w 1000; echo; echo the end"
    job_id = cluster.start("ubuntu", f"sh -c {shlex.quote(script)}")
    cluster.waited(job_id, "running", "succeeded")
    before = process.memory_info().rss
    head = (
        f"GET /monitoring/{job_id}/log_ws HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {cluster.token}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", cluster.home.port("neuro")), 60) as idle:
        idle.sendall(head.encode())
        cluster.waited(job_id, "succeeded")
        log = content(log_ws(cluster, job_id))
    assert log.endswith(b"the end\n")
    folder = cluster.home.folder("neuro-logs") / job_id
    kept = sum(path.stat().st_size for path in folder.iterdir())
    assert kept <= (logs.MOST_SEGMENTS + 1) * (logs.SEGMENT_BYTES + logs.BLOCK)
    assert process.memory_info().rss - before < 64 << 20


def test_a_long_log_keeps_its_beginning_and_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "SEGMENT_BYTES", 100)

    async def written_and_read() -> bytes:
        log = JobLog(tmp_path / "log")
        for number in range(1000):
            log.write_now(b"line %d" % number)
        log.end()
        return b"".join([block async for block in log.follow()])

    lines = logs.shown(asyncio.run(written_and_read()), since=None, timestamps=False).decode().splitlines()
    assert lines[0] == "line 0"
    assert lines[-1] == "line 999"
    assert sum("has left out a part" in line for line in lines) == 1
    assert len(lines) < 50


def test_a_log_goes_on_after_its_last_line(tmp_path: Path) -> None:
    log = JobLog(tmp_path / "log")
    log.write(b"2026-01-01T00:00:00.000001Z a\n2026-01-01T00:00:00.000002Z b\n2026-01-01T00:00:00.000002Z c\n")
    log.end()
    assert JobLog(tmp_path / "log").last_lines() == ("2026-01-01T00:00:00.000002Z", 2)
    assert JobLog(tmp_path / "empty").last_lines() == ("", 0)
