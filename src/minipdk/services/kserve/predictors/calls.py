"""Calls of a model, one at a time, that keep their server answering."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

SHORT_SECONDS = 0.002
"""To hand a call to a thread and its result back takes a tenth of that, and more where both want the interpreter."""
FORGETTING = 0.9
"""How much of the longest call counts one call later: forty short ones after one of a tenth of a second are short again."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Calls:
    """Calls made in a thread, so that probes are answered meanwhile; or at once, while none of late was long.

    Either way no two overlap: a model need not be safe for that.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._turn = threading.Lock()
        self._longest = 1.0  # of late, in seconds: nothing is known yet

    async def make(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """What ``function`` returns. It is not called off when the caller has gone."""
        if self._longest <= SHORT_SECONDS and self._turn.acquire(blocking=False):
            try:
                return self._timed(function, *args, **kwargs)
            finally:
                self._turn.release()

        def wait_and_call() -> Result:
            with self._turn:
                return self._timed(function, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._thread, wait_and_call)

    def _timed(self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            self._longest = max(time.perf_counter() - began, FORGETTING * self._longest)
