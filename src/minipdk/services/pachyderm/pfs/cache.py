"""The cache in which clients keep values; the file sets that a value names live as long as the value."""

from __future__ import annotations

from collections.abc import Iterable

from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import store
from minipdk.services.pachyderm.pfs.transactions import State

_MOST = 10_000


class Cache:
    def __init__(self, state: State) -> None:
        self._state = state

    def put(self, key: str, value: bytes, filesets: Iterable[str], tag: str) -> None:
        """Keep a value, unless its key has one. Of more than 10,000 values, the least recently accessed is dropped."""
        with self._state.transactions.begin() as txn:
            connection = self._state.connection
            if store.cache.has(connection, key):
                return
            store.cache.insert(connection, key, value, tag, txn.now)
            for fileset in set(filesets):
                store.filesets.layer(connection, fileset)
                store.cache.add_fileset(connection, key, fileset)
            store.cache.trim(connection, _MOST)

    def get(self, key: str) -> bytes:
        """Raises PachydermError when there is no such key."""
        with self._state.transactions.begin() as txn:
            value = store.cache.access(self._state.connection, key, txn.now)
        if value is None:
            raise PachydermError(f"the cache has nothing under the key {key}")
        return value

    def clear(self, tag_prefix: str) -> None:
        """Forget the values whose tags begin with ``tag_prefix``."""
        with self._state.transactions.begin():
            store.cache.delete(self._state.connection, tag_prefix)
