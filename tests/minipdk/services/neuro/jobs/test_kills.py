"""kill -9 of the platform while jobs run: they run on, and their states and logs are right afterwards."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import wait_for
from tests.minipdk.services.neuro.conftest import Platform
from tests.minipdk.services.neuro.jobs.test_logs import content, log_ws


def gate(cluster: Platform, name: str) -> Path:
    """A file of the storage for which a job waits at /gate/<name>."""
    cluster.upload("gates/shut", b"")
    return cluster.home.folder("neuro-storage") / "course" / "default" / "gates" / name


def start_counting(cluster: Platform, name: str) -> str:
    """A job that prints 1 to 50 in a second, then waits for the gate, prints the end, and fails with 3."""
    volume = {"src_storage_uri": "storage://minipdk/course/default/gates", "dst_path": "/gates", "read_only": True}
    wait = f"until test -e /gates/{name}; do sleep 0.05; done"
    script = f"for n in $(seq 50); do echo $n; sleep 0.02; done; {wait}; echo end; exit 3"
    job_id = cluster.start("ubuntu", f"sh -c {script!r}", volumes=[volume], name=name)
    cluster.waited(job_id, "running")
    return job_id


def test_a_running_job_runs_on_and_its_log_has_each_line_once(cluster: Platform) -> None:
    opened, job_id = gate(cluster, "one"), start_counting(cluster, "one")
    uid = cluster.kubectl("get", "pod", job_id, "-o", "jsonpath={.metadata.uid}")
    log = cluster.home.folder("neuro-logs") / job_id / "0.log"
    wait_for(lambda: log.exists() and " 5\n" in log.read_text(), what="five lines")
    cluster.process.kill()
    cluster.process.start()
    assert cluster.job(job_id)["status"] == "running"
    assert cluster.kubectl("get", "pod", job_id, "-o", "jsonpath={.metadata.uid}") == uid
    opened.touch()
    history = cluster.waited(job_id, "failed")["history"]
    assert (history["exit_code"], history["reason"]) == (3, "Error")
    assert content(log_ws(cluster, job_id)).decode().split() == [*map(str, range(1, 51)), "end"]


def test_a_job_that_ends_meanwhile_has_ended_afterwards(cluster: Platform) -> None:
    opened, job_id = gate(cluster, "two"), start_counting(cluster, "two")
    cluster.process.kill()
    opened.touch()
    phase = "jsonpath={.status.phase}"
    wait_for(lambda: cluster.kubectl("get", "pod", job_id, "-o", phase) == "Failed", what="the pod to end")
    cluster.process.start()
    assert cluster.waited(job_id, "failed")["history"]["exit_code"] == 3
    assert content(log_ws(cluster, job_id)).decode().split()[-1] == "end"
    wait_for(lambda: job_id not in cluster.kubectl("get", "pods"), what="the pod to be removed")


def test_a_cancelled_job_is_removed_afterwards(cluster: Platform) -> None:
    job_id = start_counting(cluster, "three")
    assert cluster.ask("DELETE", f"/api/v1/jobs/{job_id}").status_code == 204
    cluster.process.kill()
    cluster.process.start()
    assert cluster.job(job_id)["status"] == "cancelled"
    wait_for(lambda: job_id not in cluster.kubectl("get", "pods,services,ingresses"), what="the job's objects to go")
    assert cluster.start("ubuntu", "true", name="three")


def test_a_job_that_was_only_accepted_runs_afterwards(cluster: Platform) -> None:
    job_id = cluster.start("ubuntu", "true")
    cluster.process.kill()
    cluster.process.start()
    cluster.waited(job_id, "succeeded")
