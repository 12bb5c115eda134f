"""A helper for checks that end with CheckError."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from course.checks import CheckError


@pytest.fixture
def hint() -> Callable[..., str]:
    """The message of the failure of a check, called with its arguments; empty if it passes."""

    def call(check: Callable[..., None], *arguments: object, **keywords: object) -> str:
        try:
            check(*arguments, **keywords)
        except CheckError as error:
            return str(error)
        return ""

    return call
