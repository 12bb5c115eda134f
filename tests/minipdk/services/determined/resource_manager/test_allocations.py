"""Starting runs."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from minipdk.common.home import Home
from minipdk.services.determined.master import Master
from minipdk.services.determined.submissions import Submissions

CONFIG = "entrypoint: 'true'\nsearcher: {name: single, metric: loss}"


def open_files() -> set[str]:
    return {file.name for file in Path("/proc/self/fd").iterdir()}


def fail(*_: object) -> NoReturn:
    raise OSError("Too many open files")


@pytest.mark.parametrize("step", ["_running_socket", "start"])
def test_run_that_cannot_be_launched_leaves_nothing_behind(home: Home, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    master = Master(home)
    submissions = next(part for part in master.parts if isinstance(part, Submissions))
    experiment = submissions.create(submissions.check({"config": CONFIG}), user_id=1, activate=True)
    [trial] = master.trials.of_experiment(experiment.id)
    monkeypatch.setattr(master.allocations._launcher, step, fail)
    before = open_files()
    assert master.allocations.start(trial.id, [0], lambda _: None) is None
    assert open_files() <= before
    assert master.allocations._runs == {}
    assert master.trials.get(trial.id).state == "ERROR"
    [run] = master.trials.allocations(trial.id)
    assert run.exit_reason == "Too many open files"
