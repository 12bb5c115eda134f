"""Spouts: user code without input that commits to its output for as long as it runs."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import grpc
import pytest
from pachyderm_sdk.api import pfs, pps
from tests.conftest import ServiceProcess, free_ports, wait_for
from tests.minipdk.services.pachyderm.conftest import head, wait_until_it_answers
from tests.minipdk.services.pachyderm.pipelines import IMAGE, Workbench

COMMIT = """
import os, time
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
client = Client.new_in_cluster()
branch = pfs.Branch.from_uri("{name}@master")
with client.pfs.commit(branch=branch) as commit:
    commit.put_file_from_bytes(path=f"/{{commit.id}}", data=b"1")
print("committed", commit.id)
{then}
"""
WAIT, CRASH = "time.sleep(600)", "raise SystemExit(5)"


def spout(bench: Workbench, then: str, **fields: Any) -> pps.Pipeline:
    """A spout that makes one commit each time it is started."""
    pipeline = pps.Pipeline(name=bench.name("spout"))
    script = COMMIT.format(name=pipeline.name, then=then)
    transform = pps.Transform(image=IMAGE, cmd=["python3", "-u", "-"], stdin=script.splitlines())
    spec = {"pipeline": {"name": pipeline.name}, "transform": transform.to_dict(), "spout": {}, **fields}
    bench.client.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(spec))
    return pipeline


def committed(bench: Workbench, pipeline: pps.Pipeline) -> list[str]:
    """The commits in the spout's log."""
    return [line.removeprefix("committed ") for line in bench.log(pipeline=pipeline) if line.startswith("committed ")]


def test_a_spouts_commits_trigger_downstream_pipelines(bench: Workbench, pachd: ServiceProcess) -> None:
    pipeline = spout(bench, WAIT)
    below = bench.pipeline(pipeline.name, f"cp /pfs/{pipeline.name}/* /pfs/out/")
    (first,) = wait_for(lambda: committed(bench, pipeline), what="the spout's first commit")
    assert f"/{first}" in bench.files(f"{pipeline.name}@master")
    assert bench.job(below).state == pps.JobState.JOB_SUCCESS
    assert f"/{first}" in bench.files(f"{below.name}@master")

    info = bench.client.pps.inspect_pipeline(pipeline=pipeline, details=True)
    assert (info.type, info.state) == (pps.PipelineInfoPipelineType.PIPELINE_TYPE_SPOUT, pps.PipelineState.PIPELINE_RUNNING)
    assert list(bench.client.pps.list_job(pipeline=pipeline)) == []
    assert not bench.client.pfs.repo_exists(pfs.Repo(name=pipeline.name, type="meta"))
    with pytest.raises(grpc.RpcError, match="cannot start a commit on an output branch"):
        bench.commit(pipeline.name, {"mine": "1"})
    with pytest.raises(grpc.RpcError, match="cannot start a commit on an output branch"):
        bench.client.pfs.put_file_from_bytes(
            commit=head(pfs.Branch.from_uri(f"{pipeline.name}@master")), path="/a", data=b"1"
        )

    pachd.kill()
    pachd.start()
    wait_until_it_answers(bench.client)
    wait_for(lambda: len(committed(bench, pipeline)) == 2, what="a commit after kill -9")
    bench.client.pps.stop_pipeline(pipeline=pipeline)
    bench.client.pps.start_pipeline(pipeline=pipeline)
    wait_for(lambda: len(committed(bench, pipeline)) == 3, what="a commit after stop and start")
    assert set(bench.files(f"{pipeline.name}@master")) == {f"/{name}" for name in committed(bench, pipeline)}
    bench.client.pps.delete_pipelines(all=True)
    assert not bench.client.pfs.repo_exists(pfs.Repo(name=pipeline.name, type="user"))


def test_a_spout_that_crashes_is_started_again_and_its_commits_stay(bench: Workbench) -> None:
    pipeline = spout(bench, CRASH)
    wait_for(lambda: len(committed(bench, pipeline)) >= 2, what="two starts")
    bench.client.pps.stop_pipeline(pipeline=pipeline)
    lines = [line.message for line in bench.client.pps.get_logs(pipeline=pipeline) if not line.user]
    assert any("starts again in" in line and "exit status 5" in line for line in lines)
    for name in committed(bench, pipeline)[:2]:
        assert f"/{name}" in bench.files(f"{pipeline.name}@{name}")


def test_a_commit_that_a_spout_left_open_does_not_delay_the_next(bench: Workbench) -> None:
    pipeline = spout(bench, "left = client.pfs.start_commit(branch=branch); print('left', left.id); os._exit(1)")
    wait_for(lambda: len(committed(bench, pipeline)) >= 2, what="a commit after the one left open")
    left = next(line.removeprefix("left ") for line in bench.log(pipeline=pipeline) if line.startswith("left "))
    commit = pfs.Commit(repo=pfs.Repo(name=pipeline.name, type="user"), id=left)
    assert "the spout ended before it finished this commit" in bench.client.pfs.inspect_commit(commit=commit).error
    bench.client.pps.delete_pipeline(pipeline=pipeline)


def test_a_spout_without_a_command_fails_and_says_so(bench: Workbench) -> None:
    pipeline = spout(bench, WAIT, transform={"image": IMAGE})

    def failed() -> bool:
        return bool(bench.client.pps.inspect_pipeline(pipeline=pipeline).state == pps.PipelineState.PIPELINE_FAILURE)

    wait_for(failed, what="the failure")
    assert bench.client.pps.inspect_pipeline(pipeline=pipeline).reason == "nothing to run: no transform.cmd"
    bench.client.pps.delete_pipeline(pipeline=pipeline)


def test_a_spout_with_a_service_is_reached_at_its_port(bench: Workbench) -> None:
    internal, external = free_ports(2)
    serve = f"import http.server; http.server.HTTPServer(('127.0.0.1', {internal}), http.server.BaseHTTPRequestHandler)"
    service = {"internal_port": internal, "external_port": external}
    pipeline = spout(bench, f"{serve}.serve_forever()", spout={"service": service})
    wait_for(lambda: committed(bench, pipeline), what="the spout to start")

    def status() -> int:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{external}/", timeout=10)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0
        return 200

    wait_for(lambda: status() == 501, what="the spout's own answer")
    bench.client.pps.delete_pipeline(pipeline=pipeline)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"input": {"pfs": {"repo": "a", "glob": "/"}}}, r"spout pipelines \(without a service\) must not have an input"),
        (
            {"input": {"pfs": {"repo": "a", "glob": "/"}}, "spout": {"service": {"internal_port": 1}}},
            "input of a spout is not supported by minipdk",
        ),
        ({"autoscaling": True}, "autoscaling can't be used with spouts"),
        ({"spout": None}, "no input set"),
    ],
)
def test_a_spout_that_cannot_be_is_refused(bench: Workbench, fields: dict[str, object], words: str) -> None:
    with pytest.raises(grpc.RpcError, match=words):
        spout(bench, WAIT, **fields)
