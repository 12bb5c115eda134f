"""The Kubernetes API as a controller uses it: requests with the cluster's token, and informers that follow changes."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from minipdk.common.home import Home
from minipdk.controller.errors import ApiError, ConflictError, GoneError, NotFoundError

Object = dict[str, Any]
"""An API object: apiVersion, kind, metadata, spec, status."""

Key = tuple[str, str]
"""An object's namespace, empty for what has none, and name."""

RETRY_SECONDS = 0.5
WATCH_SECONDS = 300
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
APPLY_PATCH = {"Content-Type": "application/apply-patch+yaml"}
FIELD_MANAGER = "minipdk"
_ERRORS = {404: NotFoundError, 409: ConflictError, 410: GoneError}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Resource:
    """One kind's collection, such as /api/v1 pods."""

    prefix: str
    plural: str

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        parts = [self.prefix, *(["namespaces", namespace] if namespace else []), self.plural, name, subresource]
        return "/".join(part for part in parts if part)


INFERENCE_SERVICES = Resource("/apis/serving.kserve.io/v1beta1", "inferenceservices")
NODES = Resource("/api/v1", "nodes")
LEASES = Resource("/apis/coordination.k8s.io/v1", "leases")
PODS = Resource("/api/v1", "pods")
EVENTS = Resource("/api/v1", "events")
PERSISTENT_VOLUME_CLAIMS = Resource("/api/v1", "persistentvolumeclaims")
SECRETS = Resource("/api/v1", "secrets")
CONFIG_MAPS = Resource("/api/v1", "configmaps")
SERVICE_ACCOUNTS = Resource("/api/v1", "serviceaccounts")
REVISIONS = Resource("/apis/serving.knative.dev/v1", "revisions")
SERVING_RUNTIMES = Resource("/apis/serving.kserve.io/v1alpha1", "servingruntimes")
CLUSTER_SERVING_RUNTIMES = Resource("/apis/serving.kserve.io/v1alpha1", "clusterservingruntimes")


class Api:
    """A connection to the cluster's API server. Its methods raise ApiError, or aiohttp's errors while there is no server."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

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

        Raises ConflictError where somebody else has set one of the fields to something else, unless ``force`` takes it over.
        """
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"])
        query = {"fieldManager": FIELD_MANAGER} | ({"force": "true"} if force else {})
        return await self._json("PATCH", path, params=query, data=json.dumps(body), headers=APPLY_PATCH)

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str, *, grace: int | None = None) -> None:
        """Delete the object if it is still the one with ``uid``. ``grace``: how many seconds a Pod has, None for its own."""
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
        async with self._session.get(resource.path(), params=query, timeout=timeout) as response:
            await _raise_for(response)
            async for line in _lines(response.content):
                event: Object = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise _ERRORS.get(status.get("code"), ApiError)(status.get("code", 500), status.get("message", ""))
                yield event

    async def _json(self, method: str, path: str, **arguments: Any) -> Object:
        async with self._session.request(method, path, **arguments) as response:
            await _raise_for(response)
            answer: Object = await response.json(content_type=None)
            return answer


@asynccontextmanager
async def connect(home: Home) -> AsyncIterator[Api]:
    """A connection to the API server of ``home``, whether it answers yet or not."""
    while not home.ca_certificate.exists():  # another process writes it, once in a cluster's life
        await asyncio.sleep(RETRY_SECONDS)
    context = ssl.create_default_context(cafile=str(home.ca_certificate))
    async with aiohttp.ClientSession(
        home.url("kubernetes", "https"),
        connector=aiohttp.TCPConnector(ssl=context),
        headers={"Authorization": f"Bearer {home.token}"},
        timeout=aiohttp.ClientTimeout(total=30),
    ) as session:
        yield Api(session)


class Informer:
    """A local copy of one kind's objects. ``on_change`` is told each object that was added, changed or removed."""

    def __init__(self, api: Api, resource: Resource, on_change: Callable[[Object], None]) -> None:
        self._api, self._resource, self._on_change = api, resource, on_change
        self._objects: dict[Key, Object] = {}
        self.synced = asyncio.Event()

    def get(self, key: Key) -> Object | None:
        return self._objects.get(key)

    def all(self) -> list[Object]:
        return list(self._objects.values())

    async def run(self) -> None:
        """Keep the copy current until cancelled; while there is no server it stays as it is."""
        while True:
            try:
                listed = await self._api.list(self._resource)
                self._replace(listed["items"])
                self.synced.set()
                version = listed["metadata"]["resourceVersion"]
                while True:
                    async for event in self._api.watch(self._resource, version):
                        version = event["object"]["metadata"]["resourceVersion"]
                        self._apply(event["type"], event["object"])
            except GoneError:
                continue
            except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
                log.info("%s: %s; listing again", self._resource.plural, error or type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    def remember(self, changed: Object) -> None:
        """Take over an object that this process has just written, before the watch tells of it."""
        self._apply("MODIFIED", changed, tell=False)

    def forget(self, removed: Object) -> None:
        self._apply("DELETED", removed, tell=False)

    def _replace(self, items: list[Object]) -> None:
        gone = {key: old for key, old in self._objects.items() if key not in {key_of(item) for item in items}}
        for old in gone.values():
            self._apply("DELETED", old)
        for item in items:
            self._apply("MODIFIED", item)

    def _apply(self, kind: str, changed: Object, *, tell: bool = True) -> None:
        if kind == "BOOKMARK":
            return
        key = key_of(changed)
        known = self._objects.get(key)
        if kind == "DELETED":
            if known and known["metadata"]["uid"] == changed["metadata"]["uid"]:
                del self._objects[key]
        elif known and version_of(known) > version_of(changed):
            return
        else:
            self._objects[key] = changed
        if tell:
            self._on_change(changed)


def key_of(thing: Object) -> Key:
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def version_of(thing: Object) -> int:
    """The resource version as a number; this API server counts all its writes."""
    return int(thing["metadata"]["resourceVersion"])


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
