"""How every service runs: ``python -m minipdk.<service>.server --home PATH``, logging to stderr until SIGTERM.

A service's ``server.py`` ends with::

    if __name__ == "__main__":
        service.run(serve)

where ``serve(home)`` binds its loopback ports, prints nothing, and returns once `service.stopping` is set.
"""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from minipdk.home import Home, load

PR_SET_PDEATHSIG = 1

stopping = threading.Event()
"""Set by SIGTERM or SIGINT: a service that waits for something waits on this too."""


def run(serve: Callable[[Home], None]) -> None:
    """Open the home named by --home and serve until told to stop. A service dies with its supervisor."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--supervisor", type=int, help="process id to die with")
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    if arguments.supervisor:
        die_with_parent(arguments.supervisor)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())  # the supervisor blocks some and children inherit that
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    serve(load(arguments.home))


def die_with_parent(parent: int) -> None:
    """Ask the kernel for SIGKILL when the process ``parent``, which started this one, ends."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the supervisor has ended")
