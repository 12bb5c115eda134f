"""Trees of files as stacks of layers: look up, list and walk them, change one, and keep the stack low.

A stack is a tuple of layer ids, the lowest first; ids grow upwards, because a layer is always made on top of others. A small
commit on a large parent adds one small layer. As in a log-structured merge tree, a layer half as large as the one below it
or more is merged with it, so a stack of n changes is log n high and each row is copied log n times.

A directory's row holds how many entries it has, the sum of their sizes and the sum, modulo 2^256, of the hashes of their
names and hashes: a sum can be kept up to date from what has changed, without reading the rest.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import content, paths
from minipdk.services.pachyderm.pfs.content import Part, Parts

Stack = tuple[int, ...]
_PAGE = 2000
_MODULUS = 1 << 256
_UNUSED = (
    "SELECT id FROM layers WHERE NOT EXISTS (SELECT 1 FROM commit_layers WHERE layer = layers.id)"
    " AND NOT EXISTS (SELECT 1 FROM commits WHERE own_layer = layers.id)"
    " AND NOT EXISTS (SELECT 1 FROM filesets WHERE layer = layers.id)"
)
_SELECT = "SELECT layer, parent, name, size, hash, parts, children FROM entries "


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or directory in a tree. ``size`` is in bytes; ``children`` counts a directory's entries."""

    parent: str
    name: str
    size: int
    hash: bytes
    packed: bytes | None = None
    children: int = 0

    @property
    def path(self) -> str:
        return self.parent + self.name

    @property
    def is_dir(self) -> bool:
        return self.name.endswith("/")

    @property
    def parts(self) -> Parts:
        """Where the file's bytes are."""
        if self.packed is not None:
            return content.unpack(self.packed)
        return (Part(self.hash, self.size),) if self.size else ()


@dataclass(slots=True)
class _Sum:
    """What has changed in a directory."""

    size: int = 0
    children: int = 0
    hash: int = 0

    def count(self, entry: Entry | None, sign: int) -> None:
        if entry is not None:
            self.size += sign * entry.size
            self.children += sign
            self.hash += sign * int.from_bytes(hashlib.sha256(entry.name.encode() + b"\0" + entry.hash).digest())


def file_entry(path: str, parts: Parts) -> Entry:
    """The entry of a file at a clean path with this content."""
    parent, name = paths.split(path)
    packed = content.pack(parts) if len(parts) > 1 else None
    return Entry(parent, name, sum(part.size for part in parts), content.file_hash(parts), packed)


def new_layer(connection: sqlite3.Connection) -> int:
    return connection.execute("INSERT INTO layers DEFAULT VALUES").lastrowid or 0


def lookup(connection: sqlite3.Connection, stack: Stack, path: str) -> Entry | None:
    """The entry at a clean path (a directory's ends in "/"), or None."""
    parent, name = paths.split(path)
    for layer in reversed(stack):
        row = connection.execute(_SELECT + "WHERE layer = ? AND parent = ? AND name = ?", (layer, parent, name)).fetchone()
        if row is not None:
            return _entry(row) if row["size"] is not None else None
    return None


def children(
    connection: sqlite3.Connection, stack: Stack, directory: str, start: str = "", *, reverse: bool = False
) -> Iterator[Entry]:
    """The entries of a directory in bytewise order, from the name ``start`` on (inclusive; backwards if ``reverse``)."""
    seen = None
    pages = [_rows(connection, layer, directory, start, reverse) for layer in stack]
    rows = heapq.merge(*pages, key=lambda row: (row["name"], row["layer"] if reverse else -row["layer"]), reverse=reverse)
    for row in rows if len(pages) > 1 else pages[0] if pages else ():
        if row["name"] != seen:
            seen = row["name"]
            if row["size"] is not None:
                yield _entry(row)


def walk(connection: sqlite3.Connection, stack: Stack, directory: str, after: str = "") -> Iterator[Entry]:
    """The directory and everything below it in bytewise order of paths, those beyond ``after`` only."""
    if directory > after and (own := lookup(connection, stack, directory)):
        yield own
    start = after[len(directory) :] if after.startswith(directory) else ""
    head, slash, _ = start.partition("/")
    for entry in children(connection, stack, directory, head + slash):
        if entry.is_dir and (entry.path > after or after.startswith(entry.path)):
            yield from walk(connection, stack, entry.path, after)
        elif entry.path > after:
            yield entry


