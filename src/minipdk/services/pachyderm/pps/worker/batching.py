"""Datum batching: user code that is started once for a set of datums and asks the worker for one after the other.

What such code does before it first asks, such as loading a model, is done once. It calls NextDatum (see `worker_api`): the
worker lays out a datum in /pfs and answers; the next call says that this datum is done, or why it could not be. After a try
that failed, for whatever reason, the code is started anew.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from minipdk.common.home import Home
from minipdk.sandbox import Mount
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pps.logs import JobLog
from minipdk.services.pachyderm.pps.worker.datum_run import DatumRun
from minipdk.services.pachyderm.pps.worker.environment import datum_variables, user_environment
from minipdk.services.pachyderm.pps.worker.user_code import (
    Command,
    FailedTryError,
    Plan,
    UserCode,
    new_folder,
    remove_folder,
)
from minipdk.services.pachyderm.pps.worker.worker_api import WorkerServer

PORT_VARIABLE = "PPS_WORKER_GRPC_PORT"


@dataclass(frozen=True)
class Asked:
    """The code asks for a datum; ``error`` says why the one before could not be processed, "" if it was."""

    error: str
    answer: Future[Mapping[str, str]] = field(default_factory=Future)


@dataclass(frozen=True)
class Ended:
    """The code has ended, which it never should by itself."""

    status: int


@dataclass(frozen=True)
class Interrupted:
    """A datum was cancelled or restarted from outside; it may be done by now."""

    run: DatumRun


Event = Asked | Ended | Interrupted


class BatchedCode:
    """Started user code, and the conversation with it. A new start makes a new one, so that no late word is mistaken."""

    def __init__(self, start: Callable[[int], UserCode], current: Callable[[], DatumRun | None]) -> None:
        """``start`` starts the code that talks to a port. Raises FailedTryError."""
        self._current = current
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._server = WorkerServer(self)
        self._server.start()
        try:
            self.code = start(self._server.port)
        except FailedTryError:
            self._server.stop()
            raise
        threading.Thread(target=lambda: self.events.put(Ended(self.code.wait())), daemon=True).start()

    def stop(self) -> None:
        self.code.stop()
        self.code.wait()
        self._server.stop()

    # As the worker's API

    def status(self) -> Any:
        run = self._current()
        if run is None:
            raise PachydermError("the worker is not processing a datum")
        return run.status()

    def cancel(self, job: str, filters: list[str]) -> bool:
        run = self._current()
        if run is None or run.plan.worker.job != job or not run.matches(filters):
            return False
        run.restart()
        return True

    def next_datum(self, error: str, context: grpc.ServicerContext) -> Mapping[str, str]:
        asked = Asked(error)
        if not context.add_callback(asked.answer.cancel):
            asked.answer.cancel()
        self.events.put(asked)
        try:
            return asked.answer.result()
        except CancelledError:
            raise PachydermError("the call was cancelled") from None


class Batch:
    """The user code of one worker for one set of datums, which ends when the ``with`` block does."""

    def __init__(self, home: Home, plan: Plan, log: JobLog, worker: str, gpus: tuple[int, ...]) -> None:
        self._home, self._plan, self._log, self._worker, self._gpus = home, plan, log, worker, gpus
        self._pfs = new_folder(home)
        self._running: BatchedCode | None = None
        self._asked: Asked | None = None
        self._run: DatumRun | None = None

    def __enter__(self) -> Batch:
        self._pfs.mkdir(parents=True, mode=0o700)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        remove_folder(self._pfs)

    def interrupt(self, run: DatumRun) -> None:
        """End the present try of ``run``, if it is this batch's turn."""
        if (running := self._running) is not None:
            running.events.put(Interrupted(run))

    def stop(self) -> None:
        """End the code; it is started again when it is next needed."""
        running, self._running, self._asked = self._running, None, None
        if running is not None:
            running.stop()

    def get_ready(self, run: DatumRun) -> None:
        """Have the code running and asking for a datum. Raises FailedTryError."""
        while self._asked is None:
            if self._running is None:
                self._running = BatchedCode(self._start, lambda: self._run)
            self._asked = self._expect(self._running, run, None)

    def process(self, run: DatumRun, folder: Path, timeout: float | None) -> None:
        """Have the code process the datum laid out in ``folder``, in at most ``timeout`` seconds.

        Raises FailedTryError, also when the run was interrupted, and TimeoutError.
        """
        while not self._hand_over(run, folder):
            self.get_ready(run)
        assert self._running is not None
        self._run = run
        try:
            self._asked = self._expect(self._running, run, timeout)
            if self._asked.error:
                raise FailedTryError(self._asked.error)
        except (FailedTryError, TimeoutError):
            self.stop()
            raise
        finally:
            self._run = None
            _move(self._pfs, folder)

    def _start(self, port: int) -> UserCode:
        transform = self._plan.transform
        environment = {
            "CUDA_VISIBLE_DEVICES": ",".join(map(str, self._gpus)),
            **user_environment(self._home, self._plan.worker, None),
            PORT_VARIABLE: str(port),
        }
        mounts = (Mount(source=self._pfs, target="/pfs"),)
        command = Command(list(transform.cmd), list(transform.stdin), environment, mounts=mounts)
        return UserCode(self._home, self._plan, command, self._log, self._worker)

    def _hand_over(self, run: DatumRun, folder: Path) -> bool:
        """Answer the code's question with this datum; False if it no longer waits for an answer."""
        asked, self._asked = self._asked, None
        if self._running is None or asked is None or not asked.answer.set_running_or_notify_cancel():
            return False
        _move(folder, self._pfs)
        self._running.code.output.attribute(run.datum)
        asked.answer.set_result(datum_variables(run.datum))
        return True

    def _expect(self, running: BatchedCode, run: DatumRun, timeout: float | None) -> Asked:
        """The code's next question. Raises FailedTryError when it ends instead or is interrupted, or TimeoutError."""
        deadline = None if timeout is None else time.monotonic() + timeout
        event: Event | None = None
        while event is None or (isinstance(event, Interrupted) and event.run is not run):
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                event = running.events.get(timeout=left)
            except queue.Empty:
                raise TimeoutError from None
        running.code.output.attribute(None)
        if isinstance(event, Asked):
            return event
        self.stop()
        if isinstance(event, Interrupted):
            raise FailedTryError("it was interrupted")
        raise FailedTryError(f"user code exited prematurely: {running.code.failure(event.status)}")


