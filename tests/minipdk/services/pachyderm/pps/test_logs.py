"""Logs of pipelines are of bounded size, and say which lines they have lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import wait_for
from tests.minipdk.services.pachyderm.pipelines import Workbench

from minipdk.common.home import Home
from minipdk.services.pachyderm.pps import logs as module
from minipdk.services.pachyderm.pps.logs import USER, Filter, Line, Logs
from minipdk.services.pachyderm.pps.model import Key

PIPELINE = Key("default", "prints", "")
MIB = 1 << 20


def job(number: int) -> Key:
    return Key("default", "prints", f"{number:032x}")


def folder(home: Home, pipeline: str = "prints") -> Path:
    return home.folder("logs") / "pipelines" / "default" / pipeline


def size(of: Path) -> int:
    return sum(path.stat().st_size for path in of.iterdir())


def texts(lines: Iterator[Line]) -> list[str]:
    return [line.message for line in lines]


@pytest.fixture
def logs(home: Home, monkeypatch: pytest.MonkeyPatch) -> Logs:
    """A pipeline keeps 8 MiB of logs, a job 2 MiB."""
    monkeypatch.setattr(module, "FILE_BYTES", MIB)
    monkeypatch.setattr(module, "PIPELINE_BYTES", 8 * MIB)
    logs = Logs(home)
    logs.delete_pipeline(PIPELINE)
    return logs


def test_a_job_keeps_its_newest_lines_and_says_how_much_is_lost(home: Home, logs: Logs) -> None:
    log = logs.job(job(1))
    for number in range(5000):
        log.write("worker", None, f"{number} {'x' * 1000}", USER)
    log.close()
    assert size(folder(home)) <= 2 * MIB
    lines = texts(logs.read(PIPELINE, Filter(job=job(1).id)))
    assert [line for line in lines if "removed" in line] == [
        f"{lost} MiB of earlier lines were removed: a job keeps the newest 2 MiB of its log" for lost in (2, 3)
    ]
    numbers = [int(line.split()[0]) for line in lines if "x" in line.split()[1]]
    assert numbers == list(range(5000 - len(numbers), 5000))
    assert len(numbers) > 1000


def test_a_follower_that_keeps_up_misses_nothing(logs: Logs) -> None:
    log = logs.job(job(1))
    followed = (step for step in logs.follow(PIPELINE, Filter()) if isinstance(step, Line) and "removed" not in step.message)
    for text in (f"{number} {'x' * 1000}" for number in range(3000)):
        log.write("worker", None, text, USER)
        assert next(followed).message == text
    log.close()


def test_a_pipeline_removes_its_oldest_logs_and_says_so(home: Home, logs: Logs) -> None:
    for number in range(12):
        log = logs.job(job(number))
        for _ in range(900):
            log.write("worker", None, "x" * 1000, USER)
        log.close()
        path = folder(home) / f"{job(number).id}.jsonl"
        os.utime(path, ns=(number * 10**9, number * 10**9))
    assert size(folder(home)) <= 8 * MIB
    notice = "the log of this job was removed: a pipeline keeps the newest 8 MiB of its jobs' logs"
    assert texts(logs.read(PIPELINE, Filter(job=job(0).id))) == [notice]
    assert len(texts(logs.read(PIPELINE, Filter(job=job(11).id)))) == 900
    assert len([line for line in texts(logs.read(PIPELINE, Filter())) if line != notice]) >= 4 * 900


def test_the_log_of_a_running_job_stays(home: Home, logs: Logs) -> None:
    running = logs.job(job(0))
    running.write("worker", None, "first", USER)
    for number in range(1, 12):
        log = logs.job(job(number))
        for _ in range(900):
            log.write("worker", None, "x" * 1000, USER)
        log.close()
    running.write("worker", None, "last", USER)
    assert texts(logs.read(PIPELINE, Filter(job=job(0).id))) == ["first", "last"]
    running.close()
    logs.delete_job(job(0))
    assert not (folder(home) / f"{job(0).id}.jsonl").exists()


def test_user_code_that_prints_much_leaves_a_log_of_bounded_size(home: Home, bench: Workbench) -> None:
    pipeline = bench.pipeline(bench.repo(a="1"), "python -c \"for n in range(900): print(n, 'x' * 60_000)\"")
    bench.job(pipeline)
    wait_for(lambda: bench.log(pipeline=pipeline)[-1].startswith("899 "), what="the last line")
    assert size(folder(home, pipeline.name)) <= 2 * 16 * MIB
    notices = [line.message for line in bench.client.pps.get_logs(pipeline=pipeline) if "were removed" in line.message]
    assert notices[-1].endswith("a job keeps the newest 32 MiB of its log")
