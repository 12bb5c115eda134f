"""A container's output for the clients that are attached to it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

STALLED_SECONDS = 10.0


class Broadcast:
    """Sends bytes to every subscriber. The sender waits for slow subscribers, and drops a subscriber that stops reading."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: set[socket.socket] = set()
        self._ended = False

    @contextlib.contextmanager
    def subscription(self) -> Iterator[socket.socket]:
        """A socket to read from within this context; it ends with the output."""
        ours, theirs = socket.socketpair()
        ours.settimeout(STALLED_SECONDS)
        theirs.setblocking(False)
        with theirs:
            with self._lock:
                self._subscribers.add(ours)
                ended = self._ended
            if ended:
                self._drop(ours)
            try:
                yield theirs
            finally:
                self._drop(ours)

    def send(self, data: bytes) -> None:
        for subscriber in list(self._subscribers):
            try:
                subscriber.sendall(data)
            except OSError:
                self._drop(subscriber)

    def end(self) -> None:
        """There is no more output."""
        with self._lock:
            self._ended = True
        for subscriber in list(self._subscribers):
            self._drop(subscriber)

    def _drop(self, subscriber: socket.socket) -> None:
        with self._lock:
            self._subscribers.discard(subscriber)
        subscriber.close()