def walk_back(connection: sqlite3.Connection, stack: Stack, directory: str, before: str = "") -> Iterator[Entry]:
    """The same in reverse, those ahead of ``before`` only, if it is given."""
    start = before[len(directory) :] if before.startswith(directory) else ""
    head, slash, _ = start.partition("/")
    for entry in children(connection, stack, directory, head + slash, reverse=True):
        if before and entry.path >= before:
            continue
        if entry.is_dir:
            yield from walk_back(connection, stack, entry.path, before)
        else:
            yield entry
    if own := lookup(connection, stack, directory):
        yield own


def change(connection: sqlite3.Connection, stack: Stack, changes: Mapping[str, Parts | None]) -> None:
    """Write files (their parts) and removals (None) by clean path into the top layer of ``stack``."""
    own = stack[-1]
    below = stack[:-1]
    fresh = not below and not _is_used(connection, own)
    sums: dict[str, _Sum] = {}
    rows = []
    for path in sorted(changes):
        parts = changes[path]
        new = file_entry(path, parts) if parts is not None else None
        old = None if fresh else lookup(connection, stack, path)
        if new != old:
            rows.append(_row(own, *paths.split(path), new))
            total = sums.setdefault(paths.split(path)[0], _Sum())
            total.count(old, -1)
            total.count(new, +1)
    _write(connection, rows)
    _sum_up(connection, stack, sums)


