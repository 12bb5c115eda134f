"""Accepts a port's connections, and bounds their number.

Any user of the machine can open connections. So when there are too many, the one that has been idle longest without a known
caller is closed: a client that has just connected, or that has shown its token, gets in.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable

from minipdk.common.web.connection import Connection
from minipdk.common.web.policy import Limits

BACKLOG = 2048
AT_ONCE = 16  # connections accepted before others are served
PAUSE = 0.05
HTTP = (b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO")
NOT_HTTPS = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
"""The beginnings of a request without TLS, and the answer to it, as of Go's net/http."""
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = logging.getLogger(__name__)


class Listener:
    """Serves the connections of ``listening``; ``make`` makes the protocol of one. Has the methods of an asyncio server."""

    def __init__(
        self, listening: socket.socket, limits: Limits, tls: ssl.SSLContext | None, make: Callable[[Listener], Connection]
    ) -> None:
        self._listening, self._limits, self._tls, self._make = listening, limits, tls, make
        self._loop = asyncio.get_running_loop()
        self._handshakes: dict[asyncio.Task[None], socket.socket] = {}
        self._strangers: dict[Connection, None] = {}
        self._others: dict[Connection, None] = {}

    def start(self) -> None:
        self._listening.setblocking(False)
        self._listening.listen(BACKLOG)
        self._loop.add_reader(self._listening, self._accept)

    def close(self) -> None:
        self._loop.remove_reader(self._listening)
        self._listening.close()

    async def wait_closed(self) -> None:
        """Nothing is left to wait for: uvicorn has ended the connections."""

    # Connections report their state

    def opened(self, connection: Connection) -> None:
        self._strangers[connection] = None

    def trusted(self, connection: Connection) -> None:
        self._strangers.pop(connection, None)
        self._others[connection] = None

    def idle(self, connection: Connection) -> None:
        """Of the connections that may give way, this one is now the last."""
        waiting = self._others if connection in self._others else self._strangers
        if connection in waiting:
            del waiting[connection]
            waiting[connection] = None

    def closed(self, connection: Connection) -> None:
        self._strangers.pop(connection, None)
        self._others.pop(connection, None)

    # Accepting

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                client, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    raise
                self._make_room()
                self._pause(error)
                return
            if self._is_full() and not self._make_room():
                client.close()
                continue
            self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._connect(client))
        self._handshakes[task] = client
        task.add_done_callback(lambda done: self._handshakes.pop(done, None))

    async def _connect(self, client: socket.socket) -> None:
        seconds = self._limits.handshake_seconds if self._tls else None
        try:
            if self._tls:
                async with asyncio.timeout(seconds):
                    first = await self._first_bytes(client)
                if first in HTTP:
                    client.recv(self._limits.head)  # a connection that is closed with unread bytes is reset
                    await self._loop.sock_sendall(client, NOT_HTTPS)
                if not first or first in HTTP:
                    client.close()
                    return
            await self._loop.connect_accepted_socket(
                lambda: self._make(self), client, ssl=self._tls, ssl_handshake_timeout=seconds
            )
        except (OSError, ssl.SSLError):  # the client went away, or speaks no TLS, or not in time
            client.close()

    async def _first_bytes(self, client: socket.socket) -> bytes:
        """How the client begins its handshake, for which asyncio takes 256 KiB; empty if it has gone."""
        begun = asyncio.Event()
        self._loop.add_reader(client, begun.set)
        try:
            await begun.wait()
        finally:
            self._loop.remove_reader(client)
        return client.recv(len(HTTP[0]), socket.MSG_PEEK)

    def _is_full(self) -> bool:
        return len(self._handshakes) + len(self._strangers) + len(self._others) >= self._limits.connections

    def _make_room(self) -> bool:
        """Close the connection that may best be spared. Returns False if all are in use."""
        idle_stranger = next((stranger for stranger in self._strangers if not stranger.busy), None)
        if stranger := idle_stranger or next(iter(self._strangers), None):
            return self._evict(stranger)
        if self._handshakes:
            client = self._handshakes.pop(next(iter(self._handshakes)))
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            return True
        idle = next((connection for connection in self._others if not connection.busy), None)
        return idle is not None and self._evict(idle)

    def _evict(self, connection: Connection) -> bool:
        self.closed(connection)
        connection.evict()
        return True

    def _pause(self, error: OSError) -> None:
        """Leave the other clients in the queue until some connections have ended."""
        log.warning("cannot accept a connection: %s", error)
        self._loop.remove_reader(self._listening)
        self._loop.call_later(PAUSE, self._resume)

    def _resume(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.add_reader(self._listening, self._accept)
