"""Calls of a model, one at a time, that keep their server answering."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

SHORT_SECONDS = 0.002
"""Handing a call to a thread and its result back takes a tenth of that, and more while both compete for the interpreter."""
FORGETTING = 0.9
"""The share of the longest call that still counts one call later: forty short calls outweigh one of a tenth of a second."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Calls:
    """Makes calls in a thread, so that probes are answered meanwhile, or directly while recent calls were short.

    Calls never overlap, because a model need not be safe for that.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._turn = threading.Lock()
        self._longest = 1.0  # of recent calls, in seconds; long until one was measured

    async def make(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """The result of ``function``, which runs to its end even if the caller is cancelled."""
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
