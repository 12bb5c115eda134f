"""How a REST call reaches a handler, and how a response or a refusal reaches the client.

A handler is a function of the `Call` and of the parts that it needs: it names each part as a parameter with its type, such
as ``experiments: Experiments``, and the application passes it. A plain function returns a JSON object and runs in a worker
thread; an ``async`` one, for handlers that wait or stream, returns a response. A path without a handler gets a 501.
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from minipdk.common.documents import DocumentError, read_json
from minipdk.common.web import Limits, Policy, RefusedError
from minipdk.services.determined.api.fields import INT32, check, whole_number
from minipdk.services.determined.errors import (
    InvalidArgumentError,
    MasterError,
    PermissionDeniedError,
    StalledBodyError,
    TooLargeError,
    UnauthenticatedError,
    UnsupportedError,
)
from minipdk.services.determined.model import Caller, Json
from minipdk.services.determined.users import Users

log = logging.getLogger(__name__)
T = TypeVar("T")

MAX_BODY = 128 << 20
"""MAX_HTTP_REQUEST_SIZE of Determined's clients: a model definition of 95 MiB in base64."""
REFUSALS: dict[int, type[MasterError]] = {
    400: InvalidArgumentError,
    403: PermissionDeniedError,
    408: StalledBodyError,
    413: TooLargeError,
}


