"""Services: user code that serves one datum until newer data come."""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.error
import urllib.request
from typing import Any

import grpc
import pytest
from pachyderm_sdk.api import pfs, pps
from tests.conftest import ServiceProcess, free_ports, wait_for
from tests.minipdk.services.pachyderm.conftest import wait_until_it_answers
from tests.minipdk.services.pachyderm.pipelines import Workbench

from minipdk.common.ports import HOST, is_listening
from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.pps.worker.service_ports import open_port

SERVE = 'echo "serving $PACH_JOB_ID"; exec python3 -m http.server {port} --bind 127.0.0.1 --directory /pfs/{repo}'


def serve(bench: Workbench, repo: str, **ports: int) -> pps.Pipeline:
    """A pipeline that serves the files of a repo over http, reached at another port than it listens on."""
    internal, external = free_ports(2)
    service = pps.Service(internal_port=internal, external_port=ports.get("external", external))
    source = pps.Input(pfs=pps.PfsInput(repo=repo, glob="/"))
    return bench.pipeline(source, SERVE.format(port=internal, repo=repo), prefix="serve", service=service)


def described(bench: Workbench, pipeline: pps.Pipeline) -> pps.PipelineInfo:
    return bench.client.pps.inspect_pipeline(pipeline=pipeline, details=True)


def fetch(bench: Workbench, pipeline: pps.Pipeline, path: str) -> str:
    """A file as the service answers with it, "" while it does not."""
    service = described(bench, pipeline).details.service
    try:
        with urllib.request.urlopen(f"http://{service.ip}:{service.external_port}/{path}", timeout=10) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return ""


def newest(bench: Workbench, pipeline: pps.Pipeline) -> pps.JobInfo:
    return next(iter(bench.client.pps.list_job(pipeline=pipeline)))


def test_a_service_serves_each_new_commit_until_it_is_stopped_and_deleted(bench: Workbench, pachd: ServiceProcess) -> None:
    repo = bench.repo(page="one")
    pipeline = serve(bench, repo)
    wait_for(lambda: fetch(bench, pipeline, "page") == "one", what="the first page")
    info = described(bench, pipeline)
    assert (info.type, info.state) == (
        pps.PipelineInfoPipelineType.PIPELINE_TYPE_SERVICE,
        pps.PipelineState.PIPELINE_RUNNING,
    )
    assert (info.details.service.ip, info.details.service.type) == (HOST, "NodePort")
    first = newest(bench, pipeline)
    assert first.state == pps.JobState.JOB_RUNNING
    assert not bench.client.pfs.repo_exists(pfs.Repo(name=pipeline.name, type="meta"))

    commit = bench.commit(repo, {"page": None, "next": "two"})
    wait_for(lambda: fetch(bench, pipeline, "next") == "two", what="the second page")
    assert bench.client.pps.inspect_job(job=first.job, wait=True).state == pps.JobState.JOB_SUCCESS
    second = newest(bench, pipeline)
    assert (second.job.id, second.state) == (commit, pps.JobState.JOB_RUNNING)
    wait_for(lambda: bench.log(job=second.job)[:1] == [f"serving {commit}"], what="the second job's log")

    pachd.kill()
    pachd.start()
    wait_until_it_answers(bench.client)
    wait_for(lambda: fetch(bench, pipeline, "next") == "two", what="the page after kill -9")
    assert bench.client.pps.inspect_job(job=second.job).restart == 1

    bench.client.pps.stop_pipeline(pipeline=pipeline)
    assert bench.client.pps.inspect_job(job=second.job).state == pps.JobState.JOB_KILLED
    wait_for(lambda: not fetch(bench, pipeline, "next"), what="the service to end")
    bench.client.pps.start_pipeline(pipeline=pipeline)
    wait_for(lambda: fetch(bench, pipeline, "next") == "two", what="the service to start again")
    bench.client.pps.delete_pipeline(pipeline=pipeline)
    assert not bench.client.pps.pipeline_exists(pipeline)


