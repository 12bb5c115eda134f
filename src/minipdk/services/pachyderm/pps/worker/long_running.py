"""Keeps user code running that is not meant to end, as services and spouts do: it is started again whenever it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from minipdk.common.backoff import BackOff
from minipdk.services.pachyderm.pps.worker.user_code import FailedTryError

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0


def keep_running(run: Callable[[], str], ended: threading.Event, say: Callable[[str], None]) -> None:
    """Call ``run``, which tells how it came to an end, until ``ended`` is set; the pauses grow while it ends early."""
    pauses = BackOff(FIRST_PAUSE_S, LONGEST_PAUSE_S, healthy_after=LONGEST_PAUSE_S)
    while not ended.is_set():
        began = time.monotonic()
        try:
            how = run()
        except FailedTryError as failure:
            how = str(failure)
        pause = pauses.pause(time.monotonic() - began)
        if not ended.is_set():
            say(f"user code has ended and starts again in {pause:g}s: {how}")
            ended.wait(pause)
