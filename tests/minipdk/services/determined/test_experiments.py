"""Pausing, activating, cancelling, killing, continuing, archiving and deleting."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from determined.common.api import errors
from determined.experimental import Experiment
from tests.conftest import wait_for
from tests.minipdk.services.determined.conftest import STEPS, Cluster, best, experiment, finish, reached

SLOW = 0.05


def state(one: Experiment) -> str:
    one.reload()
    assert one.state is not None
    return one.state.name


def idle(cluster: Cluster, one: Experiment) -> bool:
    """Whether no process of the experiment runs any more."""
    task = one._session.get(f"api/v1/experiments/{one.id}/trials").json()["trials"][0]["taskId"]
    return all(run["endTime"] for run in cluster.session().get(f"api/v1/tasks/{task}").json()["task"]["allocations"])


def test_a_paused_experiment_saves_its_state_and_goes_on_from_there(cluster: Cluster) -> None:
    one = cluster.steps(30, SLOW)
    wait_for(lambda: reached(one, 3), what="the third step")
    cluster.det("experiment", "pause", str(one.id))
    wait_for(lambda: idle(cluster, one), what="the trial to exit")
    assert state(one) == "PAUSED"
    saved = one.list_checkpoints(max_results=100)
    steps = max(checkpoint.metadata["steps_completed"] for checkpoint in saved)
    assert steps < 30
    cluster.det("experiment", "activate", str(one.id))
    assert finish(one) == "COMPLETED"
    assert f"resumed at {steps}" in cluster.logs(one)
    assert cluster.session().get(f"api/v1/experiments/{one.id}/trials").json()["trials"][0]["restarts"] == 0


def test_a_cancelled_experiment_saves_a_last_checkpoint(cluster: Cluster) -> None:
    one = cluster.steps(1000, SLOW)
    wait_for(lambda: reached(one, 2), what="the second step")
    one.cancel()
    assert finish(one) == "CANCELED"
    assert one.list_checkpoints()


def test_a_killed_experiment_ends_at_once(cluster: Cluster) -> None:
    one = cluster.submit({}, entrypoint="sleep 600")
    wait_for(lambda: state(one) == "RUNNING", what="the trial to run")
    cluster.det("experiment", "kill", str(one.id))
    assert finish(one, seconds=10) == "CANCELED"
    assert idle(cluster, one)


def test_an_experiment_created_paused_waits(cluster: Cluster) -> None:
    folder = cluster.write({}, experiment(entrypoint="true"))
    cluster.det("experiment", "create", str(folder.with_suffix(".yaml")), str(folder), "--paused")
    one = cluster.sdk.list_experiments()[-1]
    assert state(one) == "PAUSED"
    one.cancel()
    assert state(one) == "CANCELED"


def test_what_has_ended_cannot_be_paused_or_activated(cluster: Cluster) -> None:
    one = cluster.steps(1)
    finish(one)
    with pytest.raises(errors.APIException, match=f"experiment {one.id} cannot be paused: its state is COMPLETED"):
        one.pause()
    with pytest.raises(errors.APIException, match="cannot be activated"):
        one.activate()
    one.kill()
    assert state(one) == "COMPLETED"


def test_a_run_that_ignores_preemption_is_ended_after_its_timeout(cluster: Cluster) -> None:
    one = cluster.submit({}, entrypoint="sleep 600", preemption_timeout=1)
    wait_for(lambda: state(one) == "RUNNING", what="the trial to run")
    one.pause()
    wait_for(lambda: idle(cluster, one), seconds=15, what="the trial to be ended")
    assert state(one) == "PAUSED"
    one.kill()


def test_training_starts_from_a_source_checkpoint(cluster: Cluster) -> None:
    parent = cluster.steps(3)
    finish(parent)
    source = best(parent)
    searcher = {"name": "single", "metric": "val_loss", "source_checkpoint_uuid": source.uuid}
    child = cluster.steps(5, searcher=searcher)
    assert finish(child) == "COMPLETED"
    assert "resumed at 3" in cluster.logs(child)
    searcher = {"name": "single", "metric": "val_loss", "source_trial_id": parent.list_trials()[0].id}
    other = cluster.steps(4, searcher=searcher)
    assert finish(other) == "COMPLETED"
    assert "resumed at 3" in cluster.logs(other)


def test_a_child_inherits_its_parents_files(cluster: Cluster) -> None:
    parent = cluster.steps(1)
    finish(parent)
    config = yaml.safe_dump(experiment(entrypoint="python3 steps.py", hyperparameters={"steps": 1}))
    answer = (
        cluster.session().post("api/v1/experiments", json={"config": config, "parentId": parent.id, "activate": True}).json()
    )
    assert answer["experiment"]["forkedFrom"] == parent.id
    assert finish(cluster.sdk.get_experiment(answer["experiment"]["id"])) == "COMPLETED"


def test_an_ended_experiment_is_continued_in_the_same_trial(cluster: Cluster) -> None:
    one = cluster.steps(2)
    finish(one)
    cluster.det("experiment", "continue", str(one.id), "--config", "hyperparameters.steps=4")
    assert finish(one) == "COMPLETED"
    assert "resumed at 2" in cluster.logs(one)


def test_archived_then_deleted_with_everything(cluster: Cluster) -> None:
    one = cluster.steps(1)
    finish(one)
    checkpoint = best(one)
    files = Path(cluster.home.folder("shared_fs")) / checkpoint.uuid
    assert files.is_dir()
    cluster.det("experiment", "archive", str(one.id))
    one.reload()
    assert one.archived
    cluster.det("experiment", "delete", str(one.id), "--yes")
    assert not files.exists()
    with pytest.raises(errors.NotFoundException, match=f"experiment {one.id} not found"):
        one.reload()


def test_a_running_experiment_cannot_be_deleted(cluster: Cluster) -> None:
    one = cluster.submit({}, entrypoint="sleep 600")
    with pytest.raises(errors.APIException, match="kill it first"):
        one.delete()
    one.kill()
    finish(one)


def test_labels_name_description_and_notes_are_changed(cluster: Cluster) -> None:
    one = cluster.steps(1)
    one.set_name("renamed")
    one.set_description("told")
    one.set_notes("noted")
    one.add_label("a")
    one.add_label("b")
    one.remove_label("a")
    one.reload()
    assert (one.name, one.description, one.notes, one.labels) == ("renamed", "told", "noted", {"b"})
    finish(one)


def test_more_trials_than_slots_wait_their_turn_in_order(cluster: Cluster) -> None:
    slots = len(cluster.session().get("api/v1/agents/local/slots").json()["slots"])
    ones = [cluster.submit({}, entrypoint="sleep 600") for _ in range(slots + 1)]
    wait_for(lambda: state(ones[slots - 1]) == "RUNNING", what="every slot to be taken")
    assert state(ones[-1]) == "QUEUED"
    assert f"({ones[-1].id})" in cluster.det("job", "list")
    ones[0].kill()
    wait_for(lambda: state(ones[-1]) == "RUNNING", what="the next in the queue to run")
    for one in ones:
        one.kill()
        finish(one)


def test_a_random_search_runs_its_trials(cluster: Cluster) -> None:
    searcher = {"name": "random", "metric": "val_loss", "max_trials": 3, "max_concurrent_trials": 1}
    one = cluster.submit(
        {"steps.py": STEPS},
        entrypoint="python3 steps.py",
        searcher=searcher,
        hyperparameters={"steps": {"type": "int", "minval": 1, "maxval": 4}},
    )
    assert finish(one) == "COMPLETED"
    assert len(one.list_trials()) == 3


def test_only_the_checkpoints_of_the_policy_are_kept(cluster: Cluster) -> None:
    one = cluster.steps(5, checkpoint_storage={"save_experiment_best": 0, "save_trial_best": 1, "save_trial_latest": 2})
    finish(one)
    kept = {checkpoint.metadata["steps_completed"] for checkpoint in one.list_checkpoints()}
    assert kept == {4, 5}
    answer = cluster.session().get(f"api/v1/experiments/{one.id}/checkpoints").json()["checkpoints"]
    assert sorted(c["state"] for c in answer) == ["STATE_COMPLETED"] * 2 + ["STATE_DELETED"] * 3
    folder = Path(cluster.home.folder("shared_fs"))
    wait_for(lambda: [(folder / c["uuid"]).exists() for c in answer].count(True) == 2, what="the files to go")