def test_a_service_port_hands_on_all_that_either_side_sends() -> None:
    internal, external = free_ports(2)
    service = wire.pps.Service(internal_port=internal, external_port=external)
    sent = bytes(range(256)) * 8192

    def answer(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as asked:
            connection.sendall(asked.read())  # up to where the client stops sending

    with socket.create_server((HOST, internal)) as listening, open_port(service):
        server = threading.Thread(target=answer, args=(listening,))
        server.start()
        with socket.create_connection((HOST, external)) as client, client.makefile("rb") as answered:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            assert answered.read() == sent
        server.join()
    assert not is_listening(external)


def test_a_service_whose_code_ends_is_started_again(bench: Workbench) -> None:
    source = pps.Input(pfs=pps.PfsInput(repo=bench.repo(a="1"), glob="/"))
    pipeline = bench.pipeline(source, "echo started; exit 3", service=pps.Service(internal_port=free_ports(1)[0]))
    wait_for(lambda: bench.log(pipeline=pipeline)[:2] == ["started"] * 2, what="the second start")
    lines = [line.message for line in bench.client.pps.get_logs(pipeline=pipeline) if not line.user]
    assert any("user code has ended and starts again in" in line and "exit status 3" in line for line in lines)
    assert newest(bench, pipeline).state == pps.JobState.JOB_RUNNING
    bench.client.pps.delete_pipeline(pipeline=pipeline)


def test_a_service_gets_a_free_port_if_it_names_none_and_keeps_it(bench: Workbench) -> None:
    repo = bench.repo(page="one")
    pipeline = serve(bench, repo, external=0)
    port = described(bench, pipeline).details.service.external_port
    assert 30000 <= port <= 32767
    wait_for(lambda: fetch(bench, pipeline, "page") == "one", what="the page")
    other = serve(bench, repo, external=0)
    assert described(bench, other).details.service.external_port != port
    bench.client.pps.rerun_pipeline(pipeline=pipeline, reprocess=True)
    assert described(bench, pipeline).details.service.external_port == port
    for service in (pipeline, other):
        bench.client.pps.delete_pipeline(pipeline=service)


def test_a_service_whose_port_is_taken_is_crashing_and_says_so(bench: Workbench, pachd: ServiceProcess) -> None:
    taken = pachd.home.port("s3")
    pipeline = serve(bench, bench.repo(page="one"), external=taken)
    wait_for(
        lambda: described(bench, pipeline).state == pps.PipelineState.PIPELINE_CRASHING, what="the pipeline to be CRASHING"
    )
    assert f"external_port {taken} is taken" in described(bench, pipeline).reason
    bench.client.pps.delete_pipeline(pipeline=pipeline)


def test_a_service_has_a_single_datum(bench: Workbench) -> None:
    source = pps.Input(pfs=pps.PfsInput(repo=bench.repo(a="1", b="2"), glob="/*"))
    pipeline = bench.pipeline(source, "true", service=pps.Service(internal_port=free_ports(1)[0]))
    ended = bench.job(pipeline)
    assert ended.state == pps.JobState.JOB_FAILURE
    assert "services must have a single datum, not 2" in ended.reason


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"service": pps.Service(external_port=1)},
            "service.internal_port must be the port that user code listens on, not 0",
        ),
        ({"service": pps.Service(internal_port=1, external_port=70000)}, "service.external_port must be at most 65535"),
        ({"service": pps.Service(internal_port=1, type="ExternalName")}, "service type ExternalName is not allowed"),
        (
            {"service": pps.Service(internal_port=1), "parallelism_spec": pps.ParallelismSpec(constant=2)},
            "services can only be run with a constant parallelism of 1",
        ),
        (
            {"service": pps.Service(internal_port=1), "spout": pps.Spout(service=pps.Service(internal_port=1))},
            "spout",
        ),
        ({"service": pps.Service(internal_port=1), "s3_out": True}, "s3"),
    ],
)
def test_a_service_that_cannot_be_is_refused(bench: Workbench, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(grpc.RpcError, match=words):
        bench.pipeline(bench.repo(), "true", **fields)
