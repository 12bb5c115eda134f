"""The declaration of a service, and the life of its process.

Each service's ``service.py`` holds one ``SERVICE = Service(...)``. The cluster, ``minipdk env``, ``doctor`` and ``status``
derive everything that they know about services from these declarations, so they are imported early and import little.

A service with a separate process ends its ``server.py`` with::

    if __name__ == "__main__":
        service.run(SERVICE.name, serve)

where ``serve(home)`` binds its loopback ports, prints nothing, and returns once `stopping` is set. Controllers share a
process: their ``server.py`` has ``running(workspace)``, a context within which the controller runs.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import logging
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from minipdk.common.home import Home, HomeError, keep_private, load
from minipdk.common.ports import PortError
from minipdk.common.processes import die_with_parent
from minipdk.common.readiness import naming_itself

CONTROLLERS = "serving"
"""The process that all controllers share."""

CLAIM_SECONDS = 5.0
OPEN_FILES = 1 << 16

stopping = threading.Event()
"""Set by SIGTERM or SIGINT. A service that waits for anything else waits for this too."""


class StartError(Exception):
    """A service cannot start. The message is one sentence, with the remedy, and is all that its log ends with."""


@dataclass(frozen=True)
class Port:
    """A TCP port on loopback: its key in cluster.json, and the vendor's number, which is taken when it is free.

    ``scheme`` is its protocol: http, https or grpc.
    """

    name: str
    number: int
    scheme: str = "http"


@dataclass(frozen=True)
class Check:
    """One line of ``minipdk doctor``. ``remedy`` is the fix unless it is ``ok``; ``needed``: nothing runs without it."""

    subject: str
    ok: bool
    detail: str
    remedy: str = ""
    needed: bool = True


@dataclass(frozen=True)
class Table:
    """Rows that ``minipdk status`` prints below the services; nothing is printed without rows."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True)
class ImageSource:
    """An image that comes with minipdk, built by `minipdk image pull` or on first use.

    It has a build context, a Dockerfile and build arguments.
    """

    context: Path
    dockerfile: Path
    arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Service:
    """A part of the cluster.

    ``process`` is the process that runs it, by default a separate one; ``folders`` are the cluster's folders that hold its
    state beside its database, and that ``reset`` removes. The callables get the cluster's folder: ``variables`` are its
    part of the profile, ``addresses`` pairs of a title and an address, ``write_client_files`` writes the files that the
    vendor's clients read, ``checks`` and ``tables`` are its lines in ``doctor`` and ``status``.
    """

    name: str
    title: str
    ports: tuple[Port, ...] = ()
    process: str = ""
    folders: tuple[str, ...] = ()
    images: Mapping[str, ImageSource] = field(default_factory=dict)
    variables: Callable[[Home], Mapping[str, str]] = lambda _home: {}
    addresses: Callable[[Home], Iterable[tuple[str, str]]] = lambda _home: ()
    write_client_files: Callable[[Home], None] = lambda _home: None
    checks: Callable[[], Iterable[Check]] = lambda: ()
    tables: Callable[[Home], Iterable[Table]] = lambda _home: ()


def run(name: str, serve: Callable[[Home], None]) -> None:
    """Be the process ``name`` of the home given by --home, until SIGTERM. A service dies with its supervisor."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--supervisor", type=int, help="process id to die with")
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    keep_private()
    if arguments.supervisor and not die_with_parent(arguments.supervisor):
        sys.exit("the supervisor has ended")
    _allow_many_connections()
    signal.pthread_sigmask(signal.SIG_SETMASK, set())  # the supervisor blocks some and children inherit that
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        home = load(arguments.home)
        with _claimed(home, name), naming_itself(home, name):
            serve(home)
    except (StartError, HomeError, PortError) as error:
        sys.exit(str(error))


def _allow_many_connections() -> None:
    """Raise the limit of open files, which is 1024 by default in a login session, as far as the system allows."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(most, OPEN_FILES)), most))


@contextlib.contextmanager
def _claimed(home: Home, name: str) -> Iterator[None]:
    """Hold the lock of the process ``name`` in ``home``: two of them would write the same state.

    Raises StartError when another process holds it for longer than one that was killed takes to end.
    """
    with (home.folder("run") / f"{name}.lock").open("a+") as lock:
        deadline = time.monotonic() + CLAIM_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    lock.seek(0)
                    raise StartError(
                        f"{home.path} is in use by another cluster, whose {name} is process {lock.read()}: "
                        "stop that one with `minipdk stop`, or choose another folder with --home"
                    ) from None
                time.sleep(0.02)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
