"""Jobs: their states and reasons, their limits, and requests for jobs that cannot be."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
import requests
from tests.conftest import wait_for
from tests.minipdk.services.neuro.conftest import KANIKO, Platform
from websockets.sync.client import connect

from minipdk.services.neuro.jobs import pods
from minipdk.services.neuro.jobs.runner import overdue
from minipdk.services.neuro.model import Container, Job, Resources, Status, Transition

TRAP = "trap '' TERM; echo deaf; while true; do sleep 0.1; done"


def shell(script: str) -> str:
    return f"sh -c {script!r}"


def log_of(cluster: Platform, job_id: str) -> str:
    url = f"ws{cluster.url.removeprefix('http')}/monitoring/{job_id}/log_ws"
    with connect(url, additional_headers={"Authorization": f"Bearer {cluster.token}"}) as socket:
        return b"".join(part for part in socket if isinstance(part, bytes)).decode()


@pytest.mark.parametrize(
    ("command", "status", "code", "reason"),
    [
        ("true", "succeeded", 0, ""),
        ("sh -c 'echo why; exit 3'", "failed", 3, "Error"),
        ("no-such-program", "failed", 127, "Error"),
    ],
)
def test_a_job_ends_with_its_programs_status(cluster: Platform, command: str, status: str, code: int, reason: str) -> None:
    job = cluster.waited(cluster.start("ubuntu", command))
    history = job["history"]
    assert (job["status"], history["exit_code"], history["reason"]) == (status, code, reason)
    assert [entry["status"] for entry in job["statuses"] if entry["status"] != "pending"] == ["running", status]
    wait_for(lambda: job["id"] not in cluster.kubectl("get", "pods,services,ingresses"), what="the job's objects to go")


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [
        ({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, Status.FAILED, "OOMKilled"),
        (
            {"waiting": {"reason": "CreateContainerConfigError", "message": "why"}},
            Status.FAILED,
            "CreateContainerConfigError",
        ),
        ({"waiting": {"reason": "ContainerCreating"}}, Status.PENDING, "ContainerCreating"),
        ({"running": {"startedAt": "2026-01-01T00:00:00Z"}}, Status.RUNNING, ""),
    ],
)
def test_a_jobs_reason_is_its_containers(state: dict[str, Any], status: Status, reason: str) -> None:
    pod = {"spec": {"nodeName": "minipdk"}, "status": {"containerStatuses": [{"state": state}]}}
    state_ = pods.state(pod)
    assert (state_.status, state_.reason) == (status, reason)


def test_an_unknown_image_ends_the_job_with_its_name(cluster: Platform) -> None:
    missing = f"{cluster.registry}/course/default/nowhere:1"
    job = cluster.waited(cluster.start(missing, "true"), "failed")
    assert job["history"]["reason"] == "ErrImagePull"
    assert "404 Not Found: it was never built, or it was removed" in job["history"]["description"]


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"preset_name": "tpu"}, 400, "preset 'tpu' does not exist: choose one of cpu-small, gpu-small"),
        ({"image": "Not an image"}, 400, "not a valid image name"),
        ({"name": "A b"}, 400, "name 'A b' must have"),
        ({"name": "größe"}, 400, "name 'größe' must have"),
        ({"name": "job-1"}, 400, "name 'job-1' must have"),
        ({"command": "sh -c 'open"}, 400, "command cannot be split into words: no closing quotation"),
        ({"http": {"port": 65536}}, 400, "http.port 65536 must be"),
        ({"env": {"1 x": "y"}}, 400, "'1 x' is not a name of a variable"),
        ({"env": {"x": 1}}, 400, "the value of x must be text"),
        ({"working_dir": "here"}, 400, "must be an absolute path"),
        ({"max_run_time_minutes": -1}, 400, "max_run_time_minutes"),
        ({"max_run_time_minutes": 10**400}, 400, "max_run_time_minutes must be a whole number of minutes, at most"),
        ({"schedule_timeout": 10**400}, 400, "schedule_timeout must be a number of seconds, at most"),
        ({"command": "echo a\0b"}, 400, "command must not have null characters"),
        ({"entrypoint": "ec\0ho"}, 400, "entrypoint must not have null characters"),
        ({"tags": ["a,b"]}, 400, "without commas"),
        ({"shoe_size": 43}, 400, "unknown fields of a job: shoe_size"),
        ({"project_name": "other"}, 403, "project_name 'other' is not known here: it is 'default'"),
        ({"cluster_name": "other"}, 403, "cluster_name 'other' is not known here"),
        ({"restart_policy": "always"}, 501, "the restart policy 'always' is not supported by minipdk"),
        ({"secret_env": {"X": "secret://minipdk/x"}}, 501, "a secret as a variable is not supported"),
        ({"secret_volumes": [{}]}, 501, "a secret as a file is not supported"),
        ({"disk_volumes": [{}]}, 501, "a disk as a volume is not supported"),
        ({"privileged": True}, 501, "a privileged job is not supported"),
        ({"priority": "high"}, 501, "the priority of a job is not supported"),
        ({"energy_schedule_name": "night"}, 501, "an energy schedule is not supported"),
        ({"scheduler_enabled": True}, 501, "scheduler"),
    ],
)
def test_a_job_that_cannot_be_is_refused(cluster: Platform, fields: dict[str, Any], status: int, message: str) -> None:
    answer = cluster.submit(**({"image": "ubuntu"} | fields))
    assert (answer.status_code, message in answer.json()["error"]) == (status, True), answer.text


@pytest.mark.parametrize(
    ("uri", "target", "status", "message"),
    [
        ("storage://minipdk/course/default/missing", "/x", 400, "does not exist: make it with `neuro mkdir -p`"),
        ("storage://minipdk/course/default/../../x", "/x", 403, "no project"),
        ("storage://minipdk/course/other/x", "/x", 403, "no project course/other"),
        ("storage://other/course/default/x", "/x", 403, "the cluster 'other' is not known here"),
        ("secret://minipdk/course/default/x", "/x", 400, "must be like storage://"),
        ("storage://minipdk/course/default/x", "relative", 400, "must be an absolute path"),
        ("storage://minipdk/course/default/x", "/", 400, "and not its root"),
        ("storage://minipdk/course/default/x", "//", 400, "and not its root"),
    ],
)
def test_a_volume_that_cannot_be_is_refused(cluster: Platform, uri: str, target: str, status: int, message: str) -> None:
    answer = cluster.submit("ubuntu", volumes=[{"src_storage_uri": uri, "dst_path": target, "read_only": True}])
    assert (answer.status_code, message in answer.json()["error"]) == (status, True), answer.text


def test_numbers_of_any_length_in_a_question_are_refused_or_ignored(cluster: Platform) -> None:
    many = "1" * 5000
    refused = cluster.ask("GET", f"/api/v1/jobs?limit={many}")
    assert (refused.status_code, refused.json()["error"].endswith("must be a positive number")) == (400, True)
    assert cluster.ask("GET", "/api/v1/config", headers={"User-Agent": f"ApoloCLI/{many}.1"}).status_code == 200


def test_a_job_with_more_variables_than_a_pod_can_have_fails(cluster: Platform) -> None:
    job = cluster.waited(cluster.start("ubuntu", env={f"A{number}": "x" * 4000 for number in range(900)}), "failed")
    assert job["history"]["reason"] == "InvalidPod"
    assert "too large" in job["history"]["description"]


def test_a_symlink_out_of_the_project_is_no_volume(cluster: Platform) -> None:
    link = cluster.home.folder("neuro-storage") / "course" / "default" / "escape"
    link.symlink_to("/etc")
    volume = {"src_storage_uri": "storage://minipdk/course/default/escape", "dst_path": "/x", "read_only": True}
    answer = cluster.submit("ubuntu", volumes=[volume])
    assert (answer.status_code, answer.json()["errno"]) == (400, "EXDEV")


def test_a_volume_has_the_files_of_the_storage(cluster: Platform) -> None:
    cluster.upload("volume/in", b"from the storage")
    uri = "storage://minipdk/course/default/volume"
    volumes = [
        {"src_storage_uri": uri, "dst_path": "/read", "read_only": True},
        {"src_storage_uri": f"{uri}/new", "dst_path": "/write", "read_only": False},
    ]
    script = "cat /read/in > /write/out; touch /read/no || echo read-only"
    job = cluster.waited(cluster.start("ubuntu", shell(script), volumes=volumes), "succeeded")
    assert "read-only" in log_of(cluster, job["id"])
    assert cluster.storage("GET", "volume/new/out", "OPEN").content == b"from the storage"


def test_a_running_jobs_name_is_taken(cluster: Platform) -> None:
    job_id = cluster.start("ubuntu", "sleep 1000", name="taken")
    answer = cluster.submit("ubuntu", name="taken")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(
        "a job with the name 'taken' is pending or running: end it with `neuro kill taken`"
    )
    assert cluster.ask("DELETE", f"/api/v1/jobs/{job_id}").status_code == 204
    again = cluster.start("ubuntu", "true", name="taken")
    cluster.waited(again, "succeeded")


def test_a_deaf_job_is_cancelled_immediately_and_killed_soon(cluster: Platform) -> None:
    job_id = cluster.start("ubuntu", shell(TRAP))
    cluster.waited(job_id, "running")
    wait_for(lambda: "deaf" in cluster.kubectl("logs", job_id), what="the job to ignore SIGTERM")
    assert cluster.ask("DELETE", f"/api/v1/jobs/{job_id}").status_code == 204
    assert cluster.job(job_id)["status"] == "cancelled"
    wait_for(lambda: job_id not in cluster.kubectl("get", "pods"), seconds=30, what="the pod to be killed")
    assert "deaf" in log_of(cluster, job_id)


def test_killing_an_ended_job_changes_nothing_and_an_unknown_one_is_not_found(cluster: Platform) -> None:
    job_id = cluster.start("ubuntu", "true")
    cluster.waited(job_id, "succeeded")
    assert cluster.ask("DELETE", f"/api/v1/jobs/{job_id}").status_code == 204
    assert cluster.job(job_id)["status"] == "succeeded"
    for method in ("GET", "DELETE"):
        missing = cluster.ask(method, "/api/v1/jobs/job-unknown")
        assert (missing.status_code, missing.json()["error"]) == (
            404,
            "there is no job 'job-unknown': `neuro ps -a` lists all",
        )


def test_a_pod_that_is_deleted_by_hand_ends_its_job(cluster: Platform) -> None:
    job_id = cluster.start("ubuntu", "sleep 1000")
    cluster.waited(job_id, "running")
    cluster.kubectl("delete", "pod", job_id, "--grace-period=1")
    assert cluster.waited(job_id, "failed")["history"]["reason"] in ("PodDeleted", "Error")


def test_a_job_that_never_listens_is_no_error(cluster: Platform) -> None:
    job_id = cluster.start("ubuntu", "sleep 1000", http={"port": 5000, "requires_auth": False})
    job = cluster.waited(job_id, "running")
    url = job["http_url"]
    assert url == f"{cluster.home.url('ingress')}/jobs/{job_id}/"
    wait_for(lambda: requests.get(url, timeout=60).status_code in (502, 503), what="the address to say so")
    assert "error" in requests.get(url, timeout=60).json()
    assert cluster.job(job_id)["status"] == "running"
    cluster.ask("DELETE", f"/api/v1/jobs/{job_id}")
    wait_for(lambda: requests.get(url, timeout=60).status_code == 404, what="the address to go")


def test_an_address_asks_for_the_token_unless_the_job_says_otherwise(cluster: Platform) -> None:
    command = "python -m http.server 5000"
    job_id = cluster.start("python:3.11", command, name="guarded", http={"port": 5000, "requires_auth": True})
    url = cluster.waited(job_id, "running")["http_url_named"]
    assert url == f"{cluster.home.url('ingress')}/jobs/guarded--user/"
    bearer = {"Authorization": f"Bearer {cluster.token}"}
    assert wait_for(lambda: requests.get(url, headers=bearer, timeout=60).ok, what="the job to answer")
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        refused = requests.get(url, headers=headers, timeout=60)
        assert (refused.status_code, "send the header" in refused.json()["error"]) == (401, True)
    assert requests.get(f"{url}?access_token={cluster.token}", timeout=60).status_code == 401
    cluster.ask("DELETE", f"/api/v1/jobs/{job_id}")


def test_a_jobs_variables_are_its_own_and_the_platforms(cluster: Platform) -> None:
    script = 'echo "$NEURO_JOB_ID $GREETING"; test -n "$APOLO_PASSED_CONFIG"'
    job_id = cluster.start("ubuntu", shell(script), env={"GREETING": "hello $(HOME)"}, pass_config=True)
    cluster.waited(job_id, "succeeded")
    assert log_of(cluster, job_id) == f"{job_id} hello $(HOME)\n"


def test_jobs_are_listed_by_what_they_are(cluster: Platform) -> None:
    first = cluster.start("ubuntu", "true", tags=["list:a", "both"], name="listed-one")
    second = cluster.start("ubuntu", "false", tags=["list:b", "both"])
    cluster.waited(first)
    cluster.waited(second)

    def ids(**query: Any) -> list[str]:
        listed = cluster.ask("GET", "/api/v1/jobs", params=query).json()["jobs"]
        return [job["id"] for job in listed if job["id"] in (first, second)]

    assert ids(tag="both") == [first, second]
    assert ids(tag="both", reverse="1", limit="1") == [second]
    assert ids(tag=["both", "list:b"]) == [second]
    assert ids(status="failed", tag="both") == [second]
    assert ids(name="listed-one") == [first]
    assert ids(tag="both", owner="somebody") == []
    assert ids(tag="both", org_name="other") == []
    assert ids(tag="both", since=cluster.job(second)["history"]["created_at"]) == [second]
    assert cluster.ask("GET", "/api/v1/jobs", params={"since": "yesterday"}).status_code == 400
    assert cluster.ask("GET", "/api/v1/jobs", params={"limit": "-1"}).status_code == 400


@pytest.mark.parametrize(
    "path", ["/api/v1/users/user/permissions", "/secrets/x", "/disks", "/buckets", "/monitoring/x/top", "/apis/apps/v1/x"]
)
def test_anything_else_is_not_supported(cluster: Platform, path: str) -> None:
    answer = cluster.ask("GET", path)
    assert (answer.status_code, answer.json()) == (501, {"error": f"GET {path} is not supported by minipdk"})


def test_a_jobs_time_ends_it() -> None:
    now = time.time()
    running = (Transition(Status.PENDING, now - 200), Transition(Status.RUNNING, now - 119))
    job = Job(
        "job-1", "user", Container("ubuntu"), Resources(1.0, 1), "cpu-small", max_run_time_minutes=2, transitions=running
    )
    assert overdue(job) is None
    late = replace(job, max_run_time_minutes=1)
    assert overdue(late) == (Status.CANCELLED, "LifeSpanExceeded", "the job has run for 1 minutes")
    waiting = replace(job, schedule_timeout=100, transitions=running[:1])
    assert overdue(waiting) == (Status.FAILED, "ScheduleTimeout", "the job did not start within 100 s: ")


def test_a_build_with_another_volume_is_refused(cluster: Platform) -> None:
    volume = {"src_storage_uri": "storage://minipdk/course/default/x", "dst_path": "/data", "read_only": False}
    context = {"src_storage_uri": "storage://minipdk/course/default/y", "dst_path": "/c", "read_only": False}
    command = f"--context=/c --dockerfile=/c/Dockerfile --destination={cluster.registry}/course/default/x:1"
    answer = cluster.submit(KANIKO, command, volumes=[context, volume])
    assert (answer.status_code, answer.json()["error"]) == (501, "the volume /data of a build is not supported by minipdk")
