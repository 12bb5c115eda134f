"""Informers: local copies of the API's objects that follow their changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from minipdk.controller.api import Api, until_accepted
from minipdk.controller.errors import GoneError
from minipdk.controller.objects import Key, Object, Resource, key_of, version_of


class Informer:
    """A local copy of one kind's objects. ``on_change`` is called with each object that was added, changed or removed."""

    def __init__(self, api: Api, resource: Resource, on_change: Callable[[Object], None]) -> None:
        self._api, self._resource, self._on_change = api, resource, on_change
        self._objects: dict[Key, Object] = {}
        self.synced = asyncio.Event()

    def get(self, key: Key) -> Object | None:
        return self._objects.get(key)

    def all(self) -> list[Object]:
        return list(self._objects.values())

    async def run(self) -> None:
        """Keep the copy current until cancelled; while the API server is down it stays as it is."""
        while True:
            with contextlib.suppress(GoneError):
                await until_accepted(self._resource.plural, self._follow, final=(GoneError,))

    async def _follow(self) -> None:
        """List the objects, then watch them. Raises GoneError when they must be listed again."""
        listed = await self._api.list(self._resource)
        self._replace(listed["items"])
        self.synced.set()
        version = listed["metadata"]["resourceVersion"]
        while True:
            async for event in self._api.watch(self._resource, version):
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._take(event["object"], deleted=event["type"] == "DELETED")

    def remember(self, changed: Object) -> None:
        """Store an object that this process has just written, before the watch reports it."""
        self._store(changed)

    def _replace(self, items: list[Object]) -> None:
        keys = {key_of(item) for item in items}
        for old in [known for key, known in self._objects.items() if key not in keys]:
            self._take(old, deleted=True)
        for item in items:
            self._take(item)

    def _take(self, changed: Object, *, deleted: bool = False) -> None:
        """Bring the copy up to date with ``changed`` and report it, unless the copy is newer."""
        if deleted:
            known = self._objects.get(key_of(changed))
            if known and known["metadata"]["uid"] == changed["metadata"]["uid"]:
                del self._objects[key_of(changed)]
        elif not self._store(changed):
            return
        self._on_change(changed)

    def _store(self, changed: Object) -> bool:
        """Keep ``changed`` as the current object; False if a newer one is known."""
        known = self._objects.get(key_of(changed))
        if known and version_of(known) > version_of(changed):
            return False
        self._objects[key_of(changed)] = changed
        return True
