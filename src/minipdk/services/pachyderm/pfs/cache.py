"""The cache that clients keep their own values in; the file sets that a value stands for live as long as it does."""

from __future__ import annotations

from collections.abc import Iterable

from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import records
from minipdk.services.pachyderm.pfs.transactions import State

_MOST = 10_000


class Cache:
    def __init__(self, state: State) -> None:
        self._state = state

    def put(self, key: str, value: bytes, filesets: Iterable[str], tag: str) -> None:
        """Keep a value, unless its key has one. Beyond 10,000 of them, the one least lately asked for goes."""
        with self._state.transactions.begin() as txn:
            connection = self._state.connection
            if connection.execute("SELECT 1 FROM cache WHERE key = ?", (key,)).fetchone():
                return
            connection.execute("INSERT INTO cache VALUES (?, ?, ?, ?)", (key, value, tag, txn.now))
            for fileset in set(filesets):
                records.fileset_layer(connection, fileset)
                connection.execute("INSERT INTO cached_filesets VALUES (?, ?)", (key, fileset))
            connection.execute(
                "DELETE FROM cache WHERE key IN (SELECT key FROM cache ORDER BY accessed DESC LIMIT -1 OFFSET ?)", (_MOST,)
            )

    def get(self, key: str) -> bytes:
        """Raises PachydermError when there is no such key."""
        with self._state.transactions.begin() as txn:
            row = self._state.connection.execute(
                "UPDATE cache SET accessed = ? WHERE key = ? RETURNING value", (txn.now, key)
            ).fetchone()
        if row is None:
            raise PachydermError(f"the cache has nothing under the key {key}")
        return bytes(row["value"])

    def clear(self, tag_prefix: str) -> None:
        """Forget the values whose tags begin with ``tag_prefix``."""
        with self._state.transactions.begin():
            self._state.connection.execute("DELETE FROM cache WHERE substr(tag, 1, length(?1)) = ?1", (tag_prefix,))
