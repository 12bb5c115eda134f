"""The answers that depend on nothing stored: discovery, OpenAPI and health."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from minipdk.services.kubernetes.api import discovery, openapi, openapi_v2
from minipdk.services.kubernetes.api.negotiation import JSON_TYPES, accepted, is_aggregated
from minipdk.services.kubernetes.errors import NotAcceptableError
from minipdk.services.kubernetes.model import Object

Handler = Callable[[Request], Awaitable[Response]]
HEALTH = ("/healthz", "/livez", "/readyz")
PUBLIC = frozenset({*HEALTH, "/version"})
"""Paths that a real cluster answers to anyone."""


def handlers(address: str) -> dict[str, Handler]:
    """Each path's handler. ``address`` is the server's host and port."""
    made: dict[str, Callable[[Request], Object]] = {
        "/": lambda _: {"paths": discovery.paths((*HEALTH, "/openapi/v2", "/openapi/v3", "/version"))},
        "/version": lambda _: discovery.server_version(),
        "/api/v1": lambda _: discovery.resource_list("", "v1"),
        "/apis/{group}": lambda request: discovery.one_group(request.path_params["group"]),
        "/apis/{group}/{version}": lambda request: discovery.resource_list(**request.path_params),
        "/openapi/v3": lambda _: openapi.index(),
        "/openapi/v3/{path:path}": lambda request: openapi.document(request.path_params["path"]),
    }
    found: dict[str, Handler] = {path: partial(_document, make) for path, make in made.items()}
    found["/api"] = partial(_discovery, partial(discovery.core_versions, address), core=True)
    found["/apis"] = partial(_discovery, discovery.groups, core=False)
    found["/openapi/v2"] = _openapi_v2
    found |= dict.fromkeys(HEALTH, _health)
    return found | {f"{path}/": handler for path, handler in found.items() if path != "/"}  # as Python's client asks


async def _document(make: Callable[[Request], Object], request: Request) -> Response:
    if not any(kind in JSON_TYPES for kind, _ in accepted(request.headers.get("accept", ""))):
        raise NotAcceptableError(("application/json",))
    return _json(await run_in_threadpool(make, request))


async def _discovery(plain: Callable[[], Object], request: Request, *, core: bool) -> Response:
    for kind, parameters in accepted(request.headers.get("accept", "")):
        if is_aggregated(kind, parameters):
            version = parameters["v"]
            answered = f"application/json;g={discovery.AGGREGATED_GROUP};v={version};as={discovery.AGGREGATED}"
            return _json(discovery.aggregated(version, core=core), answered)
        if kind in JSON_TYPES and "as" not in parameters:
            return _json(plain())
    raise NotAcceptableError(("application/json",))


async def _openapi_v2(request: Request) -> Response:
    accept = request.headers.get("accept", "")
    if openapi_v2.PROTOBUF in accept:
        return Response(await run_in_threadpool(openapi_v2.document), media_type=openapi_v2.ANSWERED)
    if any(kind in JSON_TYPES for kind, _ in accepted(accept)):
        return _json(await run_in_threadpool(openapi_v2.as_json))
    raise NotAcceptableError((openapi_v2.PROTOBUF, "application/json"))


async def _health(request: Request) -> Response:
    if "verbose" not in request.query_params:
        return PlainTextResponse("ok")
    return PlainTextResponse(f"[+]ping ok\n{request.url.path.strip('/')} check passed\n")


def _json(found: Object, media_type: str = "application/json") -> Response:
    return Response(json.dumps(found, separators=(",", ":")), media_type=media_type, headers={"Vary": "Accept"})
