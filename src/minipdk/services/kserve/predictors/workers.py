"""A model in several processes behind one port, as TorchServe has its workers.

They are forks of a process that has imported the slow modules and loaded no model. Each loads the model itself, because
handlers may start threads or open devices. The first one shows whether the model can be loaded; then the others start. They
listen on one port, whose connections the kernel distributes. When a worker ends, the others end too, once their requests in
flight are answered: the kubelet restarts the container and reports it.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable

SIGNALS = (signal.SIGTERM, signal.SIGINT)
SIGNALLED = 128
log = logging.getLogger("workers")


def become_worker(count: int) -> Callable[[], None]:
    """Return in each of ``count`` forks a function that the fork calls when it has loaded the model.

    The calling process supervises them: it forwards SIGTERM, and exits with the first failure's status. A single worker
    is not forked.
    """
    return Workers().start(count) if count > 1 else lambda: None


class Workers:
    """The processes that run."""

    def __init__(self) -> None:
        self._pids: set[int] = set()
        self._stopping = False

    def start(self, count: int) -> Callable[[], None]:
        gc.freeze()  # forks share the imported modules' memory until a collection writes to it
        for number in SIGNALS:
            signal.signal(number, lambda *_: self._stop())
        loaded, reporting = os.pipe()
        if self._fork():
            os.close(loaded)
            return lambda: _report(reporting)
        os.close(reporting)
        if os.read(loaded, 1):  # empty if the worker has ended
            for _ in range(count - 1):
                if self._fork():
                    return lambda: None
            log.info("%d workers", count)
        sys.exit(self._wait())

    def _fork(self) -> bool:
        """True in the new process."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if pid:
            self._pids.add(pid)
        else:
            os.setpgid(0, 0)  # a signal to the parent's group then reaches the parent alone, which forwards it
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        if pid and self._stopping:
            os.kill(pid, signal.SIGTERM)
        return not pid

    def _wait(self) -> int:
        """Wait until every worker has ended; the status of the first that failed."""
        status = 0
        while self._pids:
            pid, raw = os.wait()
            self._pids.discard(pid)
            code = os.waitstatus_to_exitcode(raw)
            status = status or (code if code >= 0 else SIGNALLED - code)
            if code < 0 and not self._stopping:  # it has logged any other end itself
                log.error("a worker was ended by signal %d", -code)
            self._stop()
        return status

    def _stop(self) -> None:
        """Signal each worker once: a second signal could kill it after it has removed its handler."""
        if not self._stopping:
            self._stopping = True
            for pid in self._pids:
                os.kill(pid, signal.SIGTERM)


def _report(pipe: int) -> None:
    os.write(pipe, b"1")
    os.close(pipe)
