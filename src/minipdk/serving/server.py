"""The serving service: KServe's controllers, the predictors' Pods and the ingress gateway, in one process."""

from __future__ import annotations

import asyncio
import logging

import aiohttp

from minipdk import service
from minipdk.home import Home

from .api import Object, connect
from .controllers.inferenceservice import InferenceServiceController
from .controllers.predictor import SERVICE_LABEL
from .events import Recorder
from .gateway.gateway import gateway
from .gateway.routes import Routes
from .kubelet.node import Node, running

log = logging.getLogger(__name__)


def serve(home: Home) -> None:
    """Serve until `service.stopping` is set."""
    asyncio.run(_serve(home))


async def _serve(home: Home) -> None:
    routes = Routes()
    async with gateway(routes, home.folder("run") / "envoy", home.port("ingress")):
        controlling = asyncio.create_task(_control(home, routes))
        stopped = asyncio.create_task(asyncio.to_thread(service.stopping.wait))
        await asyncio.wait([controlling, stopped], return_when=asyncio.FIRST_COMPLETED)
        service.stopping.set()
        controlling.cancel()
        await asyncio.gather(controlling, return_exceptions=True)
    if not controlling.cancelled():
        controlling.result()


async def _control(home: Home, routes: Routes) -> None:
    """Run the controllers against the API server, whenever it answers."""
    async with connect(home) as api, aiohttp.ClientSession() as http, asyncio.TaskGroup() as tasks:
        controller: InferenceServiceController

        def pod_changed(pod: Object) -> None:
            if SERVICE_LABEL in pod["metadata"].get("labels", {}):
                controller.pod_changed(pod)

        node = Node(home, api, Recorder(api, "kubelet", tasks), http, on_change=pod_changed)
        recorder = Recorder(api, "inferenceservice-controller", tasks)
        controller = InferenceServiceController(home, api, node, routes, recorder)
        async with running(node):
            await controller.run()


if __name__ == "__main__":
    service.run(serve)
