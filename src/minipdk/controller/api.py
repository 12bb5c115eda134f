"""The Kubernetes API as a controller uses it: requests with the cluster's token, and their repetition."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from minipdk.common.backoff import BackOff
from minipdk.common.home import Home
from minipdk.controller.errors import ApiError, ConflictError, GoneError, NotFoundError
from minipdk.controller.objects import PODS, Object, Resource

RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.5, 30.0
LONGEST_OUTAGE_SECONDS = 2.0
WATCH_SECONDS = 300
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
APPLY_PATCH = {"Content-Type": "application/apply-patch+yaml"}
FIELD_MANAGER = "minipdk"
_ERRORS = {404: NotFoundError, 409: ConflictError, 410: GoneError}

UNAVAILABLE = (ApiError, aiohttp.ClientError, TimeoutError, OSError)
"""Every way in which a request to the API server fails: refused, or without an answer."""

Result = TypeVar("Result")

log = logging.getLogger(__name__)


async def until_accepted(
    subject: str,
    request: Callable[[], Awaitable[Result]],
    *,
    final: tuple[type[ApiError], ...] = (NotFoundError, ConflictError),
) -> Result:
    """The result of ``request``, which is repeated until the API server accepts it; ``subject`` names it in the log.

    The pauses grow, but an API server that is back is noticed soon. Raises the ``final`` errors, because repeating the
    request would not change them.
    """
    clock = asyncio.get_running_loop().time
    pauses = BackOff(RETRY_SECONDS, LONGEST_RETRY_SECONDS, healthy_after=LONGEST_RETRY_SECONDS)
    while True:
        began = clock()
        try:
            return await request()
        except final:
            raise
        except UNAVAILABLE as error:
            log.info("%s: %s; trying again", subject, describe(error))
            longest = LONGEST_RETRY_SECONDS if isinstance(error, ApiError) else LONGEST_OUTAGE_SECONDS
        await asyncio.sleep(min(pauses.pause(clock() - began), longest))


def describe(error: Exception) -> str:
    """The error's message, or its class if it has none, such as a TimeoutError."""
    return str(error) or type(error).__name__


class Api:
    """A connection to the cluster's API server.

    Its methods raise one of UNAVAILABLE. The first call waits until the API server has written its CA ``certificate``, once
    in a cluster's life.
    """

    def __init__(self, session: aiohttp.ClientSession, certificate: Path) -> None:
        self._session, self._certificate = session, certificate
        self._tls: ssl.SSLContext | None = None

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        return await self._json("GET", resource.path(namespace, name))

    async def list(self, resource: Resource) -> Object:
        return await self._json("GET", resource.path())

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        return await self._json("POST", resource.path(namespace), json=body)

    async def replace_status(self, resource: Resource, body: Object) -> Object:
        metadata = body["metadata"]
        return await self._json("PUT", resource.path(metadata["namespace"], metadata["name"], "status"), json=body)

    async def patch(
        self, resource: Resource, namespace: str, name: str, body: Object, subresource: str | None = None
    ) -> Object:
        data = json.dumps(body)
        return await self._json("PATCH", resource.path(namespace, name, subresource), data=data, headers=MERGE_PATCH)

    async def apply(self, resource: Resource, body: Object, *, force: bool = False) -> Object:
        """Server-side apply.

        Raises ConflictError if another manager has set one of the fields differently, unless ``force`` takes it over.
        """
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"])
        query = {"fieldManager": FIELD_MANAGER} | ({"force": "true"} if force else {})
        return await self._json("PATCH", path, params=query, data=json.dumps(body), headers=APPLY_PATCH)

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str, *, grace: int | None = None) -> None:
        """Delete the object if it still has ``uid``. ``grace`` is a Pod's grace period in seconds, by default its own."""
        options: Object = {"preconditions": {"uid": uid}} | ({} if grace is None else {"gracePeriodSeconds": grace})
        await self._json("DELETE", resource.path(namespace, name), json=options)

    async def bind(self, namespace: str, name: str, uid: str, node: str) -> None:
        """Assign a Pod to ``node``."""
        binding = {"metadata": {"name": name, "uid": uid}, "target": {"kind": "Node", "name": node}}
        await self._json("POST", PODS.path(namespace, name, "binding"), json=binding)

    async def watch(self, resource: Resource, version: str) -> AsyncIterator[Object]:
        """Every change after the resource version ``version``, until the server ends the watch."""
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(WATCH_SECONDS)}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=WATCH_SECONDS + 30)
        tls = await self._context()
        async with self._session.get(resource.path(), params=query, timeout=timeout, ssl=tls) as response:
            await _raise_for(response)
            async for line in _lines(response.content):
                event: Object = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise _ERRORS.get(status.get("code"), ApiError)(status.get("code", 500), status.get("message", ""))
                yield event

    async def _json(self, method: str, path: str, **arguments: Any) -> Object:
        async with self._session.request(method, path, ssl=await self._context(), **arguments) as response:
            await _raise_for(response)
            answer: Object = await response.json(content_type=None)
            return answer

    async def _context(self) -> ssl.SSLContext:
        while self._tls is None:
            if self._certificate.exists():
                self._tls = ssl.create_default_context(cafile=str(self._certificate))
            else:
                await asyncio.sleep(RETRY_SECONDS)
        return self._tls


@asynccontextmanager
async def connect(home: Home) -> AsyncIterator[Api]:
    """A connection to the API server of ``home``, whether or not it answers yet."""
    async with aiohttp.ClientSession(
        home.url("kubernetes", "https"),
        headers={"Authorization": f"Bearer {home.token}"},
        timeout=aiohttp.ClientTimeout(total=30),
    ) as session:
        yield Api(session, home.ca_certificate)


async def _raise_for(response: aiohttp.ClientResponse) -> None:
    if response.status < 400:
        return
    text = await response.text()
    try:
        message = json.loads(text).get("message", text)
    except (ValueError, AttributeError):
        message = text
    raise _ERRORS.get(response.status, ApiError)(response.status, message)


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The stream's lines, however long (readline has a limit)."""
    rest = b""
    async for chunk in stream.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
