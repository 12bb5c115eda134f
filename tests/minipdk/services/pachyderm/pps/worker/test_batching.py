"""Datum batching: user code that starts once and asks the worker for datums one by one."""

from __future__ import annotations

import io
import string
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st
from pachyderm_sdk.api import pps, worker
from tests.conftest import wait_for
from tests.minipdk.services.pachyderm.pipelines import IMAGE, Workbench, mounted

from minipdk.services.pachyderm.pps.worker.environment import dotenv

SUCCESS, FAILURE = pps.JobState.JOB_SUCCESS, pps.JobState.JOB_FAILURE
COPIES = """
import os, shutil, uuid
from pathlib import Path
from pachyderm_sdk import batch_all_datums
start = uuid.uuid4().hex
print("started", flush=True)

@batch_all_datums
def process():
    (source,) = [path for path in Path("/pfs").iterdir() if path.name not in ("out", ".env")]
    (file,) = source.iterdir()
    assert os.environ[source.name] == str(file)
    print(file.name, os.environ["PACH_JOB_ID"], flush=True)
    {body}

process()
"""
ONE_WORKER = {"datum_set_spec": pps.DatumSetSpec(number=100), "parallelism_spec": pps.ParallelismSpec(constant=1)}
COPY = "Path('/pfs/out', file.name).write_text(start + os.environ['PACH_DATUM_ID'])"


def batched(bench: Workbench, repo: str, body: str = COPY, **fields: Any) -> pps.Pipeline:
    code = COPIES.replace("{body}", body)
    transform = pps.Transform(image=IMAGE, cmd=["python3", "-"], stdin=code.splitlines(), datum_batching=True)
    for name in ("err_cmd", "err_stdin"):
        setattr(transform, name, fields.pop(name, []))
    return bench.pipeline(repo, transform=transform, **ONE_WORKER | fields)


def test_batched_code_is_started_once_and_sees_each_datum_alone(bench: Workbench) -> None:
    repo = bench.repo(a="1", b="2", c="3")
    pipeline = batched(bench, repo)
    job = bench.job(pipeline)
    assert (job.state, job.reason, job.data_processed) == (SUCCESS, "", 3)
    files = bench.files(f"{pipeline.name}@master")
    datums = {info.data[0].file.path: info.datum for info in bench.client.pps.list_datum(job=job.job)}
    assert {path: written[32:] for path, written in files.items()} == {path: datum.id for path, datum in datums.items()}
    assert len({written[:32] for written in files.values()}) == 1
    assert bench.log(job=job.job) == ["started", *(f"{name} {job.job.id}" for name in "abc")]
    assert bench.log(job=job.job, datum=datums["/b"]) == [f"b {job.job.id}"]
    bench.commit(repo, {"d": "4"})
    job = bench.job(pipeline)
    assert (job.data_processed, job.data_skipped) == (1, 3)


def test_an_error_in_batched_code_fails_its_datum_alone(bench: Workbench) -> None:
    repo = bench.repo(a="1", bad="2", c="3")
    pipeline = batched(bench, repo, f"{COPY}; assert file.name != 'bad', 'not a number'", datum_tries=2)
    job = bench.job(pipeline)
    assert (job.state, job.data_processed, job.data_failed) == (FAILURE, 2, 1)
    assert job.reason.endswith("failed: AssertionError('not a number')")
    assert [line for line in bench.log(job=job.job) if line.startswith("bad")] == [f"bad {job.job.id}"] * 2


def test_batched_code_that_ends_is_started_again_for_the_next_datum(bench: Workbench) -> None:
    repo = bench.repo(a="1", b="2")
    job = bench.job(batched(bench, repo, "os._exit(3) if file.name == 'a' else None", datum_tries=1))
    assert (job.state, job.data_processed, job.data_failed) == (FAILURE, 1, 1)
    assert "failed: user code exited prematurely: exit status 3; its last line was: a" in job.reason
    assert bench.log(job=job.job).count("started") == 2


def test_batched_code_that_hangs_is_ended_and_started_again(bench: Workbench) -> None:
    repo = bench.repo(a="1", b="2")
    body = "import time; time.sleep(600 if file.name == 'a' else 0)"
    limit = timedelta(seconds=20)  # the first datum's time includes the start of Python, which is slow on a busy machine
    job = bench.job(batched(bench, repo, body, datum_tries=1, datum_timeout=limit))
    assert (job.state, job.data_processed, job.data_failed) == (FAILURE, 1, 1)
    assert job.reason.endswith("failed: it ran longer than the datum_timeout of 20s")
    assert bench.log(job=job.job).count("started") == 2


def test_the_error_command_sees_the_datum_of_batched_code(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    handled = [f'test "$(cat /pfs/{repo}/a)" = 1', "echo handled"]
    job = bench.job(batched(bench, repo, "raise ValueError", datum_tries=1, err_cmd=["sh", "-e"], err_stdin=handled))
    assert (job.state, job.data_recovered) == (SUCCESS, 1)
    assert bench.log(job=job.job)[-1] == "handled"


def test_the_worker_reports_its_status_and_ends_a_datum_on_request(bench: Workbench, tmp_path: Path) -> None:
    """The code cancels its own datum the first time, which is then tried again."""
    repo = bench.repo(a="1")
    body = """
    import grpc, time
    from pachyderm_sdk import Client
    stub = Client().worker
    status = stub.status()
    print(status.job_id == os.environ["PACH_JOB_ID"], status.datum_status.data[0].path, flush=True)
    if not Path("/gate/tried").exists():
        Path("/gate/tried").touch()
        assert not stub.cancel(job_id="another").success
        stub.cancel(job_id=status.job_id, data_filters=["/a"])
        time.sleep(600)
"""
    job = bench.job(batched(bench, repo, body.strip(), pod_patch=mounted(tmp_path)))
    assert (job.state, job.reason) == (SUCCESS, "")
    assert bench.log(job=job.job).count("True /a") == 2


def test_stopping_a_job_ends_batched_code(bench: Workbench) -> None:
    pipeline = batched(bench, bench.repo(a="1"), "import time; time.sleep(600)")
    (running,) = bench.client.pps.list_job(pipeline=pipeline)
    wait_for(lambda: len(bench.log(job=running.job)) == 2, what="the code to be at its datum")
    bench.client.pps.stop_job(job=running.job)
    assert bench.client.pps.inspect_job(job=running.job, wait=True).state == pps.JobState.JOB_KILLED


def test_pachd_itself_is_no_worker(bench: Workbench) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        worker.WorkerStub(bench.client._channel).status()
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-zA-Z0-9_-]+", fullmatch=True), st.text(set(string.printable) - set("$\\"))))
def test_the_env_file_gives_spaces_quotes_and_hashes_back(variables: dict[str, str]) -> None:
    assert dotenv_values(stream=io.StringIO(dotenv(variables), newline="")) == variables
