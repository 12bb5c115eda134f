"""Trials that Determined's harness runs: their metrics, checkpoints and logs, and how they fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from determined.common.api import errors
from determined.common.experimental.trial import LogLevel
from determined.experimental import client
from determined.pytorch import load_trial_from_checkpoint_path
from tests.minipdk.services.determined.conftest import STEPS, TRIAL, Cluster, best, configuration, finish


def test_legacy_trial_trains_validates_and_saves(cluster: Cluster, tmp_path: Path) -> None:
    experiment = cluster.submit(
        {"model_def.py": TRIAL}, min_validation_period={"batches": 4}, min_checkpoint_period={"batches": 4}
    )
    assert finish(experiment) == "COMPLETED"
    assert experiment.progress == 1.0
    [trial] = experiment.list_trials()
    validations = list(trial.iter_metrics("validation"))
    assert [report.steps_completed for report in validations] == [4, 8]
    training = list(trial.iter_metrics("training"))[-1]
    assert training.steps_completed == 8
    assert len(training.batch_metrics) == 4
    checkpoint = best(experiment)
    assert checkpoint.training.validation_metrics["avgMetrics"]["val_loss"] == min(
        v.metrics["val_loss"] for v in validations
    )
    path = checkpoint.download(str(tmp_path / "checkpoint"))
    loaded = load_trial_from_checkpoint_path(path, torch_load_kwargs={"weights_only": False})
    assert loaded.model.in_features == 2


def test_master_serves_the_files_of_a_checkpoint(cluster: Cluster, tmp_path: Path) -> None:
    experiment = cluster.steps(1)
    finish(experiment)
    checkpoint = best(experiment)
    direct = Path(checkpoint.download(str(tmp_path / "direct")))
    through = Path(checkpoint.download(str(tmp_path / "master"), mode=client.DownloadMode.MASTER))
    assert {p.name: p.read_bytes() for p in direct.iterdir()} == {p.name: p.read_bytes() for p in through.iterdir()}
    cluster.det("checkpoint", "download", checkpoint.uuid, "-o", str(tmp_path / "cli"))
    assert json.loads((tmp_path / "cli" / "step.json").read_text()) == 1
    zipped = cluster.session().get(f"checkpoints/{checkpoint.uuid}", headers={"Accept": "application/zip"})
    assert zipped.content.startswith(b"PK")


def test_core_api_script_runs_with_its_arguments(cluster: Cluster) -> None:
    script = "import sys, pathlib; print(sys.argv, pathlib.Path.cwd(), __name__)"
    experiment = cluster.submit({"main.py": script}, entrypoint="python3 main.py --rate 0.1 x")
    assert finish(experiment) == "COMPLETED"
    assert "['main.py', '--rate', '0.1', 'x'] /run/determined/workdir __main__" in cluster.logs(experiment)


@pytest.mark.parametrize(
    "entrypoint", ["echo $(( 6 * 7 )) && test -f /run/determined/train/model/data.txt", ["cat", "data.txt"]]
)
def test_entrypoint_may_be_any_command(cluster: Cluster, entrypoint: str | list[str]) -> None:
    experiment = cluster.submit({"data.txt": "42"}, entrypoint=entrypoint)
    assert finish(experiment) == "COMPLETED"
    assert "|| 42" in cluster.logs(experiment)


def test_environment_contains_only_variables_of_determined_and_the_configuration(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "import os, json; print('env=' + json.dumps(dict(os.environ)))"
    experiment = cluster.submit(
        {"main.py": script},
        entrypoint="python3 main.py",
        environment={"environment_variables": ["COLOUR=green=blue", "EMPTY="]},
    )
    assert finish(experiment) == "COMPLETED"
    [line] = [line for line in cluster.logs(experiment).splitlines() if "env=" in line]
    env = json.loads(line.split("env=")[1])
    assert env["COLOUR"] == "green=blue"
    assert env["EMPTY"] == ""
    assert env["DET_MASTER"] == cluster.url
    assert env["DET_USER"] == "determined"
    assert env["DET_TRIAL_ID"] == str(experiment.list_trials()[0].id)
    assert not [name for name in env if name.startswith(("PYTEST", "MINIPDK", "VIRTUAL_ENV"))]


def test_determined_client_works_inside_a_trial(cluster: Cluster) -> None:
    script = (
        "from determined.experimental import Determined\n"
        "print('me:', Determined()._session.get('api/v1/me').json()['user']['username'])\n"
    )
    experiment = cluster.submit({"main.py": script}, entrypoint="python3 main.py")
    assert finish(experiment) == "COMPLETED", cluster.logs(experiment)
    assert "me: determined" in cluster.logs(experiment)


def test_log_ends_with_the_exception_of_the_users_code(cluster: Cluster) -> None:
    broken = TRIAL.replace("x, y = batch\n        loss", "raise ValueError('no data: the CSV is empty')\n        loss")
    experiment = cluster.submit({"model_def.py": broken})
    assert finish(experiment) == "ERROR"
    *before, last = cluster.logs(experiment).rstrip().splitlines()
    assert before[-1].endswith("|| ValueError: no data: the CSV is empty")
    assert any("model_def.py" in line for line in before[-10:])
    assert not any("runner.py" in line or "runpy" in line for line in before)
    assert "failed: exit code 1; no restart is left (max_restarts: 0)" in last
    assert cluster.steps(1) is not None


def test_failed_trial_is_restarted_up_to_max_restarts(cluster: Cluster) -> None:
    experiment = cluster.submit({}, entrypoint="sh -c 'exit 3'", max_restarts=2)
    assert finish(experiment) == "ERROR"
    trial = cluster.session().get(f"api/v1/experiments/{experiment.id}/trials").json()["trials"][0]
    assert trial["restarts"] == 2
    logs = cluster.logs(experiment)
    assert "exit code 3; restart 1 of 2 from its latest checkpoint" in logs
    assert "exit code 3; no restart is left (max_restarts: 2)" in logs


def test_missing_script_is_named_in_the_log(cluster: Cluster) -> None:
    experiment = cluster.submit({}, entrypoint="python3 nowhere.py")
    assert finish(experiment) == "ERROR"
    assert "can't open file '/run/determined/workdir/nowhere.py'" in cluster.logs(experiment)


def test_files_that_a_trial_writes_stay_in_its_container(cluster: Cluster) -> None:
    target = Path("/usr/minipdk-trial-was-here")
    experiment = cluster.submit({}, entrypoint=f"touch {target} && ls -d {target}")
    assert finish(experiment) == "COMPLETED"
    assert str(target) in cluster.logs(experiment)
    assert not target.exists()


def test_bind_mount_is_visible_and_a_missing_folder_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("mounted")
    mount = {"host_path": str(tmp_path), "container_path": "/data", "read_only": True}
    experiment = cluster.submit({}, entrypoint="cat /data/in.txt", bind_mounts=[mount])
    assert finish(experiment) == "COMPLETED"
    assert "|| mounted" in cluster.logs(experiment)
    with pytest.raises(errors.APIException, match=r"bind_mounts\[0\].host_path: /nowhere is not a file or folder"):
        cluster.submit({}, bind_mounts=[{**mount, "host_path": "/nowhere"}])


def test_bind_mount_may_be_a_file_and_below_the_working_directory(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("mounted")
    mounts = [
        {"host_path": str(tmp_path), "container_path": "data/deep", "propagation": "rshared"},
        {"host_path": str(tmp_path / "in.txt"), "container_path": "/etc/one.txt"},
        {"host_path": str(tmp_path / "in.txt"), "container_path": "./here.txt", "read_only": True},
    ]
    script = "cat data/deep/in.txt /etc/one.txt here.txt && echo && echo done > data/deep/out.txt && ls"
    experiment = cluster.submit({"own.txt": "mine"}, entrypoint=script, bind_mounts=mounts)
    assert finish(experiment) == "COMPLETED", cluster.logs(experiment)
    assert "|| mountedmountedmounted" in cluster.logs(experiment)
    assert "|| own.txt" in cluster.logs(experiment)
    assert (tmp_path / "out.txt").read_text() == "done\n"


def test_metrics_of_any_group_and_metadata_are_stored(cluster: Cluster) -> None:
    script = (
        "import determined as det\nwith det.core.init() as c:\n"
        "    c.train.report_metrics('inference', 7, {'f1': 0.5})\n    c.train.set_metadata({'kind': 'demo'})\n"
    )
    experiment = cluster.submit({"main.py": script}, entrypoint="python3 main.py")
    assert finish(experiment) == "COMPLETED", cluster.logs(experiment)
    [trial] = experiment.list_trials()
    [report] = trial.iter_metrics("inference")
    assert report.metrics["f1"] == 0.5
    assert report.steps_completed == 7
    assert cluster.session().get(f"api/v1/runs/{trial.id}/metadata").json()["metadata"] == {"kind": "demo"}


def test_invalid_hyperparameters_end_a_trial_without_restarts(cluster: Cluster) -> None:
    script = "import determined as det\nwith det.core.init() as c:\n    raise det.InvalidHP('lr is silly')\n"
    experiment = cluster.submit({"main.py": script}, entrypoint="python3 main.py", max_restarts=5)
    assert finish(experiment) == "COMPLETED"
    assert cluster.session().get(f"api/v1/experiments/{experiment.id}/trials").json()["trials"][0]["restarts"] == 0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"searcher": {"nme": "x"}}, "unknown key searcher.nme; did you mean searcher.name?"),
        ({"resources": {"resource_pool": "gpu-pool"}}, "no resource pool 'gpu-pool'; it has default; .*default,gpu-pool"),
        ({"environment": {"image": "nobody/nothing:1"}}, "environment.image: .*nobody/nothing:1"),
        ({"searcher": {"name": "single", "metric": "x", "source_trial_id": 99999}}, "trial '99999' not found"),
    ],
)  # fmt: skip
def test_bad_configuration_is_refused_before_anything_is_stored(
    cluster: Cluster, config: dict[str, object], message: str
) -> None:
    before = len(cluster.sdk.list_experiments())
    with pytest.raises((errors.APIException, errors.NotFoundException), match=message):
        cluster.submit({"steps.py": STEPS}, **config)
    assert len(cluster.sdk.list_experiments()) == before


def test_validate_only_creates_no_experiment(cluster: Cluster) -> None:
    before = len(cluster.sdk.list_experiments())
    answer = cluster.session().post(
        "api/v1/experiments", json={"config": yaml.safe_dump(configuration()), "validateOnly": True}
    )
    assert answer.json()["config"] is None
    assert answer.json()["experiment"]["id"] == 0
    assert len(cluster.sdk.list_experiments()) == before


def test_template_is_refused_by_name(cluster: Cluster) -> None:
    with pytest.raises(errors.APIException, match="template 'fast' is not supported"):
        cluster.session().post("api/v1/experiments", json={"config": "", "template": "fast"})


def test_model_definition_cannot_leave_its_folder(cluster: Cluster) -> None:
    for path in ("../evil.py", "/etc/evil", "a/../../evil", "a\\..\\evil"):
        file = {"path": path, "type": 48, "content": "", "mode": 420, "mtime": "0", "uid": 0, "gid": 0}
        with pytest.raises(errors.APIException, match="is not a path below the model definition's folder"):
            cluster.session().post(
                "api/v1/experiments", json={"config": yaml.safe_dump(configuration()), "modelDefinition": [file]}
            )


def test_logs_can_be_followed_and_filtered_and_end_with_the_trial(cluster: Cluster) -> None:
    script = "import sys, time\nprint('one')\nprint('WARNING: two', file=sys.stderr)\n"
    experiment = cluster.submit({"main.py": script}, entrypoint="python3 main.py")
    [trial] = experiment.list_trials()
    followed = list(trial.iter_logs(follow=True))
    assert any(line.endswith("|| one\n") for line in followed)
    assert [line.split("|| ")[1] for line in trial.iter_logs(min_level=LogLevel.WARNING)] == ["WARNING: two\n"]
    assert [line.split("|| ")[1] for line in trial.iter_logs(stdtypes=["stdout"])] == ["one\n"]
    assert len(list(trial.iter_logs(tail=1))) == 1
    fields = cluster.session().get(f"api/v1/trials/{trial.id}/logs/fields").json()["result"]
    assert fields["stdtypes"] == ["stderr", "stdout"]
