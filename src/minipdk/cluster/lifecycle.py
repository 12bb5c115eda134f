"""Start, stop, reset and inspect a cluster. Its services run below one supervisor process (`supervisor`)."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from minipdk.cluster.home import choose_ports
from minipdk.cluster.services import PROCESSES, SERVICES, Process
from minipdk.cluster.supervisor import STATE_FILE, STOP_SECONDS, supervisor_pid
from minipdk.common.home import Home, save

READY_SECONDS = 60.0
RESET_FOLDERS = ("db", "logs", "run", *(folder for service in SERVICES for folder in service.folders))


class ClusterError(Exception):
    """The cluster cannot carry out a command; the message has the reason and the remedy."""


@dataclass(frozen=True)
class ProcessStatus:
    """How a process is: ``pid`` is 0 while it is down, ``restarts`` counts since the start."""

    process: Process
    pid: int
    ready: bool
    restarts: int


def start(home: Home) -> Home:
    """Start the cluster, or find it running, and return when every service answers. Ports that are taken move."""
    with _exclusively(home):
        found_running = is_running(home)
        if not found_running:
            home = _with_free_ports(home)
            write_client_files(home)
            _spawn_supervisor(home)
    try:
        _wait_until_ready(home)
    except ClusterError:
        if not found_running:
            stop(home)
        raise
    return home


def stop(home: Home) -> bool:
    """Stop every service; False when none was running. What was acknowledged is on disk."""
    with _exclusively(home):
        pid = supervisor_pid(home)
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        _wait(lambda: supervisor_pid(home) is None, STOP_SECONDS + 5, f"the cluster at {home.path} did not stop")
        return True


def reset(home: Home) -> None:
    """Stop the cluster and forget everything in it but its identity, credentials and images."""
    stop(home)
    for name in RESET_FOLDERS:
        shutil.rmtree(home.path / name, ignore_errors=True)
        if (home.path / name).exists():  # a container's layer can hold folders without write permission
            subprocess.run(["chmod", "-R", "u+rwX", str(home.path / name)], check=False)
            shutil.rmtree(home.path / name)


def status(home: Home) -> list[ProcessStatus]:
    """The state of every process, in starting order."""
    known = _read_state(home) if is_running(home) else {}
    return [
        ProcessStatus(
            process,
            pid=known.get(process.name, {}).get("pid", 0),
            ready=process.name in known and process.is_ready(home),
            restarts=known.get(process.name, {}).get("restarts", 0),
        )
        for process in PROCESSES
    ]


def is_running(home: Home) -> bool:
    return supervisor_pid(home) is not None


def _spawn_supervisor(home: Home) -> None:
    with home.log_file("supervisor").open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "minipdk.cluster", str(home.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            check=True,
        )
    _wait(lambda: is_running(home), 10, f"the supervisor did not start: see {home.log_file('supervisor')}")


def _wait_until_ready(home: Home) -> None:
    def ready() -> bool:
        processes = status(home)
        for running in processes:
            if running.restarts > 2:
                tail = home.log_file(running.process.name).read_text(errors="replace").strip().splitlines()[-5:]
                raise ClusterError(f"{running.process.title} does not start:\n  " + "\n  ".join(tail))
        return all(running.ready for running in processes)

    _wait(ready, READY_SECONDS, f"the cluster did not become ready in {READY_SECONDS:.0f} s: see `minipdk logs`")


def _with_free_ports(home: Home) -> Home:
    ports = choose_ports(home.identity.ports)
    if ports == home.identity.ports:
        return home
    return save(home.path, replace(home.identity, ports=ports))


def write_client_files(home: Home) -> None:
    """Write the files that vendors' clients read, with the ports of now."""
    for service in SERVICES:
        service.write_client_files(home)


def _read_state(home: Home) -> dict[str, dict[str, int]]:
    try:
        state: dict[str, dict[str, int]] = json.loads((home.folder("run") / STATE_FILE).read_text())
    except FileNotFoundError:
        return {}
    return state


@contextlib.contextmanager
def _exclusively(home: Home) -> Iterator[None]:
    """One start or stop at a time: two terminals must not start two supervisors."""
    with (home.folder("run") / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _wait(condition: Callable[[], bool], seconds: float, complaint: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ClusterError(complaint)
        time.sleep(0.02)
