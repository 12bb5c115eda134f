"""Waits end with a value or with the last state."""

from __future__ import annotations

import pytest

from course.progress import WaitTimeoutError, wait_for


def test_a_wait_ends_with_the_value_or_names_the_last_state() -> None:
    answers = iter([(False, "running", 0), (True, "done", 7)])
    assert wait_for("it", lambda: next(answers)) == 7
    with pytest.raises(WaitTimeoutError, match="it took over 0 s; its last state was: queued"):
        wait_for("it", lambda: (False, "queued", 0), seconds=0)
