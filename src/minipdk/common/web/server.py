"""Runs a service's application on its port until the service stops."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from minipdk.common import ports
from minipdk.common.web.connection import Connection
from minipdk.common.web.guard import Guard
from minipdk.common.web.listener import Listener
from minipdk.common.web.policy import Policy

GRACE_SECONDS = 2


class HttpServer(uvicorn.Server):
    """uvicorn with a `Listener`. It leaves signals to its process, so that services hear of them before their connections.

    ``policy`` are the rules of its port. Run it with the socket to listen on.
    """

    def __init__(self, app: ASGIApp, policy: Policy, *, grace: float | None = GRACE_SECONDS, **options: Any) -> None:
        self._limits = policy.limits
        config = uvicorn.Config(
            Guard(app, policy),
            log_config=None,
            ws="none",  # an upgrade is a request like any other, guarded like any other, until its handler takes it over
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=policy.limits.keep_alive,  # type: ignore[arg-type]  # uvicorn passes it to asyncio, which takes both
            timeout_graceful_shutdown=grace,  # type: ignore[arg-type]
            **options,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            self.should_exit = True
            return
        tls: ssl.SSLContext | None = self.config.ssl
        listeners = [Listener(listening, self._limits, tls, self._connection) for listening in sockets or ()]
        for listener in listeners:
            listener.start()
        self.servers = cast("list[asyncio.Server]", listeners)
        self.started = True

    def _connection(self, listener: Listener) -> Connection:
        return Connection(self.config, self.server_state, self.lifespan.state, listener, self._limits)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(app: ASGIApp, port: int, policy: Policy, *, certificate: Path | None = None, key: Path | None = None) -> None:
    """Serve ``app`` on the loopback ``port`` until `service.stopping` is set; https with a certificate and key.

    Raises PortError if another program has the port.
    """
    from minipdk.common import service  # not in the images of model servers, which use the rest of this module

    server = HttpServer(
        app,
        policy,
        ssl_certfile=str(certificate) if certificate else None,
        ssl_keyfile=str(key) if key else None,
        lifespan="on",
    )

    def stop_when_told() -> None:
        service.stopping.wait()
        server.should_exit = True

    threading.Thread(target=stop_when_told, daemon=True).start()
    server.run([ports.listener(port)])
    service.stopping.set()


def bind(port: int, *, shared: bool = False) -> socket.socket:
    """A socket at the loopback ``port``; ``shared`` with other processes among which the kernel distributes connections."""
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
        listening.bind((ports.HOST, port))
    except OSError:
        listening.close()
        raise
    return listening
