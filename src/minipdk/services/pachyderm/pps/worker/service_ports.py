"""The external ports of services: on loopback, each connection forwarded to the port that user code listens on."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from minipdk.common.ports import HOST
from minipdk.services.pachyderm import wire

CHUNK = 1 << 16
BACKLOG = 128
MOST_CONNECTIONS = 256
"""At a time. Two threads carry each; others are closed."""


@contextlib.contextmanager
def open_port(service: wire.pps.Service | None) -> Iterator[None]:
    """Open a service's external port; if it equals the internal one, user code listens there itself.

    Raises OSError when the port is taken.
    """
    if service is None or service.external_port == service.internal_port:
        yield
        return
    with socket.create_server((HOST, service.external_port), backlog=BACKLOG) as listening:
        threading.Thread(target=_serve, args=(listening, service.internal_port), name="service port", daemon=True).start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts


def _serve(listening: socket.socket, internal: int) -> None:
    free = threading.BoundedSemaphore(MOST_CONNECTIONS)
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        if not free.acquire(blocking=False):
            client.close()
            continue
        threading.Thread(target=_carry, args=(client, internal, free), name="service connection", daemon=True).start()


def _carry(client: socket.socket, internal: int, free: threading.BoundedSemaphore) -> None:
    """Forward the bytes of both sides of a connection, until both have ended."""
    try:
        with client, socket.create_connection((HOST, internal)) as inside:
            _exchange(client, inside)
    except OSError:
        pass  # user code does not listen yet
    finally:
        free.release()


def _exchange(client: socket.socket, inside: socket.socket) -> None:
    back = threading.Thread(target=_copy, args=(inside, client), name="service connection, back", daemon=True)
    back.start()
    _copy(client, inside)
    back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    for side, how in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
        with contextlib.suppress(OSError):
            side.shutdown(how)
