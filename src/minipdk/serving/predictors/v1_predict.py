"""The short way of a v1 prediction: to kserve's own endpoint past FastAPI's routing, which costs more than most models.

Of the time that a small request took in kserve's application, two thirds went into finding its route and timing it for
a log that is off. What is answered is the same; what is not a v1 prediction goes the long way.
"""

from __future__ import annotations

from kserve.protocol.dataplane import DataPlane
from kserve.protocol.rest.v1_endpoints import V1Endpoints
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PREFIX, SUFFIX = "/v1/models/", ":predict"


class V1Predict:
    """Answers ``POST /v1/models/<name>:predict``; ``app`` is kserve's application, which answers everything else."""

    def __init__(self, app: Starlette, plane: DataPlane) -> None:
        self._app, self._endpoints = app, V1Endpoints(plane)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            path: str = scope["path"]
            if path.startswith(PREFIX) and path.endswith(SUFFIX):
                response = await self._predict(path[len(PREFIX) : -len(SUFFIX)], Request(scope, receive))
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _predict(self, name: str, request: Request) -> Response:
        try:
            response: Response = await self._endpoints.predict(name, request)
        except ClientDisconnect:
            raise
        except Exception as error:
            handlers = self._app.exception_handlers
            answer = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
            response = await answer(request, error)
        return response
