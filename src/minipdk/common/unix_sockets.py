"""Unix sockets in the cluster's folder, whose path may be longer than the kernel allows for a socket (107 bytes)."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path


def listen(path: Path) -> socket.socket:
    """A socket at ``path`` that listens, and that only its owner can connect to. An old one is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _short(path) as address:
        listener.bind(address)
    path.chmod(0o600)
    listener.listen()
    listener.setblocking(False)
    return listener


def connect(path: Path) -> socket.socket:
    """A stream to the program that listens at ``path``. Raises OSError if there is none."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(path) as address:
            stream.connect(address)
    except OSError:
        stream.close()
        raise
    stream.setblocking(False)
    return stream


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A short name of ``path``, through a descriptor of its folder."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
