"""Self-checks: a tick when a step has worked, a hint when it has not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

from course import hints
from course.progress import WaitTimeoutError

Parameters = ParamSpec("Parameters")


class CheckError(AssertionError):
    """A self-check failed; its message is the hint."""


def check(what: str, passed: object, hint: str) -> None:
    """Print a tick beside ``what`` if ``passed`` is true, else raise CheckError with the hint."""
    if not passed:
        raise CheckError(f"Not yet: {what}. Hint: {hint}")
    print(f"✓ {what}")  # noqa: T201


def step(checks: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Make a lab's checks of one step print the hint of the first that fails, where `check` alone would raise it.

    A cluster that does not answer, or refuses, is such a failure too, whichever client tells of it.
    """

    @functools.wraps(checks)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        from grpc import RpcError
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            checks(*args, **kwargs)
        except (CheckError, WaitTimeoutError) as error:
            print(f"✗ {error}")  # noqa: T201
        except (RpcError, HTTPError, ApiException, OSError) as error:  # those of requests are OSErrors
            details = getattr(error, "details", None)
            print(f"✗ {hints.hint_for(error) or (details() if callable(details) else error)}")  # noqa: T201

    return run
