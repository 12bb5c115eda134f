"""How every HTTP service is served: uvicorn on loopback, with the guards a local server needs.

The rules come from attacks on other local servers: a Host allow-list against DNS rebinding, and a same-origin check
against requests that a web page makes behind its reader's back. Authentication is each service's own, since each vendor
spells it differently.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from minipdk.common import origins, service
from minipdk.common.ports import HOST, listener

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
KEEP_ALIVE_SECONDS = 75  # longer than clients keep an idle connection, so that none is closed as it is used again


class LoopbackGuard:
    """Refuse requests whose Host is not a loopback name, and unsafe ones that come from another origin's web page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (reason := self._refusal(scope)):
            await PlainTextResponse(reason, status_code=403)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if origins.host_name(host) not in LOOPBACK_NAMES:
            return f"Host {origins.host_name(host)!r} is not a loopback name"
        if "authorization" in headers:
            return None
        return origins.refusal(scope["method"], host, origin=headers.get("origin"), fetch_site=headers.get("sec-fetch-site"))


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to `service.run`, so that services hear of them before their connections end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(app: ASGIApp, port: int, *, certificate: Path | None = None, key: Path | None = None) -> None:
    """Serve ``app`` on the loopback ``port`` until `service.stopping` is set; https with a certificate and key."""
    server = _Server(
        uvicorn.Config(
            LoopbackGuard(app),
            host=HOST,
            port=port,
            ssl_certfile=str(certificate) if certificate else None,
            ssl_keyfile=str(key) if key else None,
            log_config=None,
            ws="none",  # no service speaks WebSocket: an upgrade is a request like any other, guarded like any other
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            lifespan="on",
            timeout_graceful_shutdown=2,
        )
    )

    def stop_when_told() -> None:
        service.stopping.wait()
        server.should_exit = True

    threading.Thread(target=stop_when_told, daemon=True).start()
    server.run([listener(port)])
    service.stopping.set()
