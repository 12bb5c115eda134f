"""kill -9 of pachd: acknowledged commits exist, unfinished jobs go on, and finished datums do not run again."""

from __future__ import annotations

import subprocess

from pachyderm_sdk.api import pps
from tests.conftest import ServiceProcess, wait_for
from tests.minipdk.services.pachyderm.conftest import wait_until_it_answers
from tests.minipdk.services.pachyderm.pipelines import Workbench, mounted

from minipdk.common.home import Home

WAITS_FOR_A_FILE = """
for name in /pfs/{repo}/*; do echo "run $(basename $name)"; done
case $(ls /pfs/{repo}) in b) while [ ! -e {gate} ]; do sleep 0.05; done;; esac
cp /pfs/{repo}/* /pfs/out/
"""


def test_a_job_goes_on_after_kill_9_without_repeating_finished_datums(
    bench: Workbench, pachd: ServiceProcess, home: Home
) -> None:
    """Datum b hangs until pachd has been killed; a, which came before, must not run a second time."""
    gate_folder = home.folder("shared_fs")
    repo = bench.repo(a="1", b="2")
    script = WAITS_FOR_A_FILE.format(repo=repo, gate="/gate/open")
    pipeline = bench.pipeline(repo, script, pod_patch=mounted(gate_folder))
    (job,) = bench.client.pps.list_job(pipeline=pipeline)
    wait_for(lambda: bench.client.pps.inspect_job(job=job.job).data_processed == 1, what="the first datum")
    wait_for(lambda: "run b" in bench.log(pipeline=pipeline), what="the second datum to start")
    containers = children_of(pachd)
    assert containers
    pachd.kill()
    wait_for(lambda: not any(alive(pid) for pid in containers), what="the containers to be gone")
    (gate_folder / "open").touch()
    pachd.start()
    wait_until_it_answers(bench.client)
    done = bench.client.pps.inspect_job(job=job.job, wait=True)
    assert (done.state, done.data_processed, done.data_total) == (pps.JobState.JOB_SUCCESS, 2, 2)
    assert bench.log(pipeline=pipeline) == ["run a", "run b", "run b"]
    assert bench.files(f"{pipeline.name}@master") == {"/a": "1", "/b": "2"}


def test_a_commit_made_just_before_kill_9_makes_its_job(bench: Workbench, pachd: ServiceProcess) -> None:
    repo = bench.repo()
    pipeline = bench.pipeline(repo, f"cp /pfs/{repo}/* /pfs/out/")
    bench.job(pipeline)
    commit = bench.commit(repo, {"a": "1"})
    pachd.kill()
    pachd.start()
    wait_until_it_answers(bench.client)
    assert bench.job(pipeline).job.id == commit
    assert bench.files(f"{pipeline.name}@master") == {"/a": "1"}


def test_a_terminated_pachd_ends_its_containers(bench: Workbench, pachd: ServiceProcess) -> None:
    pipeline = bench.pipeline(bench.repo(a="1"), "echo started; sleep 600")
    wait_for(lambda: "started" in bench.log(pipeline=pipeline), what="the container")
    containers = children_of(pachd)
    pachd.stop()
    assert not any(alive(pid) for pid in containers)
    pachd.start()
    wait_until_it_answers(bench.client)
    bench.client.pps.delete_pipeline(pipeline=pipeline)


def children_of(service: ServiceProcess) -> list[int]:
    assert service.process is not None
    children = subprocess.run(["pgrep", "-P", str(service.process.pid)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in children.stdout.split()]


def alive(pid: int) -> bool:
    from pathlib import Path

    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
