"""Self-checks: a tick when a step has worked, a hint when it has not."""

from __future__ import annotations


class CheckError(AssertionError):
    """A self-check failed; its message is the hint."""


def check(what: str, passed: object, hint: str) -> None:
    """Print a tick beside ``what`` if ``passed`` is true, else raise CheckError with the hint."""
    if not passed:
        raise CheckError(f"Not yet: {what}. Hint: {hint}")
    print(f"✓ {what}")  # noqa: T201
