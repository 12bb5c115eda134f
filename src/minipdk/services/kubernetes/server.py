"""The process of the Kubernetes API: https on loopback until the cluster stops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from minipdk.common import service
from minipdk.common.home import Home
from minipdk.common.web.server import serve as serve_http
from minipdk.services.kubernetes.api.app import Api
from minipdk.services.kubernetes.bootstrap import furnish_cluster
from minipdk.services.kubernetes.certificates import ensure_tls, server_certificate, server_key
from minipdk.services.kubernetes.registry.registry import Registry
from minipdk.services.kubernetes.service import SERVICE
from minipdk.services.kubernetes.store import ObjectStore


def serve(home: Home) -> None:
    """Serve the API on the home's kubernetes port until `service.stopping` is set."""
    ensure_tls(home)
    registry = Registry(ObjectStore(home.database("kubernetes")), home.folder("volumes"))
    furnish_cluster(registry, home.ca_certificate.read_text())
    registry.volumes.keep_reclaiming()
    registry.expiry.keep_removing(service.stopping)
    api = Api(home, registry)

    @asynccontextmanager
    async def stop_watches(_: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()

        def wait() -> None:
            service.stopping.wait()
            loop.call_soon_threadsafe(api.stop)

        threading.Thread(target=wait, daemon=True).start()
        yield

    app = api.app(lifespan=stop_watches)
    port = home.port("kubernetes")
    serve_http(app, port, api.policy(), certificate=server_certificate(home), key=server_key(home))


if __name__ == "__main__":
    service.run(SERVICE.name, serve)
