"""Start a Determined experiment, or find the experiment that an earlier try has started, and follow it to its end."""

from __future__ import annotations

import contextlib
import io
import re
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import requests
from determined.common.api.errors import APIException, BadRequestException, MasterNotFoundException
from determined.experimental import Determined
from determined.experimental.client import Experiment, ExperimentState, Trial
from training_errors import TrainingError, required

ENDED = {ExperimentState.COMPLETED, ExperimentState.CANCELED, ExperimentState.ERROR, ExperimentState.DELETED}
POLL_SECONDS = 0.5
PATIENCE_SECONDS = 120.0
"""How long to wait for a master that does not answer."""
TAIL_LINES = 20
EXCEPTION = re.compile(r"\|\| (?:\[rank=\d+\] )?([\w.]+(?:Error|Exception): .*)")
"""The line of a trial's log that ends a traceback; errors of the master's own begin with a level instead."""


def connect() -> Determined:
    """Log in to the master that DET_MASTER, DET_USER and DET_PASSWORD name."""
    master = required("DET_MASTER")
    try:
        return Determined(master=master, user=required("DET_USER"), password=required("DET_PASSWORD"))
    except BadRequestException as error:
        raise TrainingError(
            f"cannot log in to Determined at {master}: {error}. "
            "Check det_master, det_user and det_password in the secret pipeline-secret."
        ) from error


def started_before(client: Determined, labels: list[str]) -> Experiment | None:
    """The newest experiment with all of ``labels``, one of which is the job's id.

    A datum that is tried again goes on with the experiment of its first try, and reports its failure if it has failed: the
    same code on the same data would fail again, and Determined has restarted the trial as often as its configuration asks.
    """
    experiments = client.list_experiments(labels=labels)
    matches = [experiment for experiment in experiments if set(labels) <= experiment.labels]
    return max(matches, key=lambda experiment: experiment.id, default=None)


def create(client: Determined, config: dict[str, Any], code: Path) -> Experiment:
    """Create the experiment from the files in ``code``. Raises TrainingError with the master's own words."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # a progress bar does not belong in a log
            return client.create_experiment(config, code)
    except APIException as error:
        raise TrainingError(f"Determined refuses the experiment: {error}") from error


def follow(experiment: Experiment) -> None:
    """Print the trial's log until the experiment ends. Raises TrainingError unless it ends COMPLETED."""
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    for line in _log(experiment):
        tail.append(line)
        print(line)
    try:
        state = experiment.wait(interval=POLL_SECONDS)
    except ValueError as error:
        raise TrainingError(f"experiment {experiment.id} is paused: activate it, then restart this job") from error
    if state != ExperimentState.COMPLETED:
        raise TrainingError(f"experiment {experiment.id} ended as {state.name}: {_reason(tail)}")


def _reason(tail: deque[str]) -> str:
    """Why the trial ended: the last line of its traceback, else the last line of its log."""
    exceptions = [match[1] for line in tail if (match := EXCEPTION.search(line))]
    return (exceptions or list(tail) or ["its log is empty"])[-1]


def _log(experiment: Experiment) -> Iterator[str]:
    """The lines of the trial's log as they come, to its end. Waits for a master that restarts meanwhile."""
    seen, patience = 0, PATIENCE_SECONDS
    while True:
        try:
            if trial := _first_trial(experiment):
                for line in islice(trial.iter_logs(follow=True), seen, None):
                    seen, patience = seen + 1, PATIENCE_SECONDS
                    yield line.rstrip("\n")
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, MasterNotFoundException):
            patience -= POLL_SECONDS
            if patience <= 0:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


def _first_trial(experiment: Experiment) -> Trial | None:
    """The experiment's trial, waiting until there is one; None if the experiment ends without a trial."""
    while not (trials := experiment.list_trials()):
        experiment.reload()
        if experiment.state in ENDED:
            return None
        time.sleep(POLL_SECONDS)
    return trials[0]
