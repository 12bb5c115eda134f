"""Calls that wait: for a commit, a job, or more lines of a log. They occupy no thread while they wait.

Such a call is a generator. It yields its responses, and where it must wait the `Signal` that may end the wait; any thread of
a small pool resumes it whenever that signal is given. After a wait it must fetch again all that belongs to a thread,
such as a connection to the database.

Any number of clients may wait for days. So the number of calls that wait is bounded too.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeAlias, TypeVar

from minipdk.services.pachyderm.errors import TooManyCallsError

MOST = 4096
THREADS = 16

T = TypeVar("T")
R = TypeVar("R")
Method = TypeVar("Method", bound=Callable[..., Any])


class Signal:
    """Tells calls that something has changed for which they may wait."""

    def __init__(self) -> None:
        self._listeners: dict[Callable[[], None], None] = {}
        self._lock = threading.Lock()

    def give(self) -> None:
        """Resume the calls that wait, from any thread."""
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def add(self, listener: Callable[[], None]) -> None:
        with self._lock:
            self._listeners[listener] = None

    def remove(self, listener: Callable[[], None]) -> None:
        with self._lock:
            self._listeners.pop(listener, None)


Steps: TypeAlias = Iterator[T | Signal]
"""A call's responses, and the signals for which it waits between them."""
Wait: TypeAlias = Generator[Signal, None, T]
"""A part of a call that waits and then has a result: ``result = yield from wait``."""


def until(signal: Signal, predicate: Callable[[], T]) -> Wait[T]:
    """The first true value of ``predicate``, called again after each ``signal``."""
    while not (value := predicate()):
        yield signal
    return value


def each(function: Callable[[T], R], steps: Iterable[T | Signal]) -> Steps[R]:
    """The ``steps`` with ``function`` of each response."""
    for step in steps:
        yield step if isinstance(step, Signal) else function(step)


def waits(method: Method) -> Method:
    """Mark a servicer's method whose calls may wait: it returns `Steps`, even if the call has a single response."""
    method.may_wait = True  # type: ignore[attr-defined]
    return method


def may_wait(method: Callable[..., Any]) -> bool:
    """Whether a servicer's method is marked by `waits`."""
    return getattr(method, "may_wait", False)


class Answers(Protocol):
    """Where the responses of a call go. Its methods may be called by any thread."""

    def send(self, response: Any) -> None: ...

    def end(self, error: Exception | None) -> None: ...


class WaitingCalls:
    """Makes calls that may wait, of which at most ``most`` wait at a time."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="waiting call")
        self._waiting: set[_WaitingCall] = set()

    def start(self, steps: Steps[Any], answers: Answers, when_gone: Callable[[Callable[[], None]], bool]) -> None:
        """Make a call by this thread until it waits.

        ``when_gone`` calls its argument when the client has gone away, and returns False if it has already.
        """
        call = _WaitingCall(steps, answers, self)
        if not when_gone(call.cancel):
            call.cancel()
        call.proceed()

    def admit(self, call: _WaitingCall) -> None:
        """Let ``call`` wait. Raises TooManyCallsError."""
        if call not in self._waiting and len(self._waiting) >= self._most:
            raise TooManyCallsError(f"{self._most} calls wait for commits, jobs or logs: end some of them, then try again")
        self._waiting.add(call)

    def forget(self, call: _WaitingCall) -> None:
        self._waiting.discard(call)

    def submit(self, proceed: Callable[[], None]) -> None:
        self._pool.submit(proceed)


class _WaitingCall:
    """One call. One thread at a time proceeds with it; a signal in the meantime makes this thread go on."""

    def __init__(self, steps: Steps[Any], answers: Answers, calls: WaitingCalls) -> None:
        self._steps, self._answers, self._calls = steps, answers, calls
        self._context = contextvars.copy_context()
        self._lock = threading.Lock()
        self._signal: Signal | None = None
        self._running, self._woken, self._gone = True, False, False

    def wake(self) -> None:
        with self._lock:
            self._woken = True
            if self._running:
                return
            self._running = True
        self._calls.submit(self.proceed)

    def cancel(self) -> None:
        self._gone = True
        self.wake()

    def proceed(self) -> None:
        """Send responses until the call waits or ends."""
        try:
            while (signal := self._context.run(self._next_signal)) is not None:
                self._listen(signal)
                if self._rests():
                    return
        except Exception as error:
            self._end(error)
        else:
            self._end(None)

    def _next_signal(self) -> Signal | None:
        """Send the responses up to the next wait; None after the last."""
        self._woken = False
        if self._gone:
            return None
        for step in self._steps:
            if isinstance(step, Signal):
                return step
            self._answers.send(step)
        return None

    def _listen(self, signal: Signal) -> None:
        if signal is self._signal:
            return
        self._calls.admit(self)
        self._stop_listening()
        self._signal = signal
        signal.add(self.wake)
        self._woken = True  # it may have been given before this call listened

    def _rests(self) -> bool:
        """Whether nothing has happened since the call began to wait."""
        with self._lock:
            self._running = self._woken
            return not self._running

    def _stop_listening(self) -> None:
        if self._signal is not None:
            self._signal.remove(self.wake)
            self._signal = None

    def _end(self, error: Exception | None) -> None:
        self._stop_listening()
        self._calls.forget(self)
        if isinstance(self._steps, Generator):
            self._context.run(self._steps.close)
        self._answers.end(error)
