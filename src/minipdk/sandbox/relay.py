"""Pass connections on between two networks (runs stand-alone, see `forwarder`: few imports).

A socket belongs for life to the network it was made in. So a process that has been given listening sockets of another
network accepts there and connects in its own. One process, one loop, no copies but the one through its memory.
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
    """Listens, accepts, connects and passes bytes on until `stop` is called from one of its callbacks."""

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
        """Have ``callback`` called with the events that ``descriptor`` is ready for; no events: it is only remembered."""
        known = descriptor in self._callbacks
        self._callbacks[descriptor] = callback
        (self._poll.modify if known else self._poll.register)(descriptor, events)

    def forget(self, descriptor: int) -> None:
        if self._callbacks.pop(descriptor, None):
            self._poll.unregister(descriptor)
        if self._paused:
            self._listen_again()

    def listen(self, listener: socket.socket, port: int) -> None:
        """Pass what arrives at ``listener`` on to ``port`` of this process's network."""
        listener.setblocking(False)
        self._listeners[listener] = port
        self.watch(listener.fileno(), lambda _: self._accept(listener, port))

    def accept_requests(self, control: socket.socket) -> None:
        """Take connections as messages on ``control``: a port's number, and a stream socket to connect it with.

        The stream's first byte is REACHED or REFUSED; after REACHED come the bytes of the connection.
        """
        control.setblocking(False)

        def take(_: int) -> None:
            message, descriptors, _flags, _address = socket.recv_fds(control, 16, 1)
            if not message:  # the other side has gone
                self.forget(control.fileno())
            for descriptor in descriptors:
                Connection(self, socket.socket(fileno=descriptor), int(message), tell=True)

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
    """Two sockets: what is read from one is written to the other, an end as an end, a reset as a reset."""

    def __init__(self, relay: Relay, near: socket.socket, port: int, *, tell: bool = False) -> None:
        self._relay, self._near, self._tell = relay, near, tell
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
        if self._tell:
            self._near.send(REACHED)
        near, far = self._near, self._far
        self._relay.watch(near.fileno(), lambda events: self._ready(near, far, events))
        self._relay.watch(far.fileno(), lambda events: self._ready(far, near, events))

    def _ready(self, one: socket.socket, other: socket.socket, events: int) -> None:
        try:
            if events & select.EPOLLOUT:
                self._flush(one, other)
            if not self._unsent[other]:
                if events & ~select.EPOLLOUT:
                    self._pass_on(one, other)
            elif events & select.EPOLLERR:
                self._close(errno.ECONNRESET)
        except OSError as error:
            self._close(error.errno or errno.EIO)

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        try:
            block = one.recv(BLOCK)
        except BlockingIOError:
            return
        if block:
            self._send(other, block)
            if self._unsent[other]:
                self._interest(one, other)
                self._interest(other, one)
            return
        self._ended.add(one)
        other.shutdown(socket.SHUT_WR)
        if other in self._ended:
            self._close()
        else:
            self._interest(one, other)

    def _flush(self, one: socket.socket, other: socket.socket) -> None:
        """Send what ``one`` could not take before, then read from ``other`` again."""
        block, self._unsent[one] = self._unsent[one], b""
        self._send(one, block)
        self._interest(one, other)
        self._interest(other, one)

    def _send(self, to: socket.socket, block: bytes) -> None:
        try:
            sent = to.send(block)
        except BlockingIOError:
            sent = 0
        self._unsent[to] = block[sent:]

    def _interest(self, one: socket.socket, other: socket.socket) -> None:
        """Read from ``one`` unless it has ended or ``other`` is full; write to it while something waits for it."""
        reads = one not in self._ended and not self._unsent[other]
        events = (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if self._unsent[one] else 0)
        self._relay.watch(one.fileno(), lambda events: self._ready(one, other, events), events)

    def _close(self, failure: int = 0) -> None:
        """End both sides; after a failure in a way that nobody takes for an orderly end."""
        if failure and self._tell:
            with contextlib.suppress(OSError):
                self._near.send(REFUSED)
        for one in (self._near, self._far):
            self._relay.forget(one.fileno())
            if failure and one.family == socket.AF_INET:
                with contextlib.suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            one.close()
