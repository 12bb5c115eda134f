"""A walk through the `det` command, as the course's pages do it."""

from __future__ import annotations

from tests.minipdk.services.determined.conftest import STEPS, TRIAL, Cluster, best, experiment, finish


def test_create_follow_wait_describe_and_list(cluster: Cluster) -> None:
    config = experiment(name="walk", min_validation_period={"batches": 4}, labels=["demo"])
    folder = cluster.write({"model_def.py": TRIAL}, config)
    followed = cluster.det("experiment", "create", str(folder.with_suffix(".yaml")), str(folder), "--follow-first-trial")
    assert "report_validation_metrics(steps_completed=8" in followed
    one = cluster.sdk.list_experiments(name="walk")[0]
    number = str(one.id)
    cluster.det("experiment", "wait", number, "--polling-interval", "1")
    described = cluster.det("experiment", "describe", number, "--metrics")
    assert "walk" in described
    assert "demo" in described
    trial = str(one.list_trials()[0].id)
    assert trial in cluster.det("experiment", "list-trials", number)
    assert best(one).uuid in cluster.det("experiment", "list-checkpoints", number)
    assert best(one).uuid in cluster.det("checkpoint", "describe", best(one).uuid)
    assert "VALIDATION" in cluster.det("trial", "describe", trial, "--metrics").upper()
    assert "LineTrial" in cluster.det("trial", "logs", trial)
    assert "LineTrial" in cluster.det("experiment", "logs", number)
    assert "walk" in cluster.det("experiment", "list")
    cluster.det("experiment", "download-model-def", number, "--output-dir", str(folder))
    assert "val_loss" in cluster.det("experiment", "config", number)


def test_a_waiting_command_fails_with_the_experiment(cluster: Cluster) -> None:
    one = cluster.submit({}, entrypoint="sh -c 'exit 1'")
    finish(one)
    cluster.det("experiment", "wait", str(one.id), code=1)


def test_the_refusal_of_a_configuration_is_what_the_command_prints(cluster: Cluster) -> None:
    folder = cluster.write({"steps.py": STEPS}, experiment(resources={"resource_pool": "gpu-pool"}))
    told = cluster.det("experiment", "create", str(folder.with_suffix(".yaml")), str(folder), code=1)
    assert "this cluster has no resource pool 'gpu-pool'; it has default" in told


def test_the_test_mode_of_create_checks_the_model(cluster: Cluster) -> None:
    folder = cluster.write({"model_def.py": TRIAL}, experiment(name="check"))
    told = cluster.det("experiment", "create", str(folder.with_suffix(".yaml")), str(folder), "--test-mode")
    assert "Model definition test succeeded" in told


def test_the_cluster_shows_itself(cluster: Cluster) -> None:
    assert "0.38.1" in cluster.det("master", "info")
    assert "local" in cluster.det("agent", "list")
    assert "CPU core" in cluster.det("slot", "list")
    assert "default" in cluster.det("agent", "list")
    cluster.det("task", "list")
    cluster.det("job", "list")
    assert "templates is not supported by minipdk" in cluster.det("template", "list", code=1)
