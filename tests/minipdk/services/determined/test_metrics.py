"""Reports of metrics: groups, repeated batches and values."""

from __future__ import annotations

import math
from typing import Any

import pytest

from minipdk.common.home import Home
from minipdk.services.determined.errors import FailedPreconditionError, InvalidArgumentError
from minipdk.services.determined.master import Master
from minipdk.services.determined.metrics import Metrics
from minipdk.services.determined.model import MetricsReport, Searcher
from minipdk.services.determined.submissions import Submissions

CONFIG = "entrypoint: 'true'\nsearcher: {name: single, metric: loss}"


@pytest.fixture
def trial_id(master: Master) -> int:
    """A new trial in its first run."""
    submissions = next(part for part in master.parts if isinstance(part, Submissions))
    experiment = submissions.create(submissions.check({"config": CONFIG}), user_id=1, activate=False)
    [trial] = master.trials.of_experiment(experiment.id)
    master.trials.start_allocation(trial.id, 1, [0])
    return trial.id


@pytest.fixture(scope="module")
def master(home: Home) -> Master:
    return Master(home)


@pytest.fixture
def metrics(master: Master) -> Metrics:
    return next(part for part in master.parts if isinstance(part, Metrics))


def report(
    metrics: Metrics, trial_id: int, steps: int, *, run_id: int = 1, group: str = "validation", **average: Any
) -> None:
    body = {"avgMetrics": average, "batchMetrics": []}
    metrics.report(trial_id, run_id=run_id, group="validation", steps=steps, metrics=body, report_time=None)


def losses(metrics: Metrics, trial_id: int) -> dict[int, Any]:
    return {report.steps: report.average["loss"] for report in metrics.of_trial(trial_id, "validation")}


def test_later_run_replaces_the_reports_that_it_repeats(master: Master, metrics: Metrics, trial_id: int) -> None:
    for steps in (1, 2, 3):
        report(metrics, trial_id, steps, loss=steps)
    master.trials.start_allocation(trial_id, 1, [0])
    report(metrics, trial_id, 2, run_id=2, loss=0.5)
    assert losses(metrics, trial_id) == {1: 1, 2: 0.5}


def test_run_that_is_over_reports_no_metrics(master: Master, metrics: Metrics, trial_id: int) -> None:
    master.trials.start_allocation(trial_id, 1, [0])
    with pytest.raises(FailedPreconditionError, match=f"run 1 of trial {trial_id} is over: run 2 is the current one"):
        report(metrics, trial_id, 1, loss=1)


def test_reports_of_the_same_batch_are_combined_unless_they_disagree(metrics: Metrics, trial_id: int) -> None:
    report(metrics, trial_id, 1, loss=1)
    report(metrics, trial_id, 1, loss=1, accuracy=0.5)
    [combined] = metrics.of_trial(trial_id, "validation")
    assert combined.average == {"loss": 1, "accuracy": 0.5}
    with pytest.raises(InvalidArgumentError, match="validation metrics at 1 batches were already reported: loss"):
        report(metrics, trial_id, 1, loss=2)


def test_best_validation_is_the_earliest_of_equals(metrics: Metrics, trial_id: int) -> None:
    for steps, loss in enumerate([3, 1, float("nan"), 1, 2]):
        report(metrics, trial_id, steps, loss=loss)
    smallest = metrics.best_validation(trial_id, Searcher("single", "loss", smaller_is_better=True))
    largest = metrics.best_validation(trial_id, Searcher("single", "loss", smaller_is_better=False))
    assert smallest is not None
    assert largest is not None
    assert (smallest.steps, largest.steps) == (1, 0)


@pytest.mark.parametrize(
    ("average", "value"),
    [
        ({"a.b": 1}, 1.0),
        ({"a": {"b": 2}}, 2.0),
        ({"a": 1}, None),
        ({"a": {"b": True}}, None),
        ({"a.b": "Infinity"}, math.inf),
        ({"a.b": "1"}, None),
    ],
)
def test_value_of_a_metric_is_a_number_or_none(average: dict[str, Any], value: float | None) -> None:
    report = MetricsReport(1, 1, 1, "validation", 1, average, None, "", False)
    assert report.value("a.b") == value


def test_special_numbers_are_stored_as_json_has_them(master: Master, metrics: Metrics, trial_id: int) -> None:
    report(metrics, trial_id, 1, loss=float("-inf"), more={"list": [float("nan"), 2.0]})
    [stored] = metrics.of_trial(trial_id)
    assert stored.average == {"loss": "-Infinity", "more": {"list": ["NaN", 2]}}


def test_best_validation_may_be_infinite_and_is_nan_only_without_a_number(metrics: Metrics, trial_id: int) -> None:
    smaller, larger = (Searcher("single", "loss", smaller_is_better=smaller) for smaller in (True, False))
    report(metrics, trial_id, 1, loss="NaN")
    assert (best := metrics.best_validation(trial_id, smaller)) is not None
    assert best.steps == 1
    report(metrics, trial_id, 2, loss="-Infinity")
    report(metrics, trial_id, 3, loss=5)
    assert [found.steps for s in (smaller, larger) if (found := metrics.best_validation(trial_id, s))] == [2, 3]


@pytest.mark.parametrize("value", ["one", True, [1], {"a": 1}, "NaN"])
@pytest.mark.parametrize("name", ["epoch", "epochs"])
def test_epoch_is_a_number(metrics: Metrics, trial_id: int, name: str, value: Any) -> None:
    half: dict[str, Any] = {name: 0.5}
    with pytest.raises(InvalidArgumentError, match=f"cannot add metric with non numeric '{name}' value got"):
        report(metrics, trial_id, 1, **{name: value})
    report(metrics, trial_id, 2, **half)


@pytest.mark.parametrize("value", ["low", True, [1]])
def test_searchers_metric_is_a_number(metrics: Metrics, trial_id: int, value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="the searcher's metric 'loss' must be a number, not"):
        report(metrics, trial_id, 1, loss=value)
    report(metrics, trial_id, 1, other=value)
