"""The training step against a real pachd and a real Determined master."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT, REPO, MODEL = "pdk-customer-churn", "customer-churn-data", "customer-churn"

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


def test_commits_are_trained_on_one_after_the_other(
    train: Callable[..., dict[str, Any]],
    commit: Callable[[dict[str, bytes | None]], str],
    determined: Any,
    sample: pd.DataFrame,
    capfd: pytest.CaptureFixture[str],
) -> None:
    csv = pd.concat([sample] * 6).to_csv(index=False).encode()
    first = commit({"/data_part1.csv": csv})
    info = train(first)
    assert (info["name"], info["version"], info["pipeline"], info["repo"]) == (MODEL, first, "customer-churn-train", REPO)
    assert (info["commit"], info["model_version"]) == (first, 1)
    log = capfd.readouterr().out
    assert "Training from the start" in log
    assert "Downloaded /data_part1.csv" in log

    # A retried datum trains nothing.
    experiments = len(determined.list_experiments())
    assert train(first) == info
    assert len(determined.list_experiments()) == experiments
    capfd.readouterr()

    # Only new files are downloaded, and training continues from the registered checkpoint.
    second = commit({"/more/data_part2.csv": csv, "/data_part1.csv": None})
    again = train(second)
    log = capfd.readouterr().out
    assert f"Continuing from version 1, on only the files that are new since commit {first}" in log
    assert "Downloaded /more/data_part2.csv" in log
    assert "Downloaded /data_part1.csv" not in log
    assert (again["version"], again["model_version"], again["previous_commit"]) == (second, 2, first)
    config = determined.get_experiment(again["experiment"]).config
    assert config["searcher"]["source_checkpoint_uuid"] == info["checkpoint"]
    version = determined.get_model(MODEL).get_version()
    assert version.checkpoint.metadata["commit"] == second
    assert version.checkpoint.metadata["parent_version"] == 1

    # A commit that brings nothing new is trained on as a whole.
    third = commit({"/data_part1.csv": None, "/nothing": None})
    train(third)
    assert "Nothing is new since version 2" in capfd.readouterr().out


def failure(train: Callable[..., dict[str, Any]], job: str, *options: str, **environment: str) -> str:
    """The message with which the step gives up."""
    errors = sys.modules["training_errors"]
    with pytest.raises(errors.TrainingError) as caught:
        train(job, *options, **environment)
    return str(caught.value)


def test_a_csv_without_a_column_fails_with_its_name_and_is_not_trained_again(
    train: Callable[..., dict[str, Any]],
    commit: Callable[[dict[str, bytes | None]], str],
    determined: Any,
    sample: pd.DataFrame,
) -> None:
    job = commit({"/short.csv": sample.drop(columns="months").to_csv(index=False).encode()})
    message = failure(train, job, "--no-incremental")
    assert re.fullmatch(r"experiment \d+ ended as ERROR: .*InputError: .*short\.csv: column missing: months", message)
    experiments = len(determined.list_experiments())
    assert failure(train, job, "--no-incremental") == message
    assert len(determined.list_experiments()) == experiments


def test_a_commit_without_data_fails_with_the_commit(
    train: Callable[..., dict[str, Any]], commit: Callable[[dict[str, bytes | None]], str]
) -> None:
    job = commit({"/short.csv": None, "/more/data_part2.csv": None})
    assert f"No data in {PROJECT}/{REPO}@{job}" in failure(train, job, "--no-incremental")


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        ([], {"DET_PASSWORD": "wrong"}, "cannot log in to Determined at"),
        ([], {"DET_MASTER": "http://127.0.0.1:1"}, "cannot log in to Determined at http://127.0.0.1:1"),
        ([], {"DET_USER": ""}, "DET_USER is not set"),
        ([], {"PACH_JOB_ID": ""}, "PACH_JOB_ID is not set"),
        (["--git-url", ""], {}, "pass --git-url"),
        (["--git-url", "file:///nowhere"], {}, "git clone failed"),
        (["--git-ref", "--upload-pack=x"], {}, "has no branch, tag or commit '--upload-pack=x': change --git-ref"),
        (["--git-ref", "none"], {}, "has no branch, tag or commit 'none': change --git-ref"),
        (["--sub-dir", "none"], {}, "has no file const.yaml in none/: change --sub-dir or --config"),
        (["--config", "data.py"], {}, "data.py is not valid YAML"),
        (["--config", "numscale.json"], {}, "numscale.json has no data.pachyderm section"),
    ],
)
def test_a_wrong_setting_gives_one_message_that_names_it(
    train: Callable[..., dict[str, Any]], options: list[str], environment: dict[str, str], message: str
) -> None:
    job = "0" * 32
    if options[:1] == ["--git-ref"]:
        options = [f"--git-ref={options[1]}"]
    assert message in failure(train, job, "--no-incremental", *options, **environment)


def test_a_resource_pool_that_is_not_there_is_refused_with_the_masters_words(
    train: Callable[..., dict[str, Any]], repository: Path
) -> None:
    experiment = repository / "experiment"
    config = yaml.safe_load((experiment / "const.yaml").read_text())
    config["resources"]["resource_pool"] = "gpu-pool"
    (experiment / "pool.yaml").write_text(yaml.safe_dump(config))
    git = ["git", "-C", str(repository), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "A pool"], check=True)
    message = failure(train, "1" * 32, "--no-incremental", "--config", "pool.yaml")
    assert "Determined refuses the experiment" in message
    assert "gpu-pool" in message


def test_the_script_ends_with_one_line_and_status_1(repository: Path) -> None:
    command = [sys.executable, str(ROOT / "containers/train/train.py")]
    command += ["--git-url", repository.as_uri(), "--repo", REPO, "--model", MODEL]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: PACH_JOB_ID is not set")
