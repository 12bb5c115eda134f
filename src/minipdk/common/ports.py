"""Ports on loopback: held for a cluster, bound by its services, and reserved for programs that bind for themselves.

A cluster's supervisor holds its ports from their choice to its end: `hold` takes a free port and opens it to sharing,
`listener` shares it. While a port is held, only a server of the same user that asks to share it (SO_REUSEPORT, as gRPC and
Envoy do) can listen there, so a service that starts again finds it free. Until it listens, clients are refused.

Reference: https://lwn.net/Articles/542629/ and socket(7).
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable

HOST = "127.0.0.1"
"""The only address that anything of minipdk listens on."""


class PortError(Exception):
    """A service cannot listen on its port, because another program has it."""


def hold(port: int) -> socket.socket | None:
    """A socket that holds ``port`` until it is closed; None when another has it.

    Of several processes that try together at most one succeeds, because the kernel gives a port to one listener. The former
    connections of a server that has ended do not matter (SO_REUSEADDR).
    """
    held = socket.socket()
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((HOST, port))
        held.listen(1)
    except (OSError, OverflowError):
        held.close()
        return None
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # from here on a bind of others fails, without a gap
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.shutdown(socket.SHUT_RDWR)  # ends listening; the port stays bound
    return held


def listener(port: int) -> socket.socket:
    """A socket for a server to listen with, bound to ``port``, which its cluster holds. PortError if another has it."""
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((HOST, port))
    except OSError as error:
        bound.close()
        raise PortError(f"cannot listen on {HOST}:{port}: {os.strerror(error.errno or 0).lower()}") from error
    return bound


def is_free(port: int) -> bool:
    """Whether ``port`` is neither held nor listened on now."""
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


def reserved(count: int) -> list[int]:
    """``count`` different ports for programs that bind them within a minute, from the kernel's own range.

    The kernel gives none of them to a program that asks for any port meanwhile, because of a connection that has just ended
    there. The program that binds one must set SO_REUSEADDR, as servers do.
    """
    with contextlib.ExitStack() as stack:
        return [_reserve(stack) for _ in range(count)]


def _reserve(stack: contextlib.ExitStack) -> int:
    server = stack.enter_context(socket.create_server((HOST, 0)))
    client = stack.enter_context(socket.create_connection(server.getsockname()))
    accepted, _ = server.accept()
    accepted.close()  # the side that closes first remembers the connection
    client.recv(1)
    return int(server.getsockname()[1])
