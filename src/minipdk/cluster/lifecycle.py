"""Start, stop, reset, delete and inspect a cluster. Its services run below one supervisor process (`supervisor`)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from minipdk.cluster import profile
from minipdk.cluster.home import Settings, is_home, locked, prepare
from minipdk.cluster.ports import hold_ports, numbers
from minipdk.cluster.services import PROCESSES, SERVICES, Process
from minipdk.cluster.supervisor import STATE_FILE, STOP_SECONDS, supervisor_pid
from minipdk.common.backoff import BackOff
from minipdk.common.environment import of_services
from minipdk.common.home import Home, load, save
from minipdk.common.readiness import State

READY_SECONDS = 180.0  # ten clusters that start together on two cores take one minute
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.2
END_SECONDS = 3.0
"""How long processes whose supervisor was killed may take to end and free their ports."""
RESET_FOLDERS = ("db", "logs", "run", *(folder for service in SERVICES for folder in service.folders))


class ClusterError(Exception):
    """The cluster cannot carry out a command; the message has the reason and the remedy."""


class EndedError(ClusterError):
    """The supervisor ended while its services were awaited."""


@dataclass(frozen=True)
class ProcessStatus:
    """How a process is: ``pid`` is 0 while it is down, ``restarts`` counts since the start."""

    process: Process
    pid: int
    state: State
    restarts: int

    @property
    def ready(self) -> bool:
        return self.state is State.READY


@dataclass(frozen=True)
class Started:
    """A cluster that was started or found running.

    ``moved`` has each port that changed, with its numbers before and now; ``unwritten`` says why the cluster's profile was
    not written, if it was not.
    """

    home: Home
    moved: dict[str, tuple[int, int]]
    unwritten: str


def start(path: Path, settings: Settings | None = None) -> Started:
    """Start the cluster at ``path``, made if it is missing, or find it running; return when every service answers.

    The cluster holds its ports from here to its end; a port that others have moves. Its client files and its profile are
    written again. Raises ClusterError when it does not start, or runs with other settings.
    """
    settings = settings or Settings()
    with locked(path):
        before = _prepared(path, settings)
        found_running = is_running(before)
        if found_running:
            home, unwritten = before, _write_client_files(before, settings)
        else:
            home, unwritten = _launch(before, settings)
    try:
        _wait_until_ready(home)
    except EndedError:
        if not found_running:
            raise
        return start(path, settings)  # it was about to end when it was found
    except ClusterError:
        if not found_running:
            stop(home)
        raise
    ports = home.identity.ports
    moved = {name: (old, ports[name]) for name, old in before.identity.ports.items() if ports[name] != old}
    return Started(home, moved, unwritten)


def stop(home: Home) -> bool:
    """Stop every service; False when none was running. What was acknowledged is on disk."""
    with locked(home.path):
        pid = supervisor_pid(home)
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)  # in case it is suspended
        _wait(lambda: supervisor_pid(home) is None, STOP_SECONDS + 5, f"the cluster at {home.path} did not stop")
        return True


def reset(home: Home) -> None:
    """Stop the cluster and forget everything in it but its identity, credentials and images."""
    stop(home)
    for name in RESET_FOLDERS:
        _remove(home.path / name)


def delete(home: Home) -> None:
    """Stop the cluster and remove its folder, and the profile that it wrote."""
    stop(home)
    profile.remove(home)
    _remove(home.path.resolve())
    home.path.unlink(missing_ok=True)  # the folder may have been named by a link


def status(home: Home) -> list[ProcessStatus]:
    """The state of every process, in starting order. A process that does not answer costs a second."""
    known = _read_state(home) if is_running(home) else {}
    with ThreadPoolExecutor(len(PROCESSES)) as askers:
        return list(askers.map(lambda process: _status(home, process, known.get(process.name, {})), PROCESSES))


def _status(home: Home, process: Process, known: dict[str, int]) -> ProcessStatus:
    pid = known.get("pid", 0)
    return ProcessStatus(process, pid=pid, state=process.state(home, pid), restarts=known.get("restarts", 0))


def is_running(home: Home) -> bool:
    return supervisor_pid(home) is not None


def _prepared(path: Path, settings: Settings) -> Home:
    """The home with these settings; a running cluster has no others."""
    if is_home(path) and is_running(running := load(path)):
        wanted = settings.applied(path, running.identity)
        if replace(wanted, profile=running.identity.profile) != running.identity:
            raise ClusterError("the cluster is running: `minipdk stop` first, then start it with the new settings")
    return prepare(path, settings)


def _launch(home: Home, settings: Settings) -> tuple[Home, str]:
    """Start the supervisor with the cluster's ports, or others where those are taken; return the home with its ports."""
    ended_badly = (home.folder("run") / STATE_FILE).exists()
    held = hold_ports(home.identity.ports, patience=END_SECONDS if ended_badly else 0)
    with ExitStack() as ours:
        for own in held.values():
            ours.enter_context(own)
        if numbers(held) != home.identity.ports:
            home = save(home.path, replace(home.identity, ports=numbers(held)))
        unwritten = _write_client_files(home, settings)
        _spawn_supervisor(home, [own.fileno() for own in held.values()])
    return home, unwritten


def _spawn_supervisor(home: Home, ports: list[int]) -> None:
    """Start the supervisor, which inherits the descriptors that hold the ports."""
    with home.log_file("supervisor").open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "minipdk.cluster", str(home.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=ports,
            cwd="/",
            env=of_services(os.environ),
            check=True,
        )
    _wait(lambda: is_running(home), 10, f"the supervisor did not start: see {home.log_file('supervisor')}")


def _wait_until_ready(home: Home) -> None:
    def ready() -> bool:
        if not is_running(home):
            raise EndedError(f"the cluster at {home.path} was stopped meanwhile: see {home.log_file('supervisor')}")
        processes = status(home)
        for running in processes:
            if running.restarts > 2:
                tail = home.log_file(running.process.name).read_text(errors="replace").strip().splitlines()[-5:]
                raise ClusterError(f"{running.process.title} does not start:\n  " + "\n  ".join(tail))
        return all(running.ready for running in processes)

    _wait(ready, READY_SECONDS, f"the cluster did not become ready in {READY_SECONDS:.0f} s: see `minipdk logs`")


def _write_client_files(home: Home, settings: Settings) -> str:
    """Write the files that vendors' clients read, and the profile; return why the profile was not written."""
    for service in SERVICES:
        service.write_client_files(home)
    return profile.write(home, named=settings.profile is not None)


def _read_state(home: Home) -> dict[str, dict[str, int]]:
    try:
        state: dict[str, dict[str, int]] = json.loads((home.folder("run") / STATE_FILE).read_text())
    except FileNotFoundError:
        return {}
    return state


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():  # a container's layer can hold folders without write permission
        subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=False)
        shutil.rmtree(folder)


def _wait(condition: Callable[[], bool], seconds: float, complaint: str) -> None:
    deadline = time.monotonic() + seconds
    pauses = BackOff(FIRST_PAUSE, LONGEST_PAUSE)
    while not condition():
        if time.monotonic() > deadline:
            raise ClusterError(complaint)
        time.sleep(pauses.pause())
