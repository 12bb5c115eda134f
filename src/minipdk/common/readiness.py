"""Whether a process of a cluster serves: it is asked itself, and each of its ports has to answer in its protocol.

A process names itself on a socket in the cluster's folder, ``run/<process>.sock``: nothing else answers there, even if
others have the ports, and a suspended process does not answer. Its ports answer last, because a service binds them
when it is ready.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path

from minipdk.common.home import Home
from minipdk.common.ports import HOST

SECONDS = 1.0
"""The deadline for each answer."""

_HEAD = f"HEAD / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
_SETTINGS = bytes.fromhex("000000040000000000")
_GREETINGS = {"http": _HEAD, "https": _HEAD, "grpc": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _SETTINGS}
"""What a client says first, by scheme. Any answer shows that the server works."""


class State(StrEnum):
    """How a process is, in the words of `minipdk status`."""

    READY = "ready"
    STARTING = "starting"
    SILENT = "does not answer"
    DOWN = "down"


@contextlib.contextmanager
def naming_itself(home: Home, process: str) -> Iterator[None]:
    """Answer, within this context, which process of which cluster this is."""
    name = json.dumps(_name(home, process, os.getpid())).encode()
    with _address(home, process) as address, socket.socket(socket.AF_UNIX) as listening:
        with contextlib.suppress(FileNotFoundError):
            Path(address).unlink()
        listening.bind(address)
        listening.listen()
        threading.Thread(target=_answer, args=(listening, name), name="readiness", daemon=True).start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def state(home: Home, process: str, pid: int, ports: Iterable[tuple[str, int]]) -> State:
    """How the process with this name and ``pid`` is; ``ports`` are the scheme and number of each of its ports."""
    try:
        if not pid:
            return State.DOWN
        if _ask(home, process) != _name(home, process, pid):
            return State.STARTING
        answered = [_answers(home, scheme, port) for scheme, port in ports]
    except (FileNotFoundError, ConnectionRefusedError):
        return State.STARTING
    except (OSError, ValueError):  # among them TimeoutError
        return State.SILENT
    return State.READY if all(answered) else State.SILENT


def _name(home: Home, process: str, pid: int) -> dict[str, str | int]:
    return {"cluster_id": home.identity.cluster_id, "process": process, "pid": pid}


def _answer(listening: socket.socket, name: bytes) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        with client, contextlib.suppress(OSError):
            client.sendall(name)


def _ask(home: Home, process: str) -> object:
    with _address(home, process) as address, socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(SECONDS)
        asking.connect(address)
        return json.loads(asking.makefile().read())


def _answers(home: Home, scheme: str, port: int) -> bool:
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(socket.create_connection((HOST, port), SECONDS))
        if scheme == "https":
            context = ssl.create_default_context(cafile=home.ca_certificate)
            connection = stack.enter_context(context.wrap_socket(connection, server_hostname=HOST))
        connection.sendall(_GREETINGS[scheme])
        return bool(connection.recv(1))


@contextlib.contextmanager
def _address(home: Home, process: str) -> Iterator[str]:
    """The socket's path, through the open folder: it has at most 107 bytes, and the cluster's path may be long."""
    folder = os.open(home.folder("run"), os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{process}.sock"
    finally:
        os.close(folder)
