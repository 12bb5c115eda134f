"""Ports on loopback: whether they are free, whether a server answers, and the choice of new ones."""

from __future__ import annotations

import socket
from collections.abc import Iterable

HOST = "127.0.0.1"
"""The only address that anything of minipdk listens on."""


def is_free(port: int) -> bool:
    """Whether a service could listen on ``port`` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def is_listening(port: int) -> bool:
    """Whether a server accepts connections on ``port`` now."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def first_free(candidates: Iterable[int]) -> int | None:
    """The first of ``candidates`` that is free; None when there is none."""
    return next(filter(is_free, candidates), None)


def any_free(count: int) -> list[int]:
    """``count`` different ports that nothing listens on now, from the kernel's own range."""
    probes = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
