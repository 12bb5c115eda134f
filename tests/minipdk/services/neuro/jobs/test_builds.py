"""Builds: kaniko's jobs, carried out by the cluster's builder."""

from __future__ import annotations

import pytest
from tests.conftest import wait_for
from tests.minipdk.services.neuro.conftest import PROJECT, Platform
from tests.minipdk.services.neuro.jobs.test_logs import content, log_ws

from minipdk.images import ImageStore


def tags(platform: Platform, name: str) -> list[str]:
    answer = platform.ask("GET", f"/v2/{PROJECT}/{name}/tags/list", headers={"Authorization": f"Bearer {platform.token}"})
    return list(answer.json().get("tags", []))


def test_an_image_is_built_and_shown_by_the_registry(platform: Platform) -> None:
    platform.upload(".builds/one/context/Dockerfile", b"ARG WORD=default\nFROM ubuntu\nARG WORD\nENV SAID=$WORD\n")
    platform.upload(".builds/one/.docker.config.json", b"{}")
    options = "--build-arg WORD=hello --cache=true --cache-repo=127.0.0.1 --verbosity=info --snapshot-mode=redo"
    job_id = platform.build(".builds/one/context", "built/here:1.0", options=options)
    job = platform.waited(job_id, "succeeded")
    assert job["history"]["exit_code"] == 0
    log = content(log_ws(platform, job_id)).decode()
    assert "FROM ubuntu" in log
    assert ImageStore(platform.home).resolve(f"{platform.registry}/{PROJECT}/built/here:1.0").config.env["SAID"] == "hello"
    assert tags(platform, "built/here") == ["1.0"]
    wait_for(lambda: platform.storage("GET", ".builds/one", "GETFILESTATUS").status_code == 404, what="the context to go")


def test_an_image_is_the_base_of_another_by_its_name_in_the_registry(platform: Platform) -> None:
    platform.upload("base/Dockerfile", b"FROM ubuntu\nENV A=1\n")
    platform.waited(platform.build("base", "chain/base:1"), "succeeded")
    platform.upload("next/Dockerfile", f"FROM {platform.registry}/{PROJECT}/chain/base:1\nENV B=2\n".encode())
    platform.waited(platform.build("next", "chain/next:1"), "succeeded")
    environment = ImageStore(platform.home).resolve(f"registry.neuro/{PROJECT}/chain/next:1").config.env
    assert (environment["A"], environment["B"]) == ("1", "2")


def test_arguments_that_no_program_takes_end_the_build(platform: Platform) -> None:
    platform.upload("arguments/Dockerfile", b"FROM ubuntu\n")
    job = platform.waited(platform.build("arguments", "a:1", options=f"--build-arg A={'x' * 300_000}"), "failed")
    assert job["history"]["description"] == "the builder cannot be started: argument list too long"
    platform.waited(platform.build("arguments", "a:1", options="--build-arg --home=/tmp"), "succeeded")


def test_the_whole_project_may_be_the_context(platform: Platform) -> None:
    platform.upload("whole.Dockerfile", b"FROM ubuntu\n")
    platform.waited(platform.build("", "whole:1", dockerfile="whole.Dockerfile"), "succeeded")


@pytest.mark.parametrize(
    ("dockerfile", "content_", "message"),
    [
        ("Dockerfile", b"FROM ubuntu\n\nRUN echo building && exit 7\n", "Dockerfile:3: RUN echo building && exit 7"),
        ("Dockerfile", b"FROM ubuntu\nCOPY missing .\n", "Dockerfile:2: COPY: no file of the build context"),
        ("Dockerfile", b"FROM nowhere/image:1\n", "Dockerfile:1: FROM: image nowhere/image:1 is not here"),
        ("Dockerfile", b"FRUM ubuntu\n", "Dockerfile:1:"),
        ("missing.Dockerfile", b"", "the Dockerfile missing.Dockerfile does not exist in the context"),
        ("../failing/Dockerfile", b"FROM ubuntu\n", "is outside of the context"),
        ("../../other", b"", "is outside of the context"),
    ],
    ids=["step", "copy", "base", "syntax", "missing", "beside", "outside"],
)
def test_a_build_that_fails_says_where(platform: Platform, dockerfile: str, content_: bytes, message: str) -> None:
    platform.upload("failing/Dockerfile", content_)
    job_id = platform.build("failing", "failing:1", dockerfile=dockerfile.replace("failing", "elsewhere"))
    job = platform.waited(job_id, "failed")
    assert message in job["history"]["description"]
    assert job["history"]["exit_code"] == 1
    assert message in content(log_ws(platform, job_id)).decode()
    assert str(platform.home.path) not in job["history"]["description"]
    assert tags(platform, "failing") == []


