"""Serve the Determined master on its port: ``python -m minipdk.services.determined.server --home PATH``."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from minipdk.common import service
from minipdk.common.home import Home
from minipdk.common.web.server import serve as serve_http
from minipdk.services.determined.api import ENDPOINTS, OPEN
from minipdk.services.determined.api.http import application, policy
from minipdk.services.determined.master import Master
from minipdk.services.determined.service import SERVICE


def serve(home: Home) -> None:
    """Serve until `service.stopping` is set."""
    master = Master(home)

    def answer_waiting_requests() -> None:
        """Long polls and log streams would hold up the end of the server."""
        service.stopping.wait()
        master.changes.close()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        master.changes.bind()
        master.start()
        threading.Thread(target=answer_waiting_requests, daemon=True).start()
        yield
        master.stop()

    app = application(master.parts, ENDPOINTS, lifespan=lifespan)
    serve_http(app, home.port("determined"), policy(master.users, OPEN))


if __name__ == "__main__":
    service.run(SERVICE.name, serve)
