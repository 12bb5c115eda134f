"""pachctl in every container of a pipeline, as Pachyderm's worker provides it."""

from __future__ import annotations

import json

import pytest
from pachyderm_sdk.api import pfs, pps
from tests.conftest import wait_for
from tests.minipdk.services.pachyderm.pipelines import IMAGE, Workbench

SUCCESS, FAILURE = pps.JobState.JOB_SUCCESS, pps.JobState.JOB_FAILURE
ONE_WORKER = {"datum_set_spec": pps.DatumSetSpec(number=100), "parallelism_spec": pps.ParallelismSpec(constant=1)}


def bash(*script: str, **fields: object) -> pps.Transform:
    return pps.Transform(**{"image": IMAGE, "cmd": ["bash", "-e"], "stdin": list(script), **fields})


@pytest.mark.parametrize(
    "fields", [{}, {"image": "ubuntu:22.04"}, {"env": {"PATH": "/usr/bin:/bin"}}, {"user": "1000"}], ids=str
)
def test_every_image_has_pachctl(bench: Workbench, fields: dict[str, object]) -> None:
    script = bash(
        "cd /pfs", "echo 'raise SystemExit(1)' > typer.py", "pachctl version --client-only > /pfs/out/version", **fields
    )
    pipeline = bench.pipeline(bench.repo(a="1"), transform=script)
    job = bench.job(pipeline)
    assert (job.state, job.reason) == (SUCCESS, "")
    assert bench.files(f"{pipeline.name}@master") == {"/version": "2.12.2\n"}


def test_a_spout_commits_with_pachctl_without_an_address_or_token(bench: Workbench) -> None:
    name = bench.name("spout")
    transform = bash(f"echo hello | pachctl put file {name}@master:/greeting -f -", "sleep 600")
    spec = {"pipeline": {"name": name}, "transform": transform.to_dict(), "spout": {}}
    bench.client.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(spec))
    file = pfs.File.from_uri(f"{name}@master:/greeting")
    wait_for(lambda: bench.client.pfs.path_exists(file), what="the spout's file")
    bench.client.pps.delete_pipeline(pipeline=pps.Pipeline(name=name))


def test_batched_shell_code_asks_for_datums_with_pachctl(bench: Workbench) -> None:
    repo = bench.repo(a="1", b="2", c="3")
    loop = ("while pachctl next datum; do", "source /pfs/.env", f"cp ${repo.replace('-', '_')} /pfs/out/", "done")
    source = pps.Input(pfs=pps.PfsInput(repo=repo, name=repo.replace("-", "_"), glob="/*", branch="master"))
    pipeline = bench.pipeline(source, transform=bash(*loop, datum_batching=True), **ONE_WORKER)
    job = bench.job(pipeline)
    assert (job.state, job.reason, job.data_processed) == (SUCCESS, "", 3)
    assert bench.files(f"{pipeline.name}@master") == {"/a": "1", "/b": "2", "/c": "3"}


def test_an_error_given_to_next_datum_fails_the_datum(bench: Workbench) -> None:
    script = bash("pachctl next datum", "pachctl next datum --error oops", datum_batching=True)
    job = bench.job(bench.pipeline(bench.repo(a="1"), transform=script, datum_tries=1, **ONE_WORKER))
    assert job.state == FAILURE
    assert "oops" in job.reason


def test_next_datum_outside_of_a_batching_pipeline_names_the_setting(bench: Workbench) -> None:
    pipeline = bench.pipeline(bench.repo(a="1"), transform=bash("pachctl next datum 2> /pfs/out/error || true"))
    bench.job(pipeline)
    assert "transform.datum_batching" in bench.files(f"{pipeline.name}@master")["/error"]