def unite(connection: sqlite3.Connection, own: int, layers: Iterable[int]) -> None:
    """Fill the empty layer ``own`` with the files of all ``layers``. Raises PachydermError when two hold one path."""
    chosen = sorted(layers)
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS united (layer INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM united")
    connection.executemany("INSERT OR IGNORE INTO united VALUES (?)", ((layer,) for layer in chosen))
    try:
        connection.execute(
            "INSERT INTO entries SELECT ?, parent, name, size, hash, parts, children FROM united JOIN entries USING (layer)"
            " WHERE children IS NULL",
            (own,),
        )
    except sqlite3.IntegrityError:
        twice = connection.execute(
            "SELECT parent || name AS path FROM united JOIN entries USING (layer) WHERE children IS NULL"
            " GROUP BY parent, name HAVING count(*) > 1"
        ).fetchone()
        raise _twice(twice["path"]) from None
    sums: dict[str, _Sum] = {}
    for entry in _files(connection, own):
        sums.setdefault(entry.parent, _Sum()).count(entry, +1)
    _sum_up(connection, (own,), sums)


def exchange(connection: sqlite3.Connection, stack: Stack, removed: Iterable[int], added: Iterable[int]) -> None:
    """Let the empty top layer take away the files of some file sets' layers and add those of others.

    Raises PachydermError when an added file is there already.
    """
    changes: dict[str, Parts | None] = {}
    for layer in removed:
        changes |= dict.fromkeys((entry.path for entry in _files(connection, layer)), None)
    for layer in added:
        for entry in _files(connection, layer):
            if changes[entry.path] is not None if entry.path in changes else lookup(connection, stack, entry.path):
                raise _twice(entry.path)
            changes[entry.path] = entry.parts
    change(connection, stack, changes)


def collision(connection: sqlite3.Connection, stack: Stack) -> str | None:
    """A path that the top layer made both a file and a directory, or None."""
    everywhere = json.dumps(stack)
    for query in (
        "SELECT f.parent || f.name AS path FROM entries f JOIN entries d ON d.parent = f.parent AND d.name = f.name || '/'"
        " WHERE f.layer = ? AND d.layer IN (SELECT value FROM json_each(?)) AND f.size IS NOT NULL AND d.size IS NOT NULL",
        "SELECT f.parent || f.name AS path FROM entries d JOIN entries f ON f.parent = d.parent"
        " AND f.name = substr(d.name, 1, length(d.name) - 1)"
        " WHERE d.layer = ? AND f.layer IN (SELECT value FROM json_each(?)) AND d.name LIKE '%/'"
        " AND f.size IS NOT NULL AND d.size IS NOT NULL",
    ):
        for row in connection.execute(query, (stack[-1], everywhere)).fetchall():
            path = row["path"]
            if path and lookup(connection, stack, path) and lookup(connection, stack, path + "/"):
                return str(path)
    return None


def compact(connection: sqlite3.Connection, stack: Stack) -> Stack:
    """Merge the lower layers into the top one, which no other stack has yet, as far as their sizes say. The new stack."""
    own, below = stack[-1], list(stack[:-1])
    size = int(connection.execute("SELECT count(*) FROM entries WHERE layer = ?", (own,)).fetchone()[0])
    while below:
        next_size = connection.execute("SELECT entries FROM layers WHERE id = ?", (below[-1],)).fetchone()["entries"]
        if size * 2 < next_size:
            break
        connection.execute(
            "INSERT OR IGNORE INTO entries SELECT ?, parent, name, size, hash, parts, children FROM entries WHERE layer = ?",
            (own, below.pop()),
        )
        size = int(connection.execute("SELECT count(*) FROM entries WHERE layer = ?", (own,)).fetchone()[0])
    if not below:
        connection.execute("DELETE FROM entries WHERE layer = ? AND size IS NULL", (own,))
    connection.execute("UPDATE layers SET entries = ? WHERE id = ?", (size, own))
    return (*below, own)


def drop_unused(connection: sqlite3.Connection, layers: Iterable[int]) -> None:
    """Delete those of ``layers`` that no commit and no file set has any more."""
    for layer in layers:
        if connection.execute(_UNUSED + " AND layers.id = ?", (layer,)).fetchone():
            connection.execute("DELETE FROM entries WHERE layer = ?", (layer,))
            connection.execute("DELETE FROM layers WHERE id = ?", (layer,))


def unused(connection: sqlite3.Connection) -> list[int]:
    """The layers that no commit and no file set has: there should be none."""
    return [row["id"] for row in connection.execute(_UNUSED).fetchall()]


def wrong_directories(connection: sqlite3.Connection, stack: Stack, directory: str = "/") -> Iterator[str]:
    """The directories that are not the sum of their entries: there should be none."""
    total = _Sum()
    for entry in children(connection, stack, directory):
        total.count(entry, +1)
        if entry.is_dir:
            yield from wrong_directories(connection, stack, entry.path)
    if lookup(connection, stack, directory) != _added(None, *paths.split(directory), total):
        yield directory


def _is_used(connection: sqlite3.Connection, layer: int) -> bool:
    return connection.execute("SELECT 1 FROM entries WHERE layer = ? LIMIT 1", (layer,)).fetchone() is not None


def _sum_up(connection: sqlite3.Connection, stack: Stack, sums: dict[str, _Sum]) -> None:
    """Bring the directories whose entries have changed up to date, and those above them."""
    depths: dict[int, dict[str, _Sum]] = {}
    for directory, total in sums.items():
        depths.setdefault(directory.count("/"), {})[directory] = total
    for depth in range(max(depths, default=0), 0, -1):
        rows = []
        for directory, total in depths.get(depth, {}).items():
            parent, name = paths.split(directory)
            old = lookup(connection, stack, directory)
            new = _added(old, parent, name, total)
            rows.append(_row(stack[-1], parent, name, new))
            if parent:
                above = depths.setdefault(depth - 1, {}).setdefault(parent, _Sum())
                above.count(old, -1)
                above.count(new, +1)
        _write(connection, rows)


def _added(old: Entry | None, parent: str, name: str, total: _Sum) -> Entry | None:
    size, count, digest = (old.size, old.children, int.from_bytes(old.hash)) if old else (0, 0, 0)
    if count + total.children == 0:
        return None
    digest = (digest + total.hash) % _MODULUS
    return Entry(parent, name, size + total.size, digest.to_bytes(32), None, count + total.children)


def _row(layer: int, parent: str, name: str, entry: Entry | None) -> tuple[object, ...]:
    if entry is None:
        return (layer, parent, name, None, None, None, None)
    return (layer, parent, name, entry.size, entry.hash, entry.packed, entry.children if entry.is_dir else None)


def _write(connection: sqlite3.Connection, rows: list[tuple[object, ...]]) -> None:
    connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _rows(connection: sqlite3.Connection, layer: int, directory: str, start: str, reverse: bool) -> Iterator[sqlite3.Row]:
    """One layer's rows of a directory, fetched by the page so that no statement stays open between them."""
    compare, order = ("<=", "DESC") if reverse else (">=", "ASC")
    if reverse and not start:
        start = "\x7f"  # beyond every printable name
    while True:
        page = connection.execute(
            _SELECT + f"WHERE layer = ? AND parent = ? AND name {compare} ? ORDER BY name {order} LIMIT {_PAGE}",
            (layer, directory, start),
        ).fetchall()
        yield from page
        if len(page) < _PAGE:
            return
        compare, start = compare[0], page[-1]["name"]


def _files(connection: sqlite3.Connection, layer: int) -> list[Entry]:
    """The files in one layer that has no removals, as a file set's."""
    return [_entry(row) for row in connection.execute(_SELECT + "WHERE layer = ? AND children IS NULL", (layer,)).fetchall()]


def _twice(path: str) -> PachydermError:
    return PachydermError(f"duplicate path output by different datums ({path})")


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(row["parent"], row["name"], row["size"], row["hash"], row["parts"], row["children"] or 0)
