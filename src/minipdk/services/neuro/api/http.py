"""How a request reaches a handler, and how an answer or a refusal reaches the client.

The classes of this package have a handler for each endpoint and list them as ``routes``. Any other path gets a 501.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.applications import Starlette
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from minipdk.common.documents import DocumentError, read_json
from minipdk.common.web import Limits, Policy, RefusedError
from minipdk.services.neuro.errors import (
    InvalidArgumentError,
    PermissionDeniedError,
    PlatformError,
    StalledBodyError,
    TooLargeError,
    UnauthenticatedError,
    UnsupportedError,
    of_system,
)
from minipdk.services.neuro.tokens import Tokens
from minipdk.storage.space import DiskFullError

LARGEST_UPLOAD = 1 << 40
LARGEST_DOCUMENT = 4 << 20
REGISTRY_PREFIX = "/v2/"
LOG_IN = {"WWW-Authenticate": 'Basic realm="minipdk"'}
REFUSALS: dict[int, type[PlatformError]] = {
    400: InvalidArgumentError,
    403: PermissionDeniedError,
    408: StalledBodyError,
    413: TooLargeError,
}

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


class _AnyPath(PathConvertor):
    """Starlette's ``path``, whose characters may be line feeds too, which are legal in the name of a file."""

    regex = "(?s:.*)"


register_url_convertor("any", _AnyPath())


def application(routes: Iterable[BaseRoute], **options: Any) -> Starlette:
    """The ASGI application with these ``routes``, behind its `policy`."""
    return Starlette(routes=[*routes, Route("/{path:any}", _Unsupported())], **options)


def policy(tokens: Tokens, open_paths: Iterable[str]) -> Policy:
    """The rules of the platform's port. ``open_paths`` need no token, but a token that is sent must be right."""
    paths = frozenset(open_paths)

    async def authenticate(connection: HTTPConnection) -> bool:
        path = connection.scope["path"]
        header = connection.headers.get("authorization", "")
        if not header and path in paths:
            return False
        try:
            connection.state.user = tokens.user(_token(header, path))
        except PlatformError as error:
            raise RefusedError(refusal(error, path)) from None
        return True

    return Policy(Limits(body=LARGEST_UPLOAD), authenticate, lambda status, reason: refusal(REFUSALS[status](reason), "/"))


def route(path: str, handler: Handler, *methods: str) -> Route:
    """A route whose refusals have the platform's form."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except PlatformError as error:
            return refusal(error, request.url.path)
        except DiskFullError as error:
            return refusal(of_system(error, request.url.path), request.url.path)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:
            log.exception("%s %s failed", request.method, request.url.path)
            return refusal(PlatformError(f"internal error: {error!r}"), request.url.path)

    return Route(path, answer, methods=list(methods))


def refusal(error: PlatformError, path: str) -> JSONResponse:
    """The answer for ``error``: in Docker's form below the registry's path, else in the platform's.

    The header X-Error is for clients of a WebSocket, which do not see a refusal's body.
    """
    if path.startswith(REGISTRY_PREFIX):
        headers = LOG_IN if isinstance(error, UnauthenticatedError) else {}
        body = {"errors": [{"code": error.code, "message": str(error)}]}
        return JSONResponse(body, error.status, headers)
    text = "".join(character if " " <= character <= "~" else "?" for character in str(error)[:1024].replace("\n", " "))
    return JSONResponse(error.body(), error.status, {"X-Error": text})


async def document(request: Request) -> dict[str, Any]:
    """The JSON object in the request's body. Raises PlatformError."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_DOCUMENT:
            raise TooLargeError(f"the request's document is larger than {LARGEST_DOCUMENT} bytes")
    try:
        value = read_json(bytes(body))
    except DocumentError as error:
        raise InvalidArgumentError(f"the request's body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidArgumentError("the request's body must be a JSON object")
    return value


def raw_path(request: Request, prefix: str) -> str:
    """The path after ``prefix`` with its escapes decoded. A slash must not be escaped. Raises InvalidArgumentError."""
    path: bytes = request.scope["raw_path"]
    rest = path.partition(b"?")[0].removeprefix(prefix.encode())
    if b"%2f" in rest.lower():
        raise InvalidArgumentError("the path must not have an escaped slash (%2F)", "EINVAL")
    try:
        return unquote_to_bytes(rest).decode()
    except UnicodeDecodeError:
        raise InvalidArgumentError("the path is not UTF-8", "EINVAL") from None


def _token(header: str, path: str) -> str:
    """The token in an Authorization header: a Bearer, or below the registry's path the password of Basic."""
    scheme, _, content = header.partition(" ")
    if scheme.lower() == "bearer" and content:
        return content.strip()
    if scheme.lower() == "basic" and path.startswith(REGISTRY_PREFIX):
        try:
            _, _, password = base64.b64decode(content, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise UnauthenticatedError("the Basic credentials are malformed") from None
        return password
    raise UnauthenticatedError("a token is required: log in with `neuro login`")


class _Unsupported:
    """Refuses requests for anything that the platform may have and this one does not."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = UnsupportedError(f"{scope['method']} {scope['path']}")
        await refusal(error, scope["path"])(scope, receive, send)
