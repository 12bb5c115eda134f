"""The checks before an application: Host, caller, origin, and the size and the pace of the body."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from minipdk.common.web import origins
from minipdk.common.web.policy import Policy, RefusedError
from minipdk.common.web.upgrades import CONNECTION

CLOSE = (b"connection", b"close")


class Guard:
    """``app`` behind the rules of ``policy``. They cover WebSockets too."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app, self._policy = app, policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            known = await self._admit(HTTPConnection(scope))
            limit = self._limit(scope, known=known)
        except RefusedError as refused:
            await refused.response(scope, receive, _closing(send) if _has_body(scope) else send)
            return
        if scope["type"] == "http" and _has_body(scope):
            await self._with_body(scope, receive, send, limit, known=known)
        else:
            await self._app(scope, receive, send)

    async def _admit(self, request: HTTPConnection) -> bool:
        """Whether the caller is known. Raises RefusedError."""
        hosts = request.headers.getlist("host")
        name = origins.host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None:
            raise self._refused(400, "the request needs one well-formed Host header")
        if not self._policy.hosts(name):
            raise self._refused(403, f"Host {name!r} is not a name that is served here")
        known = await self._policy.authenticate(request)
        if known:
            if connection := request.scope.get("extensions", {}).get(CONNECTION):
                connection.trust()
            return True
        method, headers = request.scope.get("method", "GET"), request.headers
        if request.scope["type"] == "websocket":
            method = "CONNECT"  # a page of any origin can open one
        reason = origins.refusal(method, hosts[0], origin=headers.get("origin"), fetch_site=headers.get("sec-fetch-site"))
        if reason:
            raise self._refused(403, reason)
        return False

    def _limit(self, scope: Scope, *, known: bool) -> int:
        """The largest body that the caller may send. Raises RefusedError if it declares a larger one."""
        limits = self._policy.limits
        limit = limits.body if known else limits.open_body
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if int(declared) > limit:
            raise self._refused(413, _too_large(limit))
        return limit

    async def _with_body(self, scope: Scope, receive: Receive, send: Send, limit: int, *, known: bool) -> None:
        limits = self._policy.limits
        body = _Body(receive, send, limit, limits.stall, None if known else limits.open_seconds)
        # An application whose request was cut off sees a client that has gone; the client gets the reason.
        with contextlib.suppress(ClientDisconnect):
            await self._app(scope, body.receive, body.send)
        if body.fault and not body.answered:
            status, reason = body.fault
            await self._policy.refusal(status, reason)(scope, receive, _closing(send))

    def _refused(self, status: int, reason: str) -> RefusedError:
        return RefusedError(self._policy.refusal(status, reason))


class _Body:
    """The messages between the server and an application, until the body is too large or stalls.

    ``seconds`` is the time for the whole body, None for any. ``fault`` is the status and the reason of the refusal.
    """

    def __init__(self, receive: Receive, send: Send, limit: int, stall: float, seconds: float | None) -> None:
        self._receive, self._send, self._limit, self._stall = receive, send, limit, stall
        self._ends = None if seconds is None else asyncio.get_running_loop().time() + seconds
        self._size, self._complete = 0, False
        self.fault: tuple[int, str] | None = None
        self.answered = False

    async def receive(self) -> Message:
        if self.fault:
            return {"type": "http.disconnect"}
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout(self._patience()):
                message = await self._receive()
        except TimeoutError:
            return self._cut(408, f"the request's body stopped coming after {self._size} bytes")
        self._size += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        return self._cut(413, _too_large(self._limit)) if self._size > self._limit else message

    async def send(self, message: Message) -> None:
        if self.fault and not self.answered:
            return  # it would be an answer to a client that has gone
        if message["type"] == "http.response.start":
            self.answered = True
            if not self._complete:
                message = _with_close(message)
        await self._send(message)

    def _patience(self) -> float:
        if self._ends is None:
            return self._stall
        return max(0.0, min(self._stall, self._ends - asyncio.get_running_loop().time()))

    def _cut(self, status: int, reason: str) -> Message:
        self.fault = (status, reason)
        return {"type": "http.disconnect"}


def _has_body(scope: Scope) -> bool:
    return any(
        (name == b"content-length" and value != b"0") or name == b"transfer-encoding" for name, value in scope["headers"]
    )


def _too_large(limit: int) -> str:
    return f"the request body is larger than the limit of {limit} bytes"


def _closing(send: Send) -> Send:
    """``send`` for a response after which the connection ends, because the request's body was not read."""

    async def send_closing(message: Message) -> None:
        await send(_with_close(message) if message["type"] == "http.response.start" else message)

    return send_closing


def _with_close(message: Message) -> dict[str, Any]:
    headers = [field for field in message.get("headers", ()) if field[0].lower() != b"connection"]
    return {**message, "headers": [*headers, CLOSE]}