def test_a_dockerfile_that_leads_out_of_the_context_is_not_read(platform: Platform) -> None:
    platform.upload("linked/context/file", b"")
    platform.upload("linked/Dockerfile", b"FROM ubuntu\n")
    folder = platform.home.folder("neuro-storage") / PROJECT / "linked"
    (folder / "context" / "Dockerfile").symlink_to("../Dockerfile")
    job = platform.waited(platform.build("linked/context", "linked:1"), "failed")
    assert "is outside of the context" in job["history"]["description"]


@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        ("--context=/kaniko_context --dockerfile=/x", 400, "a build needs --destination once"),
        (
            "--context=/kaniko_context --dockerfile=/x --destination=ghcr.io/me/x:1",
            400,
            "is not an image of this registry's",
        ),
        ("--context=/other --dockerfile=/x --destination={registry}/course/default/x:1", 400, "is not the path of one of"),
        ("--tar-path=/x", 501, "kaniko's argument --tar-path is not supported by minipdk"),
        ("build", 501, "kaniko's argument build is not supported by minipdk"),
        ("--context", 400, "needs a value"),
    ],
)
def test_a_build_that_cannot_be_is_refused(platform: Platform, command: str, status: int, message: str) -> None:
    volume = {"src_storage_uri": f"storage://minipdk/{PROJECT}/c", "dst_path": "/kaniko_context"}
    answer = platform.submit(
        "gcr.io/kaniko-project/executor:v1.20.0-debug", command.format(registry=platform.registry), volumes=[volume]
    )
    assert (answer.status_code, message in answer.json()["error"]) == (status, True), answer.text


def test_two_builds_of_one_tag_both_succeed(platform: Platform) -> None:
    for number in (1, 2):
        platform.upload(f"twice/{number}/Dockerfile", f"FROM ubuntu\nENV N={number}\n".encode())
    jobs = [platform.build(f"twice/{number}", "twice:1") for number in (1, 2)]
    for job_id in jobs:
        platform.waited(job_id, "succeeded")
    assert tags(platform, "twice") == ["1"]
    assert ImageStore(platform.home).resolve(f"registry.neuro/{PROJECT}/twice:1").config.env["N"] in ("1", "2")


def test_a_killed_build_is_cancelled(platform: Platform) -> None:
    platform.upload("slow/Dockerfile", b"FROM ubuntu\nRUN echo begun && sleep 1000\n")
    job_id = platform.build("slow", "slow:1")
    with log_ws(platform, job_id) as log:
        wait_for(lambda: b"begun" in log.recv(60) or None, what="the step to begin")
        assert platform.ask("DELETE", f"/api/v1/jobs/{job_id}").status_code == 204
        assert [*log] == []
    assert platform.job(job_id)["status"] == "cancelled"
    assert tags(platform, "slow") == []


def test_a_killed_service_begins_its_builds_again(platform: Platform) -> None:
    platform.upload(".builds/again/context/Dockerfile", b"FROM ubuntu\nRUN echo begun && sleep 3\nENV DONE=1\n")
    job_id = platform.build(".builds/again/context", "again:1")
    with log_ws(platform, job_id) as log:
        wait_for(lambda: b"begun" in log.recv(60) or None, what="the step to begin")
        platform.process.kill()
    platform.process.start()
    assert platform.job(job_id)["status"] == "running"
    platform.waited(job_id, "succeeded")
    assert "the build begins again" in content(log_ws(platform, job_id)).decode()
    assert tags(platform, "again") == ["1"]
    wait_for(lambda: platform.storage("GET", ".builds/again", "GETFILESTATUS").status_code == 404, what="the context to go")


def test_a_repository_is_paged_and_its_images_are_deleted(platform: Platform) -> None:
    platform.upload("paged/Dockerfile", b"FROM ubuntu\nENV P=1\n")
    for tag in ("a", "b", "c"):
        platform.waited(platform.build("paged", f"paged:{tag}"), "succeeded")
    assert platform.ask("GET", f"/v2/{PROJECT}/paged/tags/list?n=0").status_code == 400
    first = platform.ask("GET", f"/v2/{PROJECT}/paged/tags/list?n=2")
    assert (first.json()["tags"], first.links["next"]["rel"]) == (["a", "b"], "next")
    assert platform.session.get(first.links["next"]["url"], timeout=60).json()["tags"] == ["c"]
    manifest = platform.ask("HEAD", f"/v2/{PROJECT}/paged/manifests/a")
    digest = manifest.headers["docker-content-digest"]
    assert platform.ask("GET", f"/v2/{PROJECT}/paged/manifests/{digest}").json()["schemaVersion"] == 2
    assert platform.ask("DELETE", f"/v2/{PROJECT}/paged/manifests/{digest}").status_code == 202
    unknown = platform.ask("GET", f"/v2/{PROJECT}/paged/tags/list")
    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")
