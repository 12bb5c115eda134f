"""Which services make a cluster, in what order, and how they are kept running.

``start`` leaves one supervisor process behind. It starts each service as a process of its own, restarts one that dies
(with a growing pause, so that a service that cannot start does not spin), and ends them all on SIGTERM. Services die with
the supervisor, so no state exists in which half a cluster is left over.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from minipdk import home as homes
from minipdk.home import HOST, MODELS_NAMESPACE, Home

READY_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0
FIRST_PAUSE, LONGEST_PAUSE, HEALTHY_AFTER = 0.1, 5.0, 10.0
RESET_FOLDERS = ("db", "blobs", "containers", "shared_fs", "volumes", "logs", "run")


class ClusterError(Exception):
    """The cluster cannot do what was asked; the message says why and what to do."""


@dataclass(frozen=True)
class Service:
    """A process of the cluster. It is ready when each of its ports answers: services bind them last."""

    name: str
    ports: tuple[str, ...]
    title: str

    @property
    def module(self) -> str:
        return f"minipdk.{self.name}.server"


SERVICES = (
    Service("kubernetes", ("kubernetes",), "Kubernetes API"),
    Service("pachyderm", ("pachd", "s3"), "Pachyderm"),
    Service("determined", ("determined",), "Determined"),
    Service("serving", ("ingress",), "KServe and the ingress"),
)


@dataclass(frozen=True)
class ServiceStatus:
    """What ``status`` tells of a service: ``pid`` is 0 while it is down, ``restarts`` counts since the start."""

    service: Service
    pid: int
    ready: bool
    restarts: int


def start(home: Home) -> Home:
    """Start the cluster, or find it running, and return when every service answers. Ports that are taken move."""
    with _exclusively(home):
        found_running = is_running(home)
        if not found_running:
            home = _with_free_ports(home)
            _write_client_files(home)
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
        _wait(lambda: supervisor_pid(home) is None, STOP_TIMEOUT + 5, f"the cluster at {home.path} did not stop")
        return True


def reset(home: Home) -> None:
    """Stop the cluster and forget everything in it but its identity, credentials and images."""
    stop(home)
    for name in RESET_FOLDERS:
        shutil.rmtree(home.path / name, ignore_errors=True)
        if (home.path / name).exists():  # a container's layer can hold folders without write permission
            subprocess.run(["chmod", "-R", "u+rwX", str(home.path / name)], check=False)
            shutil.rmtree(home.path / name)


def status(home: Home) -> list[ServiceStatus]:
    """The state of every service, in starting order."""
    known = _read_state(home) if is_running(home) else {}
    return [
        ServiceStatus(
            service,
            pid=known.get(service.name, {}).get("pid", 0),
            ready=service.name in known and all(_answers(home.port(port)) for port in service.ports),
            restarts=known.get(service.name, {}).get("restarts", 0),
        )
        for service in SERVICES
    ]


def environment(home: Home) -> dict[str, str]:
    """The variables that the vendors' clients and the course's notebooks read: the embedded profile."""
    return {
        "PACHD_ADDRESS": home.pachd_address,
        "PACH_CONFIG": str(home.pach_config),
        "PACH_S3_ENDPOINT": home.s3_endpoint,
        "DET_MASTER": home.determined_master,
        "DET_USER": homes.DETERMINED_USER,
        "DET_PASS": home.token,
        "KUBECONFIG": str(home.kubeconfig),
        "KSERVE_NAMESPACE": MODELS_NAMESPACE,
        "INGRESS_HOST": HOST,
        "INGRESS_PORT": str(home.port("ingress")),
        "COURSE_GIT_URL": home.identity.course_git_url,
        "IMAGE_BUILD": shlex.join(["minipdk", "image", "build", "--home", str(home.path)]),
        "IMAGE_RUN": shlex.join(["minipdk", "image", "run", "--home", str(home.path)]),
    }


def is_running(home: Home) -> bool:
    return supervisor_pid(home) is not None


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
    with (home.folder("run") / "supervisor.pid").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # waits for those who look at it; `start` sees to it that there is one supervisor
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        _Supervisor(home).run()


class _Supervisor:
    """Starts services, restarts those that die, and ends them all when told to."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._started: dict[str, float] = {}
        self._pause: dict[str, float] = {service.name: FIRST_PAUSE for service in SERVICES}
        self._due: dict[str, float] = {service.name: 0.0 for service in SERVICES}
        self._restarts: dict[str, int] = {service.name: -1 for service in SERVICES}
        self._stopping = False

    def run(self) -> None:
        signals = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        while not self._stopping:
            self._reap()
            for service in SERVICES:
                if service.name not in self._processes and self._due[service.name] <= time.monotonic():
                    self._spawn(service)
            received = signal.sigtimedwait(signals, self._until_due())
            self._stopping = received is not None and received.si_signo != signal.SIGCHLD
        self._end_all()

    def _spawn(self, service: Service) -> None:
        with self._home.log_file(service.name).open("ab") as log:
            self._processes[service.name] = subprocess.Popen(
                [sys.executable, "-m", service.module, "--home", str(self._home.path), "--supervisor", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._started[service.name] = time.monotonic()
        self._restarts[service.name] += 1
        self._write_state()

    def _reap(self) -> None:
        for name, process in list(self._processes.items()):
            if process.poll() is None:
                continue
            del self._processes[name]
            if time.monotonic() - self._started[name] > HEALTHY_AFTER:
                self._pause[name] = FIRST_PAUSE
            self._due[name] = time.monotonic() + self._pause[name]
            self._pause[name] = min(2 * self._pause[name], LONGEST_PAUSE)
            self._write_state()

    def _until_due(self) -> float:
        waiting = [due for name, due in self._due.items() if name not in self._processes]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else 3600.0

    def _write_state(self) -> None:
        state = {name: {"pid": process.pid, "restarts": self._restarts[name]} for name, process in self._processes.items()}
        homes.write_private(self._home.folder("run") / "services.json", json.dumps(state))

    def _end_all(self) -> None:
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


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
        services = status(home)
        for one in services:
            if one.restarts > 2:
                tail = home.log_file(one.service.name).read_text(errors="replace").strip().splitlines()[-5:]
                raise ClusterError(f"{one.service.title} does not start:\n  " + "\n  ".join(tail))
        return all(one.ready for one in services)

    _wait(ready, READY_TIMEOUT, f"the cluster did not become ready in {READY_TIMEOUT:.0f} s: see `minipdk logs`")


def _with_free_ports(home: Home) -> Home:
    ports = homes.choose_ports(home.identity.ports)
    if ports == home.identity.ports:
        return home
    return homes.save(home.path, replace(home.identity, ports=ports))


def _write_client_files(home: Home) -> None:
    from minipdk.certificates import ensure_tls, write_kubeconfig

    ensure_tls(home)
    write_kubeconfig(home)
    context = {"pachd_address": home.pachd_address, "project": "default"}
    if home.session_token:
        context["session_token"] = home.session_token
    config = {
        "user_id": home.identity.cluster_id.replace("-", ""),
        "v2": {"active_context": "minipdk", "contexts": {"minipdk": context}, "metrics": False},
    }
    homes.write_private(home.pach_config, json.dumps(config, indent=2) + "\n")


def _read_state(home: Home) -> dict[str, dict[str, int]]:
    try:
        state: dict[str, dict[str, int]] = json.loads((home.folder("run") / "services.json").read_text())
    except FileNotFoundError:
        return {}
    return state


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


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


if __name__ == "__main__":
    if os.fork() == 0:  # the parent ends at once, so that whoever started it has no child to wait for
        supervise(homes.load(Path(sys.argv[1])))
