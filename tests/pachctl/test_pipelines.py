"""Pipelines, jobs, datums, logs and secrets, through the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import wait_for
from tests.pachctl.conftest import Pachctl

from minipdk.common.home import Home

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
    assert rows[0] == ["PROJECT", "NAME", "VERSION", "INPUT", "CREATED", "STATE / LAST JOB", "ALERTS", "DESCRIPTION"]
    assert next(row for row in rows if row[1] == pipeline)[2:4] == ["1", f"default/{copied}:/*"]
    job = job_of(pachctl, pipeline)
    listed = pachctl(f"list job -p {pipeline}").rows
    assert " ".join(listed[0]) == "PROJECT PIPELINE ID STARTED DURATION RESTART PROGRESS DL UL STATE"
    assert listed[1][-5:] == ["0", "2 + 0 / 2", "2B", "2B", "success"]
    assert pachctl(f"list job {job.partition('@')[2]}").rows[1][1] == pipeline
    assert pipeline in [row[1] for row in pachctl(f"list job --expand --input {copied}@master --state success").rows]
    assert "when listing all jobs" in pachctl.refused(f"list job --input {copied}@master")
    assert pachctl("list job").rows[0] == ["ID", "SUBJOBS", "PROGRESS", "CREATED", "MODIFIED"]
    datums = pachctl(f"list datum {job}").rows
    assert datums[0] == ["ID", "FILES", "STATUS", "TIME"]
    assert [row[2] for row in datums[1:]] == ["success", "success"]
    assert "State: SUCCESS" in pachctl(f"inspect datum {job} {datums[1][0]}").out
    assert len(pachctl("list datum -f copy.json").rows) == 3


def test_logs_come_from_the_users_code(pachctl: Pachctl, copied: str) -> None:
    assert pachctl(f"logs -p {copied}-copy").out == "copied\ncopied\n"
    assert pachctl(f"logs --job {job_of(pachctl, f'{copied}-copy')} --tail 1").out == "copied\n"
    assert "not found" in pachctl.refused("logs -p nowhere")
    assert pachctl.refused("logs -p a -j b@c") == "only one of pipeline or job should be specified"


def test_a_commit_shows_its_provenance(pachctl: Pachctl, copied: str) -> None:
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
    assert [row[2] for row in pachctl(f"list pipeline {name} --history all").rows[1:]] == ["4", "3", "2", "1"]
    pachctl(f"delete pipeline {name}")
    assert "not found" in pachctl.refused(f"inspect pipeline {name}")


def test_dry_run_shows_the_effective_spec_and_makes_nothing(pachctl: Pachctl, copied: str) -> None:
    shown = pachctl("create pipeline --dry-run --raw", stdin=spec("never", copied, "true"))
    assert shown.documents[0]["pipeline"] == {"name": "never", "project": {"name": "default"}}
    plain = pachctl("create pipeline --dry-run", stdin=spec("never", copied, "true", parallelism_spec={"constant": 3}))
    assert plain.out.startswith(
        "Name: never\nParallelism Spec: constant:3\nResourceRequests:\n  CPU: 1\n  Memory: 256Mi\n"
        "Datum Timeout: <nil>\nJob Timeout: <nil>\nInput: {"
    )
    assert "never" not in pachctl("list pipeline").out


def test_a_1_7_spec_runs_with_a_notice(pachctl: Pachctl, copied: str) -> None:
    old = json.loads(spec(f"{copied}-old", copied, "true", parallelism_spec={"coefficient": 1}, job_timeout="5m"))
    old["input"] = {"atom": old["input"]["pfs"]}
    made = pachctl("create-pipeline -f -", stdin=json.dumps(old))
    assert [line.partition(":")[0] for line in made.err.splitlines()] == ["hint", "notice", "notice", "notice"]
    assert pachctl(f"wait job {job_of(pachctl, f'{copied}-old')} --raw").documents[0]["state"] == "JOB_SUCCESS"


def test_a_refusal_of_the_cluster_is_shown_in_its_words(pachctl: Pachctl, copied: str) -> None:
    broken = {**json.loads(spec("broken", copied, "true")), "nonsense": 1}
    assert "nonsense" in pachctl.refused("create pipeline", stdin=json.dumps(broken))


def test_a_job_is_watched_its_datum_restarted_and_stopped(pachctl: Pachctl, copied: str) -> None:
    name = f"{copied}-slow"
    script = f"echo begin; cat /pfs/{copied}/* >> /pfs/out/all; mkfifo wait; cat wait"
    pachctl("create pipeline", stdin=spec(name, copied, script, parallelism_spec={"constant": 2}))
    job = job_of(pachctl, name)

    def log() -> list[str]:
        return pachctl(f"logs --job {job}").out.split()

    wait_for(lambda: len(log()) == 2, seconds=120, what="both datums to begin")
    shown = pachctl(f"inspect job {job}").out
    assert "ParallelismSpec: constant:2\n" in shown
    assert {f"/{name}" for name in "ab"} <= set(shown.partition("Worker Status:")[2].partition("Restarts:")[0].split())
    pachctl(f"restart datum {job} /a")
    wait_for(lambda: len(log()) == 3, seconds=120, what="a datum to start again")
    pachctl(f"stop job {job}")
    assert pachctl(f"wait job {job}").rows[1][-1].startswith("killed")
    pachctl(f"delete job {job}")
    assert "not found" in pachctl.refused(f"inspect job {job}")
    assert pachctl.refused(f"inspect job {job.partition('@')[2]}").startswith('Use "list job <id>"')


def test_logs_are_chosen_by_datum_file_time_and_number(pachctl: Pachctl, copied: str) -> None:
    job = job_of(pachctl, f"{copied}-copy")
    datum = pachctl(f"list datum {job}").rows[1][0]
    assert pachctl(f"logs --job {job} --datum {datum}").out == "copied\n"
    assert pachctl(f"logs --pipeline {copied}-copy --inputs /a").out == "copied\n"
    said = pachctl(f"logs --pipeline {copied}-copy --since 24h --raw").documents
    assert [message["message"] for message in said if message.get("user")] == ["copied", "copied"]
    with pachctl.following(f"logs --job {job} --follow") as lines:
        assert [lines.readline(), lines.readline()] == ["copied\n", "copied\n"]
    assert pachctl.refused(f"logs -p {copied}-copy --since soon").startswith("error parsing since ('soon')")
    assert pachctl(f"logs -p {copied}-copy --worker").out.count("\n") > 2


def test_a_pipeline_runs_again_on_request(pachctl: Pachctl, copied: str) -> None:
    name = f"{copied}-cron"
    cron = {"pipeline": {"name": name}, "transform": {"image": IMAGE, "cmd": ["true"]}}
    pachctl("create pipeline", stdin=json.dumps({**cron, "input": {"cron": {"name": "tick", "spec": "@every 1h"}}}))
    before = len(pachctl(f"list job -p {name}").rows)
    pachctl(f"run cron {name}")
    wait_for(lambda: len(pachctl(f"list job -p {name}").rows) > before, seconds=120, what="a job of the tick")
    assert pachctl(f"list pipeline {name}").rows[1][3] == "tick:@every 1h"
    pachctl(f"delete pipeline {name}")


def test_every_pipeline_of_a_project_is_deleted_together(pachctl: Pachctl) -> None:
    pachctl("create project brief")
    pachctl("create repo in --project brief")
    pachctl("create pipelines --project brief", stdin=spec("one", "in", "true") + spec("two", "in", "true"))
    assert {row[1] for row in pachctl("list pipeline --project brief").rows[1:]} == {"one", "two"}
    assert "either a pipeline name" in pachctl.refused("delete pipeline --project brief")
    pachctl("delete pipeline --all --project brief")
    assert pachctl("list pipeline --project brief").rows[1:] == []
    refused = pachctl.run("delete project brief", stdin="n\n")
    assert (refused.code, refused.out) == (1, "This will delete repo brief/in\n")
    pachctl("delete project brief --force")


def test_specs_are_validated_without_a_cluster(pachctl: Pachctl) -> None:
    pachctl("validate pipeline", stdin=spec("a", "b", "true"), PACHD_ADDRESS="127.0.0.1:1")
    assert pachctl.refused("validate pipeline", stdin="{}") == "no `pipeline` specified"
    faults: dict[str, tuple[dict[str, Any], str]] = {
        "nonsense": ({"nonsense": 1}, 'unknown field "nonsense"'),
        "deep": ({"input": {"cross": [{"pfs": {"glop": "/"}}]}}, 'unknown field "glop"'),
        "shape": ({"transform": {"cmd": "sh"}}, "transform.cmd must be a list"),
    }
    for fields, fault in faults.values():
        for command in ("validate pipeline", "create pipeline", "update pipeline"):
            assert fault in pachctl.refused(command, stdin=spec("a", "b", "true", **fields))
    camel = {"datumTimeout": "5s", "podPatch": "[]", "egress": {"URL": "s3://b"}, "metadata": {"labels": {"any": "name"}}}
    pachctl("validate pipeline", stdin=spec("a", "b", "true", **camel))
    assert "exactly one" in pachctl.refused("create pipeline -f a --jsonnet b")
    assert "--push-images is not supported" in pachctl.refused("create pipeline -f a --push-images")


def test_an_image_without_a_fixed_tag_is_advised_against(pachctl: Pachctl) -> None:
    for image, advice in {"python": "specify a tag", "python:latest": "do not specify the ':latest' tag"}.items():
        transform = {"image": image, "cmd": ["true"]}
        assert f"WARNING: please {advice}" in pachctl("validate pipeline", stdin=spec("a", "b", "", transform=transform)).err


def test_an_edit_may_not_rename_and_reports_when_nothing_changed(pachctl: Pachctl, copied: str) -> None:
    pipeline = f"{copied}-copy"
    unchanged = pachctl(f"edit pipeline {pipeline} -o yaml", EDITOR="true")
    assert unchanged.out == "Pipeline unchanged, no update will be performed.\n"
    rename = ["edit", "pipeline", pipeline, "--editor", f"sed -i s/{pipeline}/other/"]
    assert pachctl.refused(rename) == "may not change pipeline name"
    assert "the pipeline is unchanged" in pachctl.refused(f"edit pipeline {pipeline}", EDITOR="false")


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
