"""Rows of layers, of the files and directories in them (entries), and the stacks of layers that are the trees of commits.

A layer has a row for each path that differs from the layers below it. A row without a size is a removal.
"""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping

from minipdk.services.pachyderm.pfs import paths
from minipdk.services.pachyderm.pfs.model import Entry, Stack

_PAGE = 2000
_BEYOND_ALL_NAMES = "\x7f"  # names are printable ASCII
_SELECT = "SELECT layer, parent, name, size, hash, parts, children FROM entries "
_UNUSED = (
    "SELECT id FROM layers WHERE NOT EXISTS (SELECT 1 FROM commit_layers WHERE layer = layers.id)"
    " AND NOT EXISTS (SELECT 1 FROM commits WHERE own_layer = layers.id)"
    " AND NOT EXISTS (SELECT 1 FROM filesets WHERE layer = layers.id)"
)
_COLLISIONS = (
    "SELECT f.parent || f.name AS path FROM entries f JOIN entries d ON d.parent = f.parent AND d.name = f.name || '/'"
    " WHERE f.layer = ? AND d.layer IN (SELECT value FROM json_each(?)) AND f.size IS NOT NULL AND d.size IS NOT NULL",
    "SELECT f.parent || f.name AS path FROM entries d JOIN entries f ON f.parent = d.parent"
    " AND f.name = substr(d.name, 1, length(d.name) - 1)"
    " WHERE d.layer = ? AND f.layer IN (SELECT value FROM json_each(?)) AND d.name LIKE '%/'"
    " AND f.size IS NOT NULL AND d.size IS NOT NULL",
)


# Stacks of commits


def stack(connection: sqlite3.Connection, commit_id: int) -> Stack:
    """The layers of a commit with a tree; none for an open one that nothing was written to."""
    query = "SELECT layer FROM commit_layers WHERE commit_id = ? ORDER BY position"
    return tuple(row["layer"] for row in connection.execute(query, (commit_id,)).fetchall())


def set_stack(connection: sqlite3.Connection, commit_id: int, layers: Stack) -> None:
    connection.execute("DELETE FROM commit_layers WHERE commit_id = ?", (commit_id,))
    connection.executemany(
        "INSERT INTO commit_layers VALUES (?, ?, ?)", ((commit_id, position, layer) for position, layer in enumerate(layers))
    )


# Layers


def create(connection: sqlite3.Connection) -> int:
    """An empty layer: its id, higher than all others."""
    return connection.execute("INSERT INTO layers DEFAULT VALUES").lastrowid or 0


def is_empty(connection: sqlite3.Connection, layer: int) -> bool:
    return connection.execute("SELECT 1 FROM entries WHERE layer = ? LIMIT 1", (layer,)).fetchone() is None


def count(connection: sqlite3.Connection, layer: int) -> int:
    """The number of rows in a layer."""
    return int(connection.execute("SELECT count(*) FROM entries WHERE layer = ?", (layer,)).fetchone()[0])


def noted_count(connection: sqlite3.Connection, layer: int) -> int:
    """The number of rows as `note_count` left it."""
    return int(connection.execute("SELECT entries FROM layers WHERE id = ?", (layer,)).fetchone()["entries"])


def note_count(connection: sqlite3.Connection, layer: int, rows: int) -> None:
    connection.execute("UPDATE layers SET entries = ? WHERE id = ?", (rows, layer))


def merge(connection: sqlite3.Connection, layer: int, lower: int) -> None:
    """Copy the rows of ``lower`` into ``layer`` that this does not hide."""
    connection.execute(
        "INSERT OR IGNORE INTO entries SELECT ?, parent, name, size, hash, parts, children FROM entries WHERE layer = ?",
        (layer, lower),
    )


def delete_removals(connection: sqlite3.Connection, layer: int) -> None:
    connection.execute("DELETE FROM entries WHERE layer = ? AND size IS NULL", (layer,))


def delete_unused(connection: sqlite3.Connection, layers: Iterable[int]) -> None:
    """Delete the layers that no commit and no file set refers to."""
    for layer in layers:
        if connection.execute(_UNUSED + " AND layers.id = ?", (layer,)).fetchone():
            connection.execute("DELETE FROM entries WHERE layer = ?", (layer,))
            connection.execute("DELETE FROM layers WHERE id = ?", (layer,))


