"""kill -9 of the master: acknowledged data survives, unfinished trials continue, and no process is left running."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import psutil
import pytest
from tests.conftest import new_home, wait_for
from tests.minipdk.services.determined.conftest import Cluster, finish, reached


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A separate cluster whose master the tests kill."""
    folder = tmp_path_factory.mktemp("mortal")
    running = Cluster(new_home(folder / "home"), folder / "files")
    running.service.start()
    yield running
    running.service.stop()


def kill_9(cluster: Cluster) -> None:
    """Kill the master and wait until everything that it started is gone."""
    assert cluster.service.process is not None
    children = psutil.Process(cluster.service.process.pid).children(recursive=True)
    assert children
    cluster.service.kill()
    wait_for(lambda: not any(child.is_running() for child in children), what="the trials to die with the master")


def leave_files_of_deleted_checkpoints(cluster: Cluster) -> None:
    """Do as a master that is killed between the end of an experiment and the removal of its checkpoints' files."""
    folder = cluster.home.folder("shared_fs")
    (folder / "deleted-1").mkdir()
    with closing(sqlite3.connect(cluster.home.database("determined"))) as rows, rows:
        rows.execute(
            "INSERT INTO checkpoints SELECT 'deleted-1', trial_id, task_id, allocation_id, 'DELETED', 0, '{}', '{}', '', 0"
            " FROM checkpoints LIMIT 1"
        )


def test_trial_resumes_from_its_latest_checkpoint_after_kill_9(mortal: Cluster) -> None:
    experiment = mortal.steps(12, 0.1)
    wait_for(lambda: reached(experiment, 4), what="the fourth step")
    [trial] = experiment.list_trials()
    seen = {report.steps_completed: report.metrics for report in trial.iter_metrics("validation")}
    saved = {checkpoint.uuid for checkpoint in experiment.list_checkpoints()}
    lines = list(trial.iter_logs())
    kill_9(mortal)
    leave_files_of_deleted_checkpoints(mortal)
    mortal.service.start()
    assert finish(experiment) == "COMPLETED"
    reports = {report.steps_completed: report.metrics for report in trial.iter_metrics("validation")}
    assert list(reports) == list(range(1, 13))
    assert seen.items() <= reports.items()
    assert mortal.session().get(f"api/v1/trials/{trial.id}").json()["trial"]["restarts"] == 0
    everything = mortal.session().get(f"api/v1/experiments/{experiment.id}/checkpoints").json()["checkpoints"]
    assert saved <= {checkpoint["uuid"] for checkpoint in everything}
    after = list(trial.iter_logs())
    assert after[: len(lines)] == lines
    assert any("resumed at" in line for line in after)
    assert not list(mortal.home.folder("shared_fs").glob("deleted-*"))


def test_cancelled_trial_stays_cancelled(mortal: Cluster) -> None:
    experiment = mortal.submit({}, entrypoint="echo sleeping && sleep 600")
    wait_for(
        lambda: mortal.session().get(f"api/v1/experiments/{experiment.id}").json()["experiment"]["state"] == "STATE_RUNNING",
        what="a run",
    )
    experiment.cancel()
    kill_9(mortal)
    mortal.service.start()
    assert finish(experiment) == "CANCELED"


def test_tokens_survive_a_restart(mortal: Cluster) -> None:
    session = mortal.session()
    mortal.service.kill()
    mortal.service.start()
    assert session.get("api/v1/me").json()["user"]["username"] == "determined"


def test_trial_resumes_when_only_its_zygote_is_killed(mortal: Cluster) -> None:
    experiment = mortal.steps(12, 0.1)
    wait_for(lambda: reached(experiment, 3), what="the third step")
    assert mortal.service.process is not None
    [zygote] = psutil.Process(mortal.service.process.pid).children()
    zygote.kill()
    assert finish(experiment) == "COMPLETED"
    assert mortal.session().get(f"api/v1/experiments/{experiment.id}/trials").json()["trials"][0]["restarts"] == 0
    assert "resumed at" in mortal.logs(experiment)
