"""The ingress as a controller: Envoy on its port, following the routes of the other controllers."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from minipdk.controller.workspace import Workspace
from minipdk.services.ingress.gateway import gateway


def running(workspace: Workspace) -> AbstractAsyncContextManager[None]:
    """Serve the ingress within this context. Raises GatewayError when Envoy cannot run."""
    home = workspace.home
    return gateway(workspace.routes, home.folder("run") / "envoy", home.port("ingress"))
