"""The `det` command, in the order of the course's pages."""

from __future__ import annotations

from tests.minipdk.services.determined.conftest import STEPS, TRIAL, Cluster, best, configuration, finish


def test_create_follow_wait_describe_and_list(cluster: Cluster) -> None:
    config = configuration(name="walk", min_validation_period={"batches": 4}, labels=["demo"])
    folder = cluster.write({"model_def.py": TRIAL}, config)
    followed = cluster.det("experiment", "create", str(folder.with_suffix(".yaml")), str(folder), "--follow-first-trial")
    assert "report_validation_metrics(steps_completed=8" in followed
    experiment = cluster.sdk.list_experiments(name="walk")[0]
    number = str(experiment.id)
    cluster.det("experiment", "wait", number, "--polling-interval", "1")
    described = cluster.det("experiment", "describe", number, "--metrics")
    assert "walk" in described
    assert "demo" in described
    trial = str(experiment.list_trials()[0].id)
    assert trial in cluster.det("experiment", "list-trials", number)
    assert best(experiment).uuid in cluster.det("experiment", "list-checkpoints", number)
    assert best(experiment).uuid in cluster.det("checkpoint", "describe", best(experiment).uuid)
    assert "VALIDATION" in cluster.det("trial", "describe", trial, "--metrics").upper()
    assert "LineTrial" in cluster.det("trial", "logs", trial)
    assert "LineTrial" in cluster.det("experiment", "logs", number)
    assert "walk" in cluster.det("experiment", "list")
    cluster.det("experiment", "download-model-def", number, "--output-dir", str(folder))
    assert "val_loss" in cluster.det("experiment", "config", number)


def test_experiment_wait_fails_with_the_experiment(cluster: Cluster) -> None:
    experiment = cluster.submit({}, entrypoint="sh -c 'exit 1'")
    finish(experiment)
    cluster.det("experiment", "wait", str(experiment.id), code=1)


def test_create_prints_the_refusal_of_a_configuration(cluster: Cluster) -> None:
    folder = cluster.write({"steps.py": STEPS}, configuration(resources={"resource_pool": "gpu-pool"}))
    output = cluster.det("experiment", "create", str(folder.with_suffix(".yaml")), str(folder), code=1)
    assert "this cluster has no resource pool 'gpu-pool'; it has default" in output


def test_create_in_test_mode_checks_the_model(cluster: Cluster) -> None:
    folder = cluster.write({"model_def.py": TRIAL}, configuration(name="check"))
    output = cluster.det("experiment", "create", str(folder.with_suffix(".yaml")), str(folder), "--test-mode")
    assert "Model definition test succeeded" in output


def test_commands_show_the_master_agent_slots_tasks_and_jobs(cluster: Cluster) -> None:
    assert "0.38.1" in cluster.det("master", "info")
    assert "local" in cluster.det("agent", "list")
    assert "CPU core" in cluster.det("slot", "list")
    assert "default" in cluster.det("agent", "list")
    cluster.det("task", "list")
    cluster.det("job", "list")
    assert "GetTemplates (GET /api/v1/templates) is not supported by minipdk" in cluster.det("template", "list", code=1)
