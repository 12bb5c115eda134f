"""The errors of the deployment step, each with one message that names the fix."""

from __future__ import annotations

import os


class DeploymentError(Exception):
    """The step cannot go on; its message is the last line of the job's log."""


def required(variable: str) -> str:
    """The environment variable ``variable``. Raises DeploymentError if it is missing or empty."""
    if value := os.environ.get(variable):
        return value
    raise DeploymentError(f"{variable} is not set: the pipeline's secret (or Pachyderm itself) has to provide it")