@dataclass(frozen=True)
class Call:
    """One request: the caller, the JSON body, the parameters of the path and the query."""

    caller: Caller | None
    body: Json
    path: dict[str, Any]
    query: QueryParams
    request: Request

    @property
    def user(self) -> Caller:
        """The authenticated caller. Only open endpoints are called without one, and they do not ask."""
        assert self.caller is not None
        return self.caller

    def id(self, name: str = "id") -> int:
        """The integer that the path names ``name``."""
        return whole_number(name, self.path[name], INT32)

    def text(self, *names: str) -> str | None:
        """The query parameter, under any of its spellings."""
        return next((self.query[name] for name in names if name in self.query), None)

    def texts(self, name: str) -> list[str]:
        """A query parameter that may be given several times."""
        return self.query.getlist(name)

    def flag(self, name: str) -> bool | None:
        """A query parameter that is true, false or absent."""
        value = self.text(name)
        return None if value is None else value.lower() == "true"

    def number(self, name: str, default: int = 0) -> int:
        value = self.text(name)
        return default if value is None else whole_number(name, value, INT32)

    def numbers(self, name: str) -> list[int]:
        """A query parameter that may be given several times."""
        return [whole_number(name, value, INT32) for value in self.texts(name)]

    @property
    def descending(self) -> bool:
        return self.text("orderBy") == "ORDER_BY_DESC"

    def required(self, name: str, kind: type[T]) -> T:
        """The body's field ``name``. Raises InvalidArgumentError when it is missing or not a ``kind``."""
        value = self.body.get(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise InvalidArgumentError(f"{name} is required and must be a {kind.__name__}")
        return value


Handler = Callable[..., Any]
Endpoint = tuple[str, str, Handler]
"""The method, the path and the handler."""


def application(parts: Iterable[object], endpoints: Iterable[Endpoint], **options: Any) -> Starlette:
    """The ASGI application over the ``parts`` of a master, behind its `policy`."""
    by_type = {type(part): part for part in parts}
    routes = [Route(path, _endpoint(_bind(handler, by_type), path), methods=[method]) for method, path, handler in endpoints]
    return Starlette(routes=[*routes, Route("/{path:path}", _Unsupported())], **options)


def policy(users: Users, open_paths: frozenset[str]) -> Policy:
    """The rules of the master's port. ``open_paths`` need no token."""

    async def authenticate(connection: HTTPConnection) -> bool:
        if connection.scope["path"] in open_paths:
            return False
        try:
            connection.state.caller = await run_in_threadpool(users.authenticate, _token(connection))
        except MasterError as error:
            raise RefusedError(_failure(error)) from None
        return True

    return Policy(Limits(body=MAX_BODY), authenticate, lambda status, reason: _failure(REFUSALS[status](reason)))


def _bind(handler: Handler, parts: dict[type[object], object]) -> Callable[[Call], Any]:
    """``handler`` with the parts that its parameters after the call name by their types. Raises TypeError for others."""
    types = get_type_hints(handler)
    _, *names = inspect.signature(handler).parameters
    for name in names:
        if types[name] not in parts:
            kind = f"{types[name].__module__}.{types[name].__qualname__}"
            raise TypeError(f"{handler.__qualname__} asks for {kind}, which is no part of the master")
    return functools.partial(handler, **{name: parts[types[name]] for name in names})


def paginate(items: list[T], call: Call) -> tuple[list[T], Json]:
    """The page of ``items`` that ``offset`` and ``limit`` ask for, and Determined's description of it."""
    offset, limit = call.number("offset"), call.number("limit")
    start = max(0, len(items) + offset if offset < 0 else offset)
    end = min(len(items), start + limit) if limit > 0 else len(items)
    start = min(start, len(items))
    page = {"offset": offset, "limit": limit, "startIndex": start, "endIndex": end, "total": len(items)}
    return items[start:end], page


def ordered(items: list[T], call: Call, keys: dict[str, Callable[[T], Any]], default: str) -> list[T]:
    """``items`` by the ``sortBy`` and ``orderBy`` of the call; items without a value come last."""
    name = (call.text("sortBy") or default).removeprefix("SORT_BY_")
    name = default if name == "UNSPECIFIED" else name
    if name not in keys:
        raise UnsupportedError(f"sortBy SORT_BY_{name}")
    return sort(items, keys[name], reverse=call.descending)


def sort(items: Iterable[T], key: Callable[[T], Any], *, reverse: bool) -> list[T]:
    """``items`` by ``key``; items whose key is None come last."""
    pairs = [(key(item), item) for item in items]
    known = sorted((pair for pair in pairs if pair[0] is not None), key=lambda pair: pair[0], reverse=reverse)
    return [item for _, item in known] + [item for value, item in pairs if value is None]


def stream(messages: AsyncIterator[Json]) -> StreamingResponse:
    """Newline-delimited ``{"result": ...}``; a refusal half-way ends the stream with ``{"error": ...}``."""

    async def lines() -> AsyncIterator[bytes]:
        try:
            async for message in messages:
                yield json.dumps({"result": message}).encode() + b"\n"
        except MasterError as error:
            yield json.dumps(error.body()).encode() + b"\n"

    return StreamingResponse(lines(), media_type="application/json")


class _Unsupported:
    """Refuses requests for anything that Determined may have and this master does not."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = UnsupportedError(f"{scope['method']} {scope['path']}")
        await _failure(error)(scope, receive, send)


def _endpoint(handler: Callable[[Call], Any], path: str) -> Callable[[Request], Any]:
    """The endpoint at ``path`` that calls ``handler``."""

    is_async = inspect.iscoroutinefunction(handler)

    async def answer(request: Request) -> Response:
        try:
            body = await _body(request, path)
            caller = getattr(request.state, "caller", None)
            call = Call(caller, body, request.path_params, request.query_params, request)
            if is_async:
                response: Response = await handler(call)
                return response
            result = await run_in_threadpool(handler, call)
            return result if isinstance(result, Response) else JSONResponse(result)
        except MasterError as error:
            return _failure(error)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:
            log.exception("%s %s failed", request.method, request.url.path)
            return _failure(MasterError(f"internal error: {error!r}"))

    return answer


async def _body(request: Request, path: str) -> Json:
    raw = await request.body()
    if not raw or request.method == "GET":
        return {}
    body = await run_in_threadpool(_parsed, raw)
    if isinstance(body, str):
        # The password of POST /users/{id}/password is a bare JSON string.
        return {"": body}
    if not isinstance(body, dict):
        raise InvalidArgumentError("the request body must be a JSON object")
    return check(body, path)


def _parsed(raw: bytes) -> Any:
    try:
        return read_json(raw)
    except DocumentError as error:
        raise InvalidArgumentError(f"the request body is not JSON: {error}") from None


def _token(connection: HTTPConnection) -> str:
    headers = connection.headers
    header = headers.get("grpc-metadata-x-allocation-token") or headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError("token missing")
    return token


def _failure(error: MasterError) -> JSONResponse:
    return JSONResponse(error.body(), error.status)