@dataclass
class BatchedRun(DatumRun):
    """One datum on its way through user code that is there already."""

    batch: Batch = field(kw_only=True)
    _link = False  # /pfs is a folder that the container writes to

    @staticmethod
    def _inputs(folder: Path) -> Path:
        return folder

    def _command(self, folder: Path, argv: Any, stdin: Any) -> Command:
        mounts = (Mount(source=folder, target="/pfs"),)
        return Command(list(argv), list(stdin), self._environment(), self.datum, mounts)

    def _interrupt(self) -> None:
        super()._interrupt()
        self.batch.interrupt(self)

    def _try(self, folder: Path, result: Any) -> None:
        self._guarded(lambda: self.batch.get_ready(self))
        super()._try(folder, result)

    def _run_user_code(self, folder: Path) -> None:
        self._guarded(lambda: self.batch.process(self, folder, self.plan.timeout))

    def _guarded(self, call: Callable[[], None]) -> None:
        """Call into the batch, unless the datum was or is meanwhile ended from outside."""
        self._end()
        try:
            call()
        except FailedTryError:
            self._end()
            raise
        except TimeoutError:
            raise FailedTryError(self._too_long()) from None


def _move(source: Path, target: Path) -> None:
    """Move what is in one folder into another, on the same disk, also where user code took away its own permissions."""
    source.chmod(0o700)
    for path in list(source.iterdir()):
        path.rename(target / path.name)
