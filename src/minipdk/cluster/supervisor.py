"""The supervisor: starts each process of the cluster, restarts one that dies, and ends them all on SIGTERM.

The pauses between restarts grow, so that a service that cannot start does not spin. Processes die with their supervisor:
half a cluster is never left over. It has inherited the sockets that hold the cluster's ports, and keeps them open: a service
that starts again finds its port free.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time

from minipdk.cluster import logs
from minipdk.cluster.services import PROCESSES, Process
from minipdk.common.backoff import BackOff
from minipdk.common.home import Home, keep_private, write_private

STOP_SECONDS = 10.0
LOG_SECONDS = 5.0
FIRST_PAUSE, LONGEST_PAUSE, HEALTHY_AFTER = 0.1, 5.0, 10.0
STATE_FILE = "services.json"
"""In the folder ``run``: the process id and the count of restarts of each process that runs; gone after an orderly end."""


def supervisor_pid(home: Home) -> int | None:
    """The supervisor's process id, from the lock it holds while it lives; None when there is none."""
    lock = home.folder("run") / "supervisor.pid"
    try:
        with lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return int(lock.read_text() or 0) or None


def supervise(home: Home) -> None:
    """Run the services until SIGTERM: the supervisor's whole life."""
    keep_private()
    with (home.folder("run") / "supervisor.pid").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # waits for `supervisor_pid`; `start` prevents a second supervisor
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        _Supervisor(home).run()


class _Supervisor:
    """Starts the processes, restarts each one that dies, and ends them all on SIGTERM."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._started: dict[str, float] = {}
        self._pauses = {
            process.name: BackOff(FIRST_PAUSE, LONGEST_PAUSE, healthy_after=HEALTHY_AFTER) for process in PROCESSES
        }
        self._due: dict[str, float] = {process.name: 0.0 for process in PROCESSES}
        self._restarts: dict[str, int] = {process.name: -1 for process in PROCESSES}
        self._stopping = False

    def run(self) -> None:
        signals = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        while not self._stopping:
            self._reap()
            for process in PROCESSES:
                if process.name not in self._processes and self._due[process.name] <= time.monotonic():
                    self._spawn(process)
            for log in self._home.folder("logs").glob("*.log"):
                logs.bound(log)
            received = signal.sigtimedwait(signals, self._until_due())
            self._stopping = received is not None and received.si_signo != signal.SIGCHLD
        self._end_all()

    def _spawn(self, process: Process) -> None:
        with self._home.log_file(process.name).open("ab") as log:
            self._processes[process.name] = subprocess.Popen(
                [sys.executable, "-m", process.module, "--home", str(self._home.path), "--supervisor", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._started[process.name] = time.monotonic()
        self._restarts[process.name] += 1
        self._write_state()

    def _reap(self) -> None:
        for name, process in list(self._processes.items()):
            if process.poll() is None:
                continue
            del self._processes[name]
            now = time.monotonic()
            self._due[name] = now + self._pauses[name].pause(now - self._started[name])
            self._write_state()

    def _until_due(self) -> float:
        """The seconds until a process starts again, or the logs are looked at."""
        waiting = [due for name, due in self._due.items() if name not in self._processes]
        return max(0.0, min([LOG_SECONDS, *(due - time.monotonic() for due in waiting)]))

    def _write_state(self) -> None:
        state = {name: {"pid": process.pid, "restarts": self._restarts[name]} for name, process in self._processes.items()}
        write_private(self._home.folder("run") / STATE_FILE, json.dumps(state))

    def _end_all(self) -> None:
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        (self._home.folder("run") / STATE_FILE).unlink()
