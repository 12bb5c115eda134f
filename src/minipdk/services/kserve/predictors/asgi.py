"""ASGI middleware before kserve's application: a limit for bodies, their type, and a short path for v1 predictions."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.rest.v1_endpoints import V1Endpoints
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFIX, SUFFIX = "/v1/models/", ":predict"
JSON_LENGTH = b"inference-header-content-length"  # of protocol v2's binary data: tensors follow the JSON
DEFAULT_TYPES = frozenset({b"", b"application/x-www-form-urlencoded"})


class JSONResponse(Response):
    """An answer serialised by orjson, which knows numpy's numbers."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


class JsonByDefault:
    """Treat a body as JSON when its Content-Type is absent, or the default of curl."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            names = {name: value for name, value in scope["headers"] if name in (b"content-type", JSON_LENGTH)}
            if JSON_LENGTH not in names and names.get(b"content-type", b"") in DEFAULT_TYPES:
                others = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
                scope = {**scope, "headers": [*others, (b"content-type", b"application/json")]}
        await self._app(scope, receive, send)


class BodyLimit:
    """Answer 413 to a body larger than ``max_body`` bytes, declared or streamed."""

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self._app, self._max_body = app, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
        if declared > self._max_body:
            await self._refuse(scope, receive, send)
            return
        received = 0

        async def limited_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return {"type": "http.disconnect"} if received > self._max_body else message

        async def unless_refused(message: Message) -> None:
            if received <= self._max_body:
                await send(message)

        # A client that has gone gets no answer. One whose body was cut off here gets ours, not the application's.
        with contextlib.suppress(ClientDisconnect):
            await self._app(scope, limited_receive, unless_refused)
        if received > self._max_body:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"the request body is larger than the limit of {self._max_body} bytes"
        await JSONResponse({"error": message}, status_code=413)(scope, receive, send)


class V1Predict:
    """Answers ``POST /v1/models/<name>:predict``; ``app`` is kserve's application, which answers everything else.

    It calls kserve's endpoint directly. FastAPI's routing, and the timing of routes for a log that is off, took over half of
    the time of a small request.
    """

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
