"""Find, await and plot experiments on Determined, through its own Python client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course.progress import wait_for

if TYPE_CHECKING:
    from determined.common.experimental.experiment import Experiment
    from determined.common.experimental.model import ModelVersion
    from determined.common.experimental.trial import Trial
    from determined.experimental import Determined

Curve = list[tuple[int, float]]
"""(batches trained, value) in the order of training."""

ENDED = {"COMPLETED", "CANCELED", "ERROR", "DELETED"}
LOG_TAIL = 15


class ExperimentError(RuntimeError):
    """An experiment did not complete; the message ends with the last lines of its log."""


def find(determined: Determined, name: str) -> Experiment | None:
    """The newest experiment called ``name`` that completed or still runs; None if there is none."""
    experiments = determined.list_experiments(name=name)
    usable = [experiment for experiment in experiments if _state(experiment) not in ENDED - {"COMPLETED"}]
    return max(usable, key=lambda experiment: int(experiment.id), default=None)


def wait(experiment: Experiment, *, seconds: float = 900) -> str:
    """Wait until ``experiment`` has ended, showing its state; return COMPLETED.

    Raises ExperimentError with the log's last lines when it ends otherwise.
    """

    def look() -> tuple[bool, str, str]:
        experiment.reload()
        state = _state(experiment)
        return state in ENDED, f"{state.lower()} {experiment.progress or 0:.0%}", state

    state = wait_for(f"experiment {experiment.id}", look, seconds=seconds)
    if state != "COMPLETED":
        raise ExperimentError(f"experiment {experiment.id} is {state}:\n{_log_tail(experiment)}")
    return state


def curve(experiment: Experiment, metric: str) -> Curve:
    """The validation ``metric`` of the experiment's first trial over its training."""
    return curve_of_trial(experiment.list_trials()[0], metric)


def curve_of_trial(trial: Trial, metric: str) -> Curve:
    """The validation ``metric`` of ``trial`` over its training."""
    return [(report.steps_completed, float(report.metrics[metric])) for report in trial.iter_metrics("validation")]


def trial_of(determined: Determined, version: ModelVersion) -> Trial:
    """The trial whose checkpoint ``version`` of a registered model is."""
    if version.checkpoint is None or version.checkpoint.training is None:
        raise ValueError(f"version {version.name} has no checkpoint of a trial")
    trial: Trial = determined.get_trial(version.checkpoint.training.trial_id)
    return trial


def _state(experiment: Experiment) -> str:
    state = experiment.state
    return str(getattr(state, "value", state)).removeprefix("STATE_")


def _log_tail(experiment: Experiment) -> str:
    trials = experiment.list_trials()
    lines = [line.rstrip() for line in trials[0].iter_logs(tail=LOG_TAIL)] if trials else ["it has no trial"]
    return "\n".join(lines)
