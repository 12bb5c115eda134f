"""A model in several processes behind one port, as TorchServe has its workers.

They are forks of a process that has imported what takes long, and has loaded nothing: each loads the model itself, as
handlers may start threads or open devices. The first one shows whether it can be loaded; then come the others. They
listen on one port, whose connections the kernel shares out. A worker that ends takes the others with it, once their
requests in flight are answered: it is for the kubelet to start a container again, and to tell of it.
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
    """Return in each of ``count`` forks; they call what it returns when they have loaded the model.

    The calling process stays to watch over them: it hands on SIGTERM, and exits with the first failure's status.
    For one worker there is no fork.
    """
    return Workers().start(count) if count > 1 else lambda: None


class Workers:
    """The processes that run."""

    def __init__(self) -> None:
        self._pids: set[int] = set()
        self._stopping = False

    def start(self, count: int) -> Callable[[], None]:
        gc.freeze()  # what is imported is shared for as long as no collection writes to it
        for number in SIGNALS:
            signal.signal(number, lambda *_: self._stop())
        loaded, told = os.pipe()
        if self._fork():
            os.close(loaded)
            return lambda: _tell(told)
        os.close(told)
        if os.read(loaded, 1):  # nothing comes of a worker that has ended
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
            os.setpgid(0, 0)  # what is sent to the group of all reaches the parent alone, which hands it on
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        if pid and self._stopping:
            os.kill(pid, signal.SIGTERM)
        return not pid

    def _wait(self) -> int:
        """Wait for the end of all; the status of the first that failed."""
        status = 0
        while self._pids:
            pid, raw = os.wait()
            self._pids.discard(pid)
            code = os.waitstatus_to_exitcode(raw)
            status = status or (code if code >= 0 else SIGNALLED - code)
            if code < 0 and not self._stopping:  # any other end it has told of itself
                log.error("a worker was ended by signal %d", -code)
            self._stop()
        return status

    def _stop(self) -> None:
        """Tell each worker, once: a second signal could meet it when it no longer listens for one, and be its end."""
        if not self._stopping:
            self._stopping = True
            for pid in self._pids:
                os.kill(pid, signal.SIGTERM)


def _tell(pipe: int) -> None:
    os.write(pipe, b"1")
    os.close(pipe)
