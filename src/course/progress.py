"""Wait for something and show its state: one line on stderr, which disappears when the wait is over."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.25


class WaitTimeoutError(TimeoutError):
    """Something did not happen in time; the message names it and its last known state."""


def wait_for(what: str, look: Callable[[], tuple[bool, str, T]], *, seconds: float = 600) -> T:
    """Call ``look`` until it says done, showing its state; return its value.

    ``look`` returns (done, state in a few words, value) and raises when waiting further is pointless.
    Raises WaitTimeoutError after ``seconds``.
    """
    began, line = time.monotonic(), Line()
    while True:
        done, state, value = look()
        passed = time.monotonic() - began
        line.show("" if done else f"{what}: {state} ({passed:.0f} s)")
        if done:
            return value
        if passed > seconds:
            raise WaitTimeoutError(f"{what} took over {seconds:g} s; its last state was: {state}")
        time.sleep(POLL_SECONDS)


class Line:
    """A line on stderr that is written over; JupyterLab and terminals alike return to its beginning at ``\\r``."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, text: str) -> None:
        if text != self._shown:
            sys.stderr.write(f"\r{text.ljust(len(self._shown))}" + ("" if text else "\r"))
            sys.stderr.flush()
            self._shown = text
