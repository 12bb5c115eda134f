"""Experiments: pausing, activating, cancelling, killing, continuing, archiving, deleting and scheduling."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from determined.common.api import errors
from determined.experimental import Experiment
from tests.conftest import wait_for
from tests.minipdk.services.determined.conftest import STEPS, Cluster, best, configuration, finish, reached

SLOW = 0.05


def state(experiment: Experiment) -> str:
    experiment.reload()
    assert experiment.state is not None
    return str(experiment.state.name)


def idle(cluster: Cluster, experiment: Experiment) -> bool:
    """Whether all runs of the experiment have ended."""
    task = experiment._session.get(f"api/v1/experiments/{experiment.id}/trials").json()["trials"][0]["taskId"]
    return all(run["endTime"] for run in cluster.session().get(f"api/v1/tasks/{task}").json()["task"]["allocations"])


def test_paused_experiment_resumes_from_its_checkpoint(cluster: Cluster) -> None:
    experiment = cluster.steps(30, SLOW)
    wait_for(lambda: reached(experiment, 3), what="the third step")
    cluster.det("experiment", "pause", str(experiment.id))
    wait_for(lambda: idle(cluster, experiment), what="the trial to exit")
    assert state(experiment) == "PAUSED"
    saved = experiment.list_checkpoints(max_results=100)
    steps = max(checkpoint.metadata["steps_completed"] for checkpoint in saved)
    assert steps < 30
    cluster.det("experiment", "activate", str(experiment.id))
    assert finish(experiment) == "COMPLETED"
    assert f"resumed at {steps}" in cluster.logs(experiment)
    assert cluster.session().get(f"api/v1/experiments/{experiment.id}/trials").json()["trials"][0]["restarts"] == 0


def test_cancelled_experiment_saves_a_last_checkpoint(cluster: Cluster) -> None:
    experiment = cluster.steps(1000, SLOW)
    wait_for(lambda: reached(experiment, 2), what="the second step")
    experiment.cancel()
    assert finish(experiment) == "CANCELED"
    assert experiment.list_checkpoints()


def test_killed_experiment_ends_immediately(cluster: Cluster) -> None:
    experiment = cluster.submit({}, entrypoint="sleep 600")
    wait_for(lambda: state(experiment) == "RUNNING", what="the trial to run")
    cluster.det("experiment", "kill", str(experiment.id))
    assert finish(experiment, seconds=10) == "CANCELED"
    assert idle(cluster, experiment)


def test_experiment_created_paused_does_not_run(cluster: Cluster) -> None:
    folder = cluster.write({}, configuration(entrypoint="true"))
    cluster.det("experiment", "create", str(folder.with_suffix(".yaml")), str(folder), "--paused")
    experiment = cluster.sdk.list_experiments()[-1]
    assert state(experiment) == "PAUSED"
    experiment.cancel()
    assert state(experiment) == "CANCELED"


def test_ended_experiment_cannot_be_paused_or_activated(cluster: Cluster) -> None:
    experiment = cluster.steps(1)
    finish(experiment)
    with pytest.raises(errors.APIException, match=f"experiment {experiment.id} cannot be paused: its state is COMPLETED"):
        experiment.pause()
    with pytest.raises(errors.APIException, match="cannot be activated"):
        experiment.activate()
    experiment.kill()
    assert state(experiment) == "COMPLETED"


def test_run_that_ignores_preemption_is_killed_after_its_timeout(cluster: Cluster) -> None:
    experiment = cluster.submit({}, entrypoint="sleep 600", preemption_timeout=1)
    wait_for(lambda: state(experiment) == "RUNNING", what="the trial to run")
    experiment.pause()
    wait_for(lambda: idle(cluster, experiment), seconds=15, what="the trial to be ended")
    assert state(experiment) == "PAUSED"
    experiment.kill()


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


def test_fork_inherits_the_files_of_its_parent(cluster: Cluster) -> None:
    parent = cluster.steps(1)
    finish(parent)
    config = yaml.safe_dump(configuration(entrypoint="python3 steps.py", hyperparameters={"steps": 1}))
    answer = (
        cluster.session().post("api/v1/experiments", json={"config": config, "parentId": parent.id, "activate": True}).json()
    )
    assert answer["experiment"]["forkedFrom"] == parent.id
    assert finish(cluster.sdk.get_experiment(answer["experiment"]["id"])) == "COMPLETED"


def test_ended_experiment_continues_in_the_same_trial(cluster: Cluster) -> None:
    experiment = cluster.steps(2)
    finish(experiment)
    [before] = experiment.list_trials()
    cluster.det("experiment", "continue", str(experiment.id), "--config", "hyperparameters.steps=4")
    assert finish(experiment) == "COMPLETED"
    assert "resumed at 2" in cluster.logs(experiment)
    trial = cluster.session().get(f"api/v1/trials/{before.id}").json()["trial"]
    assert (trial["totalBatchesProcessed"], trial["restarts"]) == (4, 0)
    first, second = trial["taskIds"]
    assert (trial["taskId"], second) == (first, f"{first}-1")
    runs = cluster.session().get(f"api/v1/tasks/{second}").json()["task"]["allocations"]
    assert [run["allocationId"] for run in runs] == [f"{second}.2"]
    experiment.reload()
    assert experiment.progress == 1
    assert experiment.config["hyperparameters"]["steps"] == {"type": "const", "val": 4}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("project: p", "'project' in override config cannot be specified"),
        ("workspace: w", "'workspace' in override config cannot be specified"),
        ("searcher: {name: grid}", "override config must have single searcher type got 'grid' instead"),
        ("max_restarts: many", "max_restarts: should be a valid integer"),
    ],
)
def test_override_that_would_make_another_experiment_is_refused(cluster: Cluster, override: str, words: str) -> None:
    experiment = cluster.steps(1)
    finish(experiment)
    with pytest.raises(errors.APIException, match=words):
        cluster.session().post("api/v1/experiments/continue", json={"id": experiment.id, "overrideConfig": override})
    assert state(experiment) == "COMPLETED"


def test_continued_search_runs_only_the_trials_that_were_not_complete(cluster: Cluster) -> None:
    script = "import determined as det, pathlib, sys\nsys.exit(det.get_cluster_info().trial.hparams['code'])\n"
    experiment = cluster.submit(
        {"main.py": script},
        entrypoint="python3 main.py",
        searcher={"name": "grid", "metric": "x"},
        hyperparameters={"code": {"type": "categorical", "vals": [0, 3]}},
    )
    assert finish(experiment) == "COMPLETED"
    body = {"id": experiment.id, "overrideConfig": "max_restarts: 1"}
    with pytest.raises(errors.APIException, match="override config is provided and experiment is not single searcher"):
        cluster.session().post("api/v1/experiments/continue", json=body)
    cluster.det("experiment", "continue", str(experiment.id))
    finish(experiment)
    trials = cluster.session().get(f"api/v1/experiments/{experiment.id}/trials").json()["trials"]
    assert sorted((trial["state"], len(trial["taskIds"])) for trial in trials) == [
        ("STATE_COMPLETED", 1),
        ("STATE_ERROR", 2),
    ]


@pytest.mark.parametrize(("code", "progress"), [(0, 1), (3, 0)])
def test_progress_without_reports_is_all_or_nothing(cluster: Cluster, code: int, progress: float) -> None:
    experiment = cluster.submit({}, entrypoint=f"sh -c 'exit {code}'")
    finish(experiment)
    experiment.reload()
    assert experiment.progress == progress


def test_progress_of_a_stopped_experiment_is_that_of_its_last_report(cluster: Cluster) -> None:
    experiment = cluster.steps(1000, SLOW)
    wait_for(lambda: reached(experiment, 2), what="the second step")
    experiment.kill()
    finish(experiment)
    experiment.reload()
    assert experiment.progress is not None
    assert 0 < experiment.progress < 0.5


def test_paused_experiment_is_not_in_the_job_queue(cluster: Cluster) -> None:
    folder = cluster.write({}, configuration(entrypoint="true"))
    cluster.det("experiment", "create", str(folder.with_suffix(".yaml")), str(folder), "--paused")
    experiment = cluster.sdk.list_experiments()[-1]
    queue = cluster.session().get("api/v1/job-queues-v2").json()
    assert str(experiment.id) not in [job["full"]["entityId"] for job in queue["jobs"]]
    assert queue["pagination"]["limit"] == 100
    experiment.cancel()


def test_experiment_is_archived_once_and_only_after_its_end(cluster: Cluster) -> None:
    experiment = cluster.submit({}, entrypoint="sleep 600")
    with pytest.raises(errors.APIException, match=r"Experiment is not in terminal state\."):
        experiment.archive()
    experiment.kill()
    finish(experiment)
    with pytest.raises(errors.APIException, match=r"Experiment is not archived\."):
        experiment.unarchive()
    experiment.archive()
    with pytest.raises(errors.APIException, match=r"Experiment is already archived\."):
        experiment.archive()


def test_delete_removes_an_archived_experiment_and_its_files(cluster: Cluster) -> None:
    experiment = cluster.steps(1)
    finish(experiment)
    checkpoint = best(experiment)
    files = Path(cluster.home.folder("shared_fs")) / checkpoint.uuid
    assert files.is_dir()
    cluster.det("experiment", "archive", str(experiment.id))
    experiment.reload()
    assert experiment.archived
    cluster.det("experiment", "delete", str(experiment.id), "--yes")
    assert not files.exists()
    with pytest.raises(errors.NotFoundException, match=f"experiment '{experiment.id}' not found"):
        experiment.reload()


def test_running_experiment_cannot_be_deleted(cluster: Cluster) -> None:
    experiment = cluster.submit({}, entrypoint="sleep 600")
    with pytest.raises(errors.APIException, match="kill it first"):
        experiment.delete()
    experiment.kill()
    finish(experiment)


def test_labels_name_description_and_notes_can_be_changed(cluster: Cluster) -> None:
    experiment = cluster.steps(1)
    experiment.set_name("renamed")
    experiment.set_description("told")
    experiment.set_notes("noted")
    experiment.add_label("a")
    experiment.add_label("b")
    experiment.remove_label("a")
    experiment.reload()
    assert (experiment.name, experiment.description, experiment.notes, experiment.labels) == (
        "renamed",
        "told",
        "noted",
        {"b"},
    )
    assert experiment.config is not None
    assert (experiment.config["name"], experiment.config["description"], experiment.config["labels"]) == (
        "renamed",
        "told",
        ["b"],
    )
    finish(experiment)


def test_trials_without_a_slot_wait_in_order(cluster: Cluster) -> None:
    slots = len(cluster.session().get("api/v1/agents/local/slots").json()["slots"])
    submitted = [cluster.submit({}, entrypoint="sleep 600") for _ in range(slots + 1)]
    wait_for(lambda: state(submitted[slots - 1]) == "RUNNING", what="every slot to be taken")
    assert state(submitted[-1]) == "QUEUED"
    assert f"({submitted[-1].id})" in cluster.det("job", "list")
    submitted[0].kill()
    wait_for(lambda: state(submitted[-1]) == "RUNNING", what="the next in the queue to run")
    for experiment in submitted:
        experiment.kill()
        finish(experiment)


def test_random_search_runs_its_trials(cluster: Cluster) -> None:
    searcher = {"name": "random", "metric": "val_loss", "max_trials": 3, "max_concurrent_trials": 1}
    experiment = cluster.submit(
        {"steps.py": STEPS},
        entrypoint="python3 steps.py",
        searcher=searcher,
        hyperparameters={"steps": {"type": "int", "minval": 1, "maxval": 4}},
    )
    assert finish(experiment) == "COMPLETED"
    assert len(experiment.list_trials()) == 3


def test_checkpoints_outside_the_policy_are_deleted(cluster: Cluster) -> None:
    experiment = cluster.steps(
        5, checkpoint_storage={"save_experiment_best": 0, "save_trial_best": 1, "save_trial_latest": 2}
    )
    finish(experiment)
    kept = {checkpoint.metadata["steps_completed"] for checkpoint in experiment.list_checkpoints()}
    assert kept == {4, 5}
    answer = cluster.session().get(f"api/v1/experiments/{experiment.id}/checkpoints").json()["checkpoints"]
    assert sorted(c["state"] for c in answer) == ["STATE_COMPLETED"] * 2 + ["STATE_DELETED"] * 3
    folder = Path(cluster.home.folder("shared_fs"))
    wait_for(lambda: [(folder / c["uuid"]).exists() for c in answer].count(True) == 2, what="the files to go")
