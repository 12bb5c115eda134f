"""The errors of the training step, each with one message that names the fix."""

from __future__ import annotations

import os


class TrainingError(Exception):
    """The step cannot go on; its message is the last line of the job's log."""


def required(variable: str) -> str:
    """The environment variable ``variable``. Raises TrainingError if it is missing or empty."""
    if value := os.environ.get(variable):
        return value
    raise TrainingError(f"{variable} is not set: the pipeline's secret (or Pachyderm itself) has to provide it")
