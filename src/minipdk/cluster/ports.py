"""The ports of a cluster, chosen and held in one step."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from itertools import chain

from minipdk.common.ports import hold

LOWEST, HIGHEST = 1024, 65535
PAUSE = 0.02


def hold_ports(preferred: Mapping[str, int], *, patience: float = 0.0) -> dict[str, socket.socket]:
    """A socket for each name in ``preferred`` that holds its port, or else the next free one.

    ``patience`` is how many seconds to wait for the preferred ports, when processes that have them are about to end.
    """
    held: dict[str, socket.socket] = {}
    deadline = time.monotonic() + patience
    for name, port in preferred.items():
        while (own := hold(port)) is None and time.monotonic() < deadline:
            time.sleep(PAUSE)
        held[name] = own or _hold_next(port)
    return held


def numbers(held: Mapping[str, socket.socket]) -> dict[str, int]:
    """The ports that sockets hold."""
    return {name: int(own.getsockname()[1]) for name, own in held.items()}


def _hold_next(port: int) -> socket.socket:
    candidates = chain(range(port + 1, HIGHEST + 1), range(LOWEST, port))
    return next(filter(None, map(hold, candidates)))
