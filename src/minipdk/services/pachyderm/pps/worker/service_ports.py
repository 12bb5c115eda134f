"""The ports that services are reached at: on loopback, each connection handed on to the port that user code listens on."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Container, Iterator
from typing import Any

from minipdk.common.ports import HOST, first_free

FIRST, LAST = 30000, 32767
"""Kubernetes' own range for NodePorts."""
CHUNK = 1 << 16
BACKLOG = 128


def service_of(details: Any) -> Any | None:
    """The Service message of a pipeline's details, its spout's included."""
    if details.HasField("service"):
        return details.service
    return details.spout.service if details.spout.HasField("service") else None


def choose(taken: Container[int]) -> int:
    """A free port for a service that names none. OSError when there is none."""
    port = first_free(port for port in range(FIRST, LAST + 1) if port not in taken)
    if port is None:
        raise OSError(f"every port from {FIRST} to {LAST} is taken")
    return port


@contextlib.contextmanager
def open_port(service: Any | None) -> Iterator[None]:
    """Let a service be reached at its external port; where that is its internal one, user code has to listen there itself.

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
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        try:
            inside = socket.create_connection((HOST, internal))
        except OSError:
            client.close()  # user code does not listen yet
            continue
        threading.Thread(target=_carry, args=(client, inside), name="service connection", daemon=True).start()


def _carry(client: socket.socket, inside: socket.socket) -> None:
    """Hand on what either side of a connection sends, until both have ended."""
    with client, inside:
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
