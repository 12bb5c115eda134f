"""The rules of a model server's port, and ASGI middleware before kserve's application: the type of bodies, and a short path
for v1 predictions.
"""

from __future__ import annotations

import math
import re
from typing import Any

import orjson
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.rest.v1_endpoints import V1Endpoints
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from minipdk.common.web import Limits, Policy
from minipdk.common.web.policy import LOOPBACK_NAMES

PREFIX, SUFFIX = "/v1/models/", ":predict"
JSON_LENGTH = b"inference-header-content-length"  # of protocol v2's binary data: tensors follow the JSON
LENGTH = re.compile(rb"[0-9]{1,18}")
SERVICE_DOMAINS = (".example.com", ".svc.cluster.local")
DEFAULT_TYPES = frozenset({b"", b"application/x-www-form-urlencoded"})


class JSONResponse(Response):
    """An answer serialised by orjson, which knows numpy's numbers."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


class JsonByDefault:
    """Treat a body as JSON when its Content-Type is absent, or the default of curl.

    Before a body with binary tensors, check the length of its JSON, which kserve's own code takes for a number.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            names = {name: value for name, value in scope["headers"] if name in (b"content-type", JSON_LENGTH)}
            length = names.get(JSON_LENGTH)
            if length is not None and not LENGTH.fullmatch(length):
                await refusal(400, f"{JSON_LENGTH.decode()} is {length.decode('latin-1')!r}: it must be a number of bytes")(
                    scope, receive, send
                )
                return
            if length is None and names.get(b"content-type", b"") in DEFAULT_TYPES:
                others = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
                scope = {**scope, "headers": [*others, (b"content-type", b"application/json")]}
        await self._app(scope, receive, send)


def refusal(status: int, reason: str) -> Response:
    """An error in kserve's form."""
    return JSONResponse({"error": reason}, status_code=status)


def policy(max_body: int) -> Policy:
    """The rules of a model server's port: any client may call, by a name of this machine or of an InferenceService.

    The names of InferenceServices, by which the ingress calls, end in reserved domains.
    """

    async def any_client(_: HTTPConnection) -> bool:
        return False

    def is_served(name: str) -> bool:
        return name in LOOPBACK_NAMES or name.endswith(SERVICE_DOMAINS)

    limits = Limits(body=max_body, open_body=max_body, open_seconds=math.inf, unread=max_body)
    return Policy(limits, any_client, refusal, is_served)


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
