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


def check(claim: str, passed: object, hint: str) -> None:
    """Print a tick beside ``claim`` if ``passed`` is true, else raise CheckError with the hint."""
    if not passed:
        raise CheckError(f"Not yet: {claim}. Hint: {hint}")
    print(f"✓ {claim}")  # noqa: T201


def step(checks: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Decorate a lab's checks of one step: they print the hint of the first failure, which `check` alone would raise.

    A cluster that refuses or does not answer is such a failure too, in every client.
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
        except (RpcError, HTTPError, ApiException, OSError) as error:  # the errors of requests are OSErrors
            details = getattr(error, "details", None)
            print(f"✗ {hints.hint_for(error) or (details() if callable(details) else error)}")  # noqa: T201

    return run
