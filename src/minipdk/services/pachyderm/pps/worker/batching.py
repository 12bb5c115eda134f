"""Datum batching: user code that starts once for a set of datums and asks the worker for them one by one.

The code before its first question, such as loading a model, runs once. Then it calls NextDatum (see `worker_api`): the
worker lays out a datum in /pfs and answers; the next call reports that this datum is done, or its error. After a failed try
the code is always started again.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from minipdk.sandbox import Mount
from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pps.errors import FailedTryError
from minipdk.services.pachyderm.pps.logs import JobLog
from minipdk.services.pachyderm.pps.worker.datum_run import DatumRun, Result
from minipdk.services.pachyderm.pps.worker.environment import datum_variables, user_environment
from minipdk.services.pachyderm.pps.worker.folders import move_files, new_folder, remove_folder
from minipdk.services.pachyderm.pps.worker.plans import Plan
from minipdk.services.pachyderm.pps.worker.user_code import Command, UserCode
from minipdk.services.pachyderm.pps.worker.worker_api import WorkerServer

PORT_VARIABLE = "PPS_WORKER_GRPC_PORT"


@dataclass(frozen=True)
class Asked:
    """The code asks for a datum; ``error`` is why it could not process the previous datum, "" if it did."""

    error: str
    answer: Future[Mapping[str, str]] = field(default_factory=Future)


@dataclass(frozen=True)
class Ended:
    """The code has ended; it should run until the worker stops it."""

    status: int


@dataclass(frozen=True)
class Interrupted:
    """A datum was cancelled or restarted from outside; it may be done already."""

    run: DatumRun


Event = Asked | Ended | Interrupted


class BatchedCode:
    """Started user code, and its questions. A new start makes a new object, so that late questions are not mixed up."""

    def __init__(self, start: Callable[[int], UserCode], current: Callable[[], DatumRun | None]) -> None:
        """``start`` starts the code, which calls the worker at a port. Raises FailedTryError."""
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

    def status(self) -> wire.pps.WorkerStatus:
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

    def __init__(self, plan: Plan, log: JobLog, worker: str, gpus: tuple[int, ...]) -> None:
        self._plan, self._log, self._worker, self._gpus = plan, log, worker, gpus
        self._pfs = new_folder(plan.home)
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
        """End the code; it starts again when it is next needed."""
        running, self._running, self._asked = self._running, None, None
        if running is not None:
            running.stop()

    def get_ready(self, run: DatumRun) -> None:
        """Start the code if necessary, and wait until it asks for a datum. Raises FailedTryError."""
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
            move_files(self._pfs, folder)

    def _start(self, port: int) -> UserCode:
        transform = self._plan.transform
        environment = {
            "CUDA_VISIBLE_DEVICES": ",".join(map(str, self._gpus)),
            **user_environment(self._plan.home, self._plan.worker, None),
            PORT_VARIABLE: str(port),
        }
        mounts = (Mount(source=self._pfs, target="/pfs"),)
        command = Command(list(transform.cmd), list(transform.stdin), environment, mounts=mounts)
        return UserCode(self._plan, command, self._log, self._worker)

    def _hand_over(self, run: DatumRun, folder: Path) -> bool:
        """Answer the code's question with this datum; False if it no longer waits for an answer."""
        asked, self._asked = self._asked, None
        if self._running is None or asked is None or not asked.answer.set_running_or_notify_cancel():
            return False
        move_files(folder, self._pfs)
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
    """A datum that running user code processes."""

    batch: Batch = field(kw_only=True)
    _link = False  # /pfs is a folder that the container writes to

    @staticmethod
    def _inputs(folder: Path) -> Path:
        return folder

    def _command(self, folder: Path, argv: Iterable[str], stdin: Iterable[str]) -> Command:
        mounts = (Mount(source=folder, target="/pfs"),)
        return Command(list(argv), list(stdin), self._environment(), self.datum, mounts)

    def _interrupt(self) -> None:
        super()._interrupt()
        self.batch.interrupt(self)

    def _try(self, folder: Path, result: Result) -> None:
        self._guarded(lambda: self.batch.get_ready(self))
        super()._try(folder, result)

    def _run_user_code(self, folder: Path) -> None:
        self._guarded(lambda: self.batch.process(self, folder, self.plan.timeout))

    def _guarded(self, call: Callable[[], None]) -> None:
        """Call the batch, unless the datum was ended from outside before or is ended meanwhile."""
        self._end()
        try:
            call()
        except FailedTryError:
            self._end()
            raise
        except TimeoutError:
            raise FailedTryError(self._too_long()) from None