def unused(connection: sqlite3.Connection) -> list[int]:
    """The layers that no commit and no file set refers to: there should be none."""
    return [row["id"] for row in connection.execute(_UNUSED).fetchall()]


# Entries


def lookup(connection: sqlite3.Connection, layers: Stack, path: str) -> Entry | None:
    """The entry at a clean path (a directory's ends in "/") of a stack, or None."""
    parent, name = paths.split(path)
    for layer in reversed(layers):
        row = connection.execute(_SELECT + "WHERE layer = ? AND parent = ? AND name = ?", (layer, parent, name)).fetchone()
        if row is not None:
            return _entry(row) if row["size"] is not None else None
    return None


def children(
    connection: sqlite3.Connection, layers: Stack, directory: str, start: str = "", *, reverse: bool = False
) -> Iterator[Entry]:
    """A directory's entries in bytewise order, from the name ``start`` on (inclusive); backwards if ``reverse``."""
    seen = None
    pages = [_rows(connection, layer, directory, start, reverse) for layer in layers]
    rows = heapq.merge(*pages, key=lambda row: (row["name"], row["layer"] if reverse else -row["layer"]), reverse=reverse)
    for row in rows if len(pages) > 1 else pages[0] if pages else ():
        if row["name"] != seen:
            seen = row["name"]
            if row["size"] is not None:
                yield _entry(row)


def files(connection: sqlite3.Connection, layer: int) -> list[Entry]:
    """The files in one layer without removals, such as a file set's."""
    return [_entry(row) for row in connection.execute(_SELECT + "WHERE layer = ? AND children IS NULL", (layer,)).fetchall()]


def put(connection: sqlite3.Connection, layer: int, entries: Mapping[str, Entry | None]) -> None:
    """Write entries by their paths into a layer; None is a removal."""
    connection.executemany(
        "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)",
        (_row(layer, path, entry) for path, entry in entries.items()),
    )


def copy_files(connection: sqlite3.Connection, layer: int, sources: Iterable[int]) -> str | None:
    """Copy the files of all ``sources`` into the empty ``layer``. None, or a path that two of them have."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS united (layer INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM united")
    connection.executemany("INSERT OR IGNORE INTO united VALUES (?)", ((source,) for source in sources))
    try:
        connection.execute(
            "INSERT INTO entries SELECT ?, parent, name, size, hash, parts, children FROM united JOIN entries USING (layer)"
            " WHERE children IS NULL",
            (layer,),
        )
    except sqlite3.IntegrityError:
        row = connection.execute(
            "SELECT parent || name AS path FROM united JOIN entries USING (layer) WHERE children IS NULL"
            " GROUP BY parent, name HAVING count(*) > 1"
        ).fetchone()
        return str(row["path"])
    return None


def possible_collisions(connection: sqlite3.Connection, layers: Stack) -> Iterator[str]:
    """The paths that are a file in some layer and a directory in another, one of them the top layer."""
    for query in _COLLISIONS:
        rows = connection.execute(query, (layers[-1], json.dumps(layers))).fetchall()
        yield from (row["path"] for row in rows)


def _rows(connection: sqlite3.Connection, layer: int, directory: str, start: str, reverse: bool) -> Iterator[sqlite3.Row]:
    """One layer's rows of a directory, fetched by the page so that no statement stays open between them."""
    compare, order = ("<=", "DESC") if reverse else (">=", "ASC")
    if reverse and not start:
        start = _BEYOND_ALL_NAMES
    while True:
        page = connection.execute(
            _SELECT + f"WHERE layer = ? AND parent = ? AND name {compare} ? ORDER BY name {order} LIMIT {_PAGE}",
            (layer, directory, start),
        ).fetchall()
        yield from page
        if len(page) < _PAGE:
            return
        compare, start = compare[0], page[-1]["name"]


def _row(layer: int, path: str, entry: Entry | None) -> tuple[object, ...]:
    if entry is None:
        return (layer, *paths.split(path), None, None, None, None)
    children_count = entry.children if entry.is_dir else None
    return (layer, entry.parent, entry.name, entry.size, entry.hash, entry.packed, children_count)


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(row["parent"], row["name"], row["size"], row["hash"], row["parts"], row["children"] or 0)
