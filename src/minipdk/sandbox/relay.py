"""Pass connections on between two networks (runs stand-alone, see `forwarder`: few imports).

A socket always belongs to the network it was made in. So a process that has received listening sockets of another network
accepts connections there and makes connections in its own. One process, one loop, one copy of the data.
"""

from __future__ import annotations

import contextlib
import errno
import resource
import select
import socket

TYPE_CHECKING = False  # as in `launcher`
if TYPE_CHECKING:
    from collections.abc import Callable

    Callback = Callable[[int], None]

HOST = "127.0.0.1"
BLOCK = 1 << 16
SPARE_DESCRIPTORS = 64
REACHED, REFUSED = b"\0", b"\1"
_ABORT = (1).to_bytes(4, "little") + bytes(4)  # struct linger: on, 0 seconds


class Relay:
    """Listens, accepts, connects and passes bytes on until a callback calls `stop`."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._callbacks: dict[int, Callback] = {}
        self._listeners: dict[socket.socket, int] = {}
        self._running = True
        self._paused = False
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self._most = max(limit - SPARE_DESCRIPTORS, SPARE_DESCRIPTORS)

    def run(self) -> None:
        while self._running:
            for descriptor, events in self._poll.poll():
                if callback := self._callbacks.get(descriptor):  # an earlier event of this round may have closed it
                    callback(events)

    def stop(self) -> None:
        self._running = False

    def watch(self, descriptor: int, callback: Callback, events: int = select.EPOLLIN) -> None:
        """Call ``callback`` with the events that ``descriptor`` is ready for; without events only remember it."""
        known = descriptor in self._callbacks
        self._callbacks[descriptor] = callback
        (self._poll.modify if known else self._poll.register)(descriptor, events)

    def forget(self, descriptor: int) -> None:
        if self._callbacks.pop(descriptor, None):
            self._poll.unregister(descriptor)
        if self._paused:
            self._listen_again()

    def listen(self, listener: socket.socket, port: int) -> None:
        """Pass connections to ``listener`` on to ``port`` of this process's network."""
        listener.setblocking(False)
        self._listeners[listener] = port
        self.watch(listener.fileno(), lambda _: self._accept(listener, port))

    def accept_requests(self, control: socket.socket) -> None:
        """Accept messages on ``control`` that ask for a connection: a port's number, and a stream socket to join to it.

        The stream's first byte is REACHED or REFUSED; after REACHED come the bytes of the connection.
        """
        control.setblocking(False)

        def take(_: int) -> None:
            message, descriptors, _flags, _address = socket.recv_fds(control, 16, 1)
            if not message:  # the other side has gone
                self.forget(control.fileno())
            for descriptor in descriptors:
                Connection(self, socket.socket(fileno=descriptor), int(message), announce=True)

        self.watch(control.fileno(), take)

    def _accept(self, listener: socket.socket, port: int) -> None:
        try:
            accepted, _ = listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
                raise
            self._pause()
            return
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Connection(self, accepted, port)
        if len(self._callbacks) >= self._most:
            self._pause()

    def _pause(self) -> None:
        """Leave new connections in the kernel's queue while there are too many."""
        self._paused = True
        for listener in self._listeners:
            self._poll.modify(listener.fileno(), 0)

    def _listen_again(self) -> None:
        self._paused = False
        for listener in self._listeners:
            self._poll.modify(listener.fileno(), select.EPOLLIN)


class Connection:
    """Two sockets: bytes from each are written to the other, an end as an end, a reset as a reset.

    ``announce``: send REACHED or REFUSED to ``near`` first.
    """

    def __init__(self, relay: Relay, near: socket.socket, port: int, *, announce: bool = False) -> None:
        self._relay, self._near, self._announce = relay, near, announce
        self._far = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unsent: dict[socket.socket, bytes] = {near: b"", self._far: b""}
        self._ended: set[socket.socket] = set()
        near.setblocking(False)
        self._far.setblocking(False)
        number = self._far.connect_ex((HOST, port))
        if number not in (0, errno.EINPROGRESS):
            self._close(number)
            return
        relay.watch(self._far.fileno(), self._connected, select.EPOLLOUT)

    def _connected(self, _events: int) -> None:
        if number := self._far.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._close(number)
            return
        if self._announce:
            self._near.send(REACHED)
        near, far = self._near, self._far
        self._relay.watch(near.fileno(), lambda events: self._ready(near, far, events))
        self._relay.watch(far.fileno(), lambda events: self._ready(far, near, events))

    def _ready(self, ready: socket.socket, other: socket.socket, events: int) -> None:
        try:
            if events & select.EPOLLOUT:
                self._flush(ready, other)
            if not self._unsent[other]:
                if events & ~select.EPOLLOUT:
                    self._pass_on(ready, other)
            elif events & select.EPOLLERR:
                self._close(errno.ECONNRESET)
        except OSError as error:
            self._close(error.errno or errno.EIO)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            block = source.recv(BLOCK)
        except BlockingIOError:
            return
        if block:
            self._send(sink, block)
            if self._unsent[sink]:
                self._update(source, sink)
                self._update(sink, source)
            return
        self._ended.add(source)
        sink.shutdown(socket.SHUT_WR)
        if sink in self._ended:
            self._close()
        else:
            self._update(source, sink)

    def _flush(self, sink: socket.socket, source: socket.socket) -> None:
        """Send the bytes that ``sink`` could not accept before, then read from ``source`` again."""
        block, self._unsent[sink] = self._unsent[sink], b""
        self._send(sink, block)
        self._update(sink, source)
        self._update(source, sink)

    def _send(self, to: socket.socket, block: bytes) -> None:
        try:
            sent = to.send(block)
        except BlockingIOError:
            sent = 0
        self._unsent[to] = block[sent:]

    def _update(self, end: socket.socket, other: socket.socket) -> None:
        """Read from ``end`` unless it has ended or ``other`` is full; write to it while it has unsent bytes."""
        reads = end not in self._ended and not self._unsent[other]
        events = (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if self._unsent[end] else 0)
        self._relay.watch(end.fileno(), lambda events: self._ready(end, other, events), events)

    def _close(self, failure: int = 0) -> None:
        """End both sides; after a failure by a reset, so that no client mistakes it for an orderly end."""
        if failure and self._announce:
            with contextlib.suppress(OSError):
                self._near.send(REFUSED)
        for end in (self._near, self._far):
            self._relay.forget(end.fileno())
            if failure and end.family == socket.AF_INET:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            end.close()
