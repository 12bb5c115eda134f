"""All SQL of the API server: a table of objects, and a log of changes from which watches read and resume.

The resourceVersion is one counter for all kinds. Every write takes the next value, stores the object under it and adds a
row to the log, in one transaction; after the commit, waiting watches are woken. Watches read the log and never poll.
The log keeps the last REMEMBERED changes, fewer if they are large: a client that asks for older ones gets `ExpiredError` and
lists again.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from minipdk.services.kubernetes.errors import ExpiredError, TooLargeVersionError
from minipdk.services.kubernetes.model import Object, Resource
from minipdk.storage import Database, pair

REMEMBERED, PRUNE_EVERY = 5000, 500
REMEMBERED_BYTES, PRUNE_EVERY_BYTES = 8 << 20, 2 << 20

MIGRATIONS = (
    """
CREATE TABLE IF NOT EXISTS counter (
    id INTEGER PRIMARY KEY CHECK (id = 0), version INTEGER NOT NULL, pruned INTEGER NOT NULL
);
INSERT OR IGNORE INTO counter VALUES (0, 0, 0);
CREATE TABLE IF NOT EXISTS objects (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL UNIQUE, body TEXT NOT NULL,
    PRIMARY KEY (kind, namespace, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS objects_by_namespace ON objects (namespace);
CREATE TABLE IF NOT EXISTS owners (
    owner TEXT NOT NULL, dependent TEXT NOT NULL, PRIMARY KEY (owner, dependent)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS owners_by_dependent ON owners (dependent);
CREATE TABLE IF NOT EXISTS changes (
    version INTEGER PRIMARY KEY, kind TEXT NOT NULL, namespace TEXT NOT NULL, body TEXT, previous TEXT
);
""",
)
"""Step n leads from version n - 1 of the schema to version n; the first is that of minipdk 1.0.0. Never change a step."""


@dataclass(frozen=True)
class Change:
    """One write. ``previous`` is None when the object is new, ``current`` when it was deleted.

    ``last`` is the object that watchers get: when it was deleted, its last state with the version of its deletion.
    """

    version: int
    current: Object | None
    previous: Object | None

    @property
    def last(self) -> Object:
        if self.current is not None:
            return self.current
        assert self.previous is not None
        return {**self.previous, "metadata": {**self.previous["metadata"], "resourceVersion": str(self.version)}}


class ObjectStore:
    """All objects of a cluster. Thread-safe; every method outside `transaction` sees the last committed state."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, MIGRATIONS)
        self._listeners: set[Callable[[], None]] = set()
        self._lock = threading.Lock()
        self._unpruned = 0

    def pair(self, folder: Path) -> None:
        """Make sure that the folders below the namespaces' in ``folder`` belong to claims of this store. StorageError."""
        pair(self._database, folder, lambda: any(folder.glob("*/*")))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Writes within are committed together on leaving, or not at all; then watches are woken."""
        with self._database.transaction():
            yield
        self.wake()

    def wake(self) -> None:
        """Wake every watch, because there are changes or the server stops."""
        with self._lock:
            listeners = tuple(self._listeners)
        for wake in listeners:
            wake()

    @contextmanager
    def listening(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call ``wake`` after every commit, from the committing thread."""
        with self._lock:
            self._listeners.add(wake)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.discard(wake)

    @property
    def version(self) -> int:
        """The version of the last write."""
        row = self._database.connection().execute("SELECT version FROM counter").fetchone()
        return int(row["version"])

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        row = (
            self._database.connection()
            .execute(
                "SELECT body FROM objects WHERE kind = ? AND namespace = ? AND name = ?", (resource.key, namespace, name)
            )
            .fetchone()
        )
        return _load(row["body"]) if row else None

    def select(self, resource: Resource, namespace: str, at: int | None = None, name: str = "") -> tuple[list[Object], int]:
        """The kind's objects by namespace and name as they were at the version ``at``, and that version; None is now.

        "" is every namespace, and every name. Raises ExpiredError if the log no longer reaches back to the version, and
        TooLargeVersionError if the version is in the future.
        """
        with self._database.snapshot() as connection:
            counter = connection.execute("SELECT version, pruned FROM counter").fetchone()
            query, values = "SELECT body FROM objects WHERE kind = ?", [resource.key]
            if namespace:
                query, values = query + " AND namespace = ?", [*values, namespace]
            if name:
                query, values = query + " AND name = ?", [*values, name]
            rows = connection.execute(query + " ORDER BY namespace, name", values).fetchall()
            version = int(counter["version"])
            items = [_load(row["body"]) for row in rows]
            if at is None or at == version:
                return items, version
            if at > version:
                raise TooLargeVersionError(at, version)
            later = self._changes(connection, counter, resource, namespace, at)
        return _undone(items, [change for change in later if name in ("", change.last["metadata"]["name"])]), at

    def in_namespace(self, namespace: str) -> list[tuple[str, Object]]:
        """All objects in a namespace, each with its kind's key."""
        rows = self._database.connection().execute("SELECT kind, body FROM objects WHERE namespace = ?", (namespace,))
        return [(row["kind"], _load(row["body"])) for row in rows]

    def dependents(self, owner: str) -> list[tuple[str, Object]]:
        """The objects whose ownerReferences name the uid ``owner``, each with its kind's key."""
        rows = self._database.connection().execute(
            "SELECT kind, body FROM owners JOIN objects ON uid = dependent WHERE owner = ?", (owner,)
        )
        return [(row["kind"], _load(row["body"])) for row in rows]

    def by_uid(self, uid: str) -> tuple[str, Object] | None:
        row = self._database.connection().execute("SELECT kind, body FROM objects WHERE uid = ?", (uid,)).fetchone()
        return (row["kind"], _load(row["body"])) if row else None

    def put(self, resource: Resource, new: Object, previous: Object | None) -> Object:
        """Store ``new`` over ``previous`` (None for a new object) and return it with its new resourceVersion."""
        version = self._next_version()
        stored = {**new, "metadata": {**new["metadata"], "resourceVersion": str(version)}}
        metadata = stored["metadata"]
        body, namespace = json.dumps(stored, separators=(",", ":")), metadata.get("namespace", "")
        connection = self._database.connection()
        connection.execute(
            "INSERT INTO objects VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (kind, namespace, name) DO UPDATE SET uid = excluded.uid, body = excluded.body",
            (resource.key, namespace, metadata["name"], metadata["uid"], body),
        )
        connection.execute("DELETE FROM owners WHERE dependent = ?", (metadata["uid"],))
        connection.executemany(
            "INSERT OR IGNORE INTO owners VALUES (?, ?)",
            [(owner["uid"], metadata["uid"]) for owner in metadata.get("ownerReferences") or ()],
        )
        self._log(version, resource, namespace, body, previous)
        return stored

    def remove(self, resource: Resource, old: Object) -> None:
        metadata = old["metadata"]
        connection = self._database.connection()
        connection.execute("DELETE FROM objects WHERE uid = ?", (metadata["uid"],))
        connection.execute("DELETE FROM owners WHERE dependent = ?", (metadata["uid"],))
        self._log(self._next_version(), resource, metadata.get("namespace", ""), None, old)

    def changes(self, resource: Resource, namespace: str, since: int) -> tuple[list[Change], int]:
        """The changes to the kind after the version ``since``, oldest first, and the last version that was read.

        Raises ExpiredError if the log no longer reaches back to ``since``, or ``since`` is a version of another cluster.
        """
        with self._database.snapshot() as connection:
            counter = connection.execute("SELECT version, pruned FROM counter").fetchone()
            if since > counter["version"]:
                raise ExpiredError(f"too large resource version: {since}, current: {counter['version']}")
            return self._changes(connection, counter, resource, namespace, since), int(counter["version"])

    @staticmethod
    def _changes(
        connection: sqlite3.Connection, counter: sqlite3.Row, resource: Resource, namespace: str, since: int
    ) -> list[Change]:
        if since < counter["pruned"]:
            raise ExpiredError(f"too old resource version: {since} ({counter['pruned']})")
        query, values = "SELECT * FROM changes WHERE version > ? AND kind = ?", [since, resource.key]
        if namespace:
            query, values = query + " AND namespace = ?", [*values, namespace]
        return [
            Change(
                row["version"],
                _load(row["body"]) if row["body"] else None,
                _load(row["previous"]) if row["previous"] else None,
            )
            for row in connection.execute(query + " ORDER BY version", values)
        ]

    def _next_version(self) -> int:
        connection = self._database.connection()
        row = connection.execute("UPDATE counter SET version = version + 1 RETURNING version").fetchone()
        return int(row["version"])

    def _log(self, version: int, resource: Resource, namespace: str, body: str | None, previous: Object | None) -> None:
        connection = self._database.connection()
        before = json.dumps(previous, separators=(",", ":")) if previous is not None else None
        connection.execute("INSERT INTO changes VALUES (?, ?, ?, ?, ?)", (version, resource.key, namespace, body, before))
        self._unpruned += len(body or "") + len(before or "")
        if version % PRUNE_EVERY == 0 or self._unpruned > PRUNE_EVERY_BYTES:
            self._prune(version - REMEMBERED)

    def _prune(self, oldest: int) -> None:
        """Forget the changes up to the version ``oldest``, and those before the last REMEMBERED_BYTES."""
        connection = self._database.connection()
        row = connection.execute(
            "SELECT max(version) AS version FROM (SELECT version, sum(length(ifnull(body, '') || ifnull(previous, ''))) "
            "OVER (ORDER BY version DESC) AS size FROM changes WHERE version > ?) WHERE size > ?",
            (oldest, REMEMBERED_BYTES),
        ).fetchone()
        oldest = max(oldest, row["version"] or 0)
        connection.execute("DELETE FROM changes WHERE version <= ?", (oldest,))
        connection.execute("UPDATE counter SET pruned = max(pruned, ?)", (oldest,))
        self._unpruned = 0


def place(item: Object) -> tuple[str, str]:
    """An object's namespace and name, by which lists are ordered."""
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _undone(items: list[Object], later: list[Change]) -> list[Object]:
    """``items`` as they were before the changes ``later``."""
    known = {place(item): item for item in items}
    for change in reversed(later):
        if change.previous is None:
            del known[place(change.last)]
        else:
            known[place(change.previous)] = change.previous
    return [known[at] for at in sorted(known)]


def _load(body: str) -> Object:
    loaded: Object = json.loads(body)
    return loaded
