"""Pipelines, jobs, datums, logs and secrets, through the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.pachctl.conftest import Pachctl

from minipdk.home import Home

IMAGE = "python:3.11"


def spec(name: str, repo: str, script: str, **more: Any) -> str:
    source = {"pfs": {"repo": repo, "glob": "/*"}}
    transform = {"image": IMAGE, "cmd": ["sh", "-ec", script]}
    return json.dumps({"pipeline": {"name": name}, "transform": transform, "input": source, **more})


@pytest.fixture(scope="module")
def copied(pachctl: Pachctl) -> str:
    """A repo of two files, and a pipeline of its name plus ``-copy`` that has copied them."""
    repo = pachctl.repo("data")
    pachctl.file("pair/a", "a")
    pachctl.file("pair/b", "b")
    pachctl(f"put file {repo}@master:/ -r -f pair")
    pachctl.file("copy.json", spec(f"{repo}-copy", repo, f"cp /pfs/{repo}/* /pfs/out; echo copied"))
    pachctl("create pipeline -f copy.json")
    pachctl(f"wait job {job_of(pachctl, f'{repo}-copy')}")
    return repo


def job_of(pachctl: Pachctl, pipeline: str) -> str:
    """The newest job of a pipeline, as an argument."""
    return f"{pipeline}@{pachctl(f'list job -p {pipeline} --raw').documents[0]['job']['id']}"


def test_a_pipeline_its_jobs_and_its_datums_are_listed(pachctl: Pachctl, copied: str) -> None:
    pipeline = f"{copied}-copy"
    rows = pachctl("list pipeline").rows
    assert rows[0] == ["PROJECT", "NAME", "VERSION", "INPUT", "CREATED", "STATE / LAST JOB", "DESCRIPTION"]
    assert next(row for row in rows if row[1] == pipeline)[2:4] == ["1", f"default/{copied}:/*"]
    job = job_of(pachctl, pipeline)
    listed = pachctl(f"list job -p {pipeline}").rows
    assert " ".join(listed[0]) == "PROJECT PIPELINE ID STARTED DURATION RESTART PROGRESS DL UL STATE"
    assert listed[1][-5:] == ["0", "2 + 0 / 2", "2B", "2B", "success"]
    assert pachctl(f"list job {job.partition('@')[2]}").rows[1][1] == pipeline
    assert pachctl("list job").rows[0] == ["ID", "SUBJOBS", "PROGRESS", "CREATED", "MODIFIED"]
    datums = pachctl(f"list datum {job}").rows
    assert datums[0] == ["ID", "FILES", "STATUS", "TIME"]
    assert [row[2] for row in datums[1:]] == ["success", "success"]
    assert "State: SUCCESS" in pachctl(f"inspect datum {job} {datums[1][0]}").out
    assert len(pachctl("list datum -f copy.json").rows) == 3


def test_logs_are_those_of_the_users_code(pachctl: Pachctl, copied: str) -> None:
    assert pachctl(f"logs -p {copied}-copy").out == "copied\ncopied\n"
    assert pachctl(f"logs --job {job_of(pachctl, f'{copied}-copy')} --tail 1").out == "copied\n"
    assert "not found" in pachctl.refused("logs -p nowhere")
    assert pachctl.refused("logs -p a -j b@c") == "only one of pipeline or job should be specified"


def test_a_commit_shows_what_it_derives_from(pachctl: Pachctl, copied: str) -> None:
    source = pachctl(f"inspect commit {copied}@master --raw").documents[0]["commit"]["id"]
    assert f"{copied}@{source}" in pachctl(f"inspect-commit {copied}-copy master").out.rpartition("Provenance: ")[2]


def test_a_pipeline_is_stopped_started_updated_and_deleted(pachctl: Pachctl, copied: str) -> None:
    name = f"{copied}-change"
    documents = "\n".join([spec(name, copied, "true"), spec(f"{name}2", copied, "true")])
    pachctl("create pipelines", stdin=documents)
    assert "already exists" in pachctl.refused("create pipeline -f -", stdin=documents)
    pachctl(f"stop pipeline {name}")
    assert "paused" in pachctl(f"inspect pipeline {name}").out
    pachctl(f"start pipeline {name}")
    pachctl("update pipeline", stdin=spec(name, copied, "true", description="better"))
    assert pachctl(f"list pipeline {name}").rows[1][2] == "2"
    assert pachctl(f"list pipeline {name} --spec").documents[0]["description"] == "better"
    pachctl(["edit", "pipeline", name, "--editor", "sed -i s/better/best/"])
    assert "Description: best" in pachctl(f"inspect pipeline {name}").out
    pachctl(f"rerun pipeline {name} --reprocess")
    pachctl(f"delete pipeline {name}")
    assert "not found" in pachctl.refused(f"inspect pipeline {name}")


def test_dry_run_shows_the_effective_spec_and_makes_nothing(pachctl: Pachctl, copied: str) -> None:
    shown = pachctl("create pipeline --dry-run --raw", stdin=spec("never", copied, "true"))
    assert shown.documents[0]["pipeline"] == {"name": "never", "project": {"name": "default"}}
    plain = pachctl("create pipeline --dry-run", stdin=spec("never", copied, "true", parallelism_spec={"constant": 3}))
    assert plain.out.startswith("Name: never\nParallelism Spec: constant:3\nInput: {")
    assert "never" not in pachctl("list pipeline").out


def test_a_1_7_spec_runs_with_a_notice(pachctl: Pachctl, copied: str) -> None:
    old = json.loads(spec(f"{copied}-old", copied, "true", parallelism_spec={"coefficient": 1}, job_timeout="5m"))
    old["input"] = {"atom": old["input"]["pfs"]}
    made = pachctl("create-pipeline -f -", stdin=json.dumps(old))
    assert [line.partition(":")[0] for line in made.err.splitlines()] == ["hint", "notice", "notice", "notice"]
    assert pachctl(f"wait job {job_of(pachctl, f'{copied}-old')} --raw").documents[0]["state"] == "JOB_SUCCESS"


def test_what_the_cluster_refuses_it_says_itself(pachctl: Pachctl, copied: str) -> None:
    broken = {**json.loads(spec("broken", copied, "true")), "nonsense": 1}
    assert "nonsense" in pachctl.refused("create pipeline", stdin=json.dumps(broken))


def test_secrets_are_made_from_manifests_and_never_shown(
    pachctl: Pachctl, home: Home, run_service: Callable[..., Any]
) -> None:
    run_service(home, "kubernetes", "kubernetes")
    manifest = "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {password: hidden}\n"
    pachctl("create secret -f -", stdin=manifest)
    assert pachctl("list secret").rows[0] == ["NAME", "TYPE", "CREATED"]
    shown = pachctl("inspect secret key")
    assert (shown.rows[1][0], "hidden" in shown.out) == ("key", False)
    pachctl("delete secret key")
    assert "not found" in pachctl.refused("inspect secret key")
