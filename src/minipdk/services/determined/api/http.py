"""How a REST call reaches a handler and an answer or a refusal reaches the client.

A handler is a plain function ``(Call) -> JSON object`` run in a worker thread, or an ``async`` one that returns a response,
for what waits or streams. Whatever has no handler is answered with 501.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from minipdk.services.determined.api.fields import check
from minipdk.services.determined.errors import InvalidArgumentError, MasterError, UnauthenticatedError, UnsupportedError
from minipdk.services.determined.users import Caller

if TYPE_CHECKING:
    from minipdk.services.determined.master import Master

log = logging.getLogger(__name__)
Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request: who calls, the JSON body, the path's parameters, the query, and the master to answer it."""

    master: Master
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
        try:
            return int(self.path[name])
        except ValueError:
            raise InvalidArgumentError(f"{name}: {self.path[name]!r} is not a number") from None

    def one(self, *names: str) -> str | None:
        """The query parameter, under any of its spellings."""
        return next((self.query[name] for name in names if name in self.query), None)

    def many(self, name: str) -> list[str]:
        return self.query.getlist(name)

    def flag(self, name: str) -> bool | None:
        """A query parameter that is true, false or absent."""
        value = self.one(name)
        return None if value is None else value.lower() == "true"

    def number(self, name: str, default: int = 0) -> int:
        value = self.one(name)
        try:
            return default if value is None else int(value)
        except ValueError:
            raise InvalidArgumentError(f"{name}: {value!r} is not a number") from None

    def numbers(self, name: str) -> list[int]:
        """A query parameter that is given any number of times."""
        try:
            return [int(value) for value in self.many(name)]
        except ValueError:
            raise InvalidArgumentError(f"{name}: {self.many(name)!r} are not all numbers") from None

    def required(self, name: str, kind: type = str) -> Any:
        """The body's field ``name``. Raises InvalidArgumentError when it is missing or not a ``kind``."""
        value = self.body.get(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise InvalidArgumentError(f"{name} is required and must be a {kind.__name__}")
        return value


Handler = Callable[[Call], Any]
Endpoint = tuple[str, str, Handler]


def application(master: Master, endpoints: Iterable[Endpoint], open_paths: frozenset[str], **options: Any) -> Starlette:
    """The ASGI application. ``open_paths`` need no token."""
    routes = [
        Route(path, _endpoint(master, handler, path in open_paths), methods=[method]) for method, path, handler in endpoints
    ]
    return Starlette(routes=[*routes, Route("/{path:path}", _Unsupported())], **options)


def paginate(items: list[Any], call: Call, *, default_limit: int = 0) -> tuple[list[Any], Json]:
    """The page of ``items`` that ``offset`` and ``limit`` ask for, and Determined's description of it."""
    offset, limit = call.number("offset"), call.number("limit", default_limit)
    start = max(0, len(items) + offset if offset < 0 else offset)
    end = min(len(items), start + limit) if limit > 0 else len(items)
    start = min(start, len(items))
    page = {"offset": offset, "limit": limit, "startIndex": start, "endIndex": end, "total": len(items)}
    return items[start:end], page


def ordered(items: list[Any], call: Call, keys: dict[str, Callable[[Any], Any]], default: str) -> list[Any]:
    """``items`` by the ``sortBy`` and ``orderBy`` of the call; a value that is absent sorts last."""
    name = (call.one("sortBy") or default).removeprefix("SORT_BY_")
    name = default if name == "UNSPECIFIED" else name
    if name not in keys:
        raise UnsupportedError(f"sortBy SORT_BY_{name}")
    key = keys[name]
    known = [item for item in items if key(item) is not None]
    known.sort(key=key, reverse=call.one("orderBy") == "ORDER_BY_DESC")
    return known + [item for item in items if key(item) is None]


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
    """Answers whatever Determined may have and this master does not."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = UnsupportedError(f"{scope['method']} {scope['path']}")
        await JSONResponse(error.body(), error.status)(scope, receive, send)


def _endpoint(master: Master, handler: Handler, is_open: bool) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        try:
            body = await _body(request)
            call = Call(master, None, body, request.path_params, request.query_params, request)
            if not is_open:
                caller = master.users.authenticate(_token(request))
                call = Call(master, caller, body, request.path_params, request.query_params, request)
            if inspect.iscoroutinefunction(handler):
                response: Response = await handler(call)
                return response
            result = await run_in_threadpool(handler, call)
            return result if isinstance(result, Response) else JSONResponse(result)
        except MasterError as error:
            return JSONResponse(error.body(), error.status)
        except Exception as error:
            log.exception("%s %s failed", request.method, request.url.path)
            return JSONResponse(MasterError(f"internal error: {error!r}").body(), 500)

    return answer


async def _body(request: Request) -> Json:
    raw = await request.body()
    if not raw or request.method == "GET":
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise InvalidArgumentError(f"the request body is not JSON: {error}") from None
    if isinstance(body, str):
        # The password of POST /users/{id}/password is a bare JSON string.
        return {"": body}
    if not isinstance(body, dict):
        raise InvalidArgumentError("the request body must be a JSON object")
    return check(body)


def _token(request: Request) -> str:
    header = request.headers.get("grpc-metadata-x-allocation-token") or request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError("invalid credentials")
    return token
