"""Rows of small contents, and the parts that files refer to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from minipdk.services.pachyderm.pfs.model import FILESETS, Commit, Part, Parts, Repo, unpack

_PAGE = 2000
_FILES = "FROM entries WHERE children IS NULL AND size > 0"


def find(connection: sqlite3.Connection, digest: bytes) -> bytes | None:
    """The small content with this SHA-256."""
    row = connection.execute("SELECT data FROM small_contents WHERE digest = ?", (digest,)).fetchone()
    return bytes(row["data"]) if row is not None else None


def put(connection: sqlite3.Connection, contents: Iterable[tuple[bytes, bytes]]) -> None:
    """Store small contents, given with their digests."""
    connection.executemany("INSERT OR IGNORE INTO small_contents VALUES (?, ?)", contents)


def delete(connection: sqlite3.Connection, digest: bytes) -> None:
    connection.execute("DELETE FROM small_contents WHERE digest = ?", (digest,))


def release_space(connection: sqlite3.Connection) -> None:
    """Give the pages that deleted rows left back to the file system."""
    connection.execute("PRAGMA incremental_vacuum").fetchall()


def digests(connection: sqlite3.Connection) -> Iterator[bytes]:
    """The digests of all small contents, fetched by the page so that no statement stays open between them."""
    last = b""
    while page := connection.execute(
        "SELECT digest FROM small_contents WHERE digest > ? ORDER BY digest LIMIT ?", (last, _PAGE)
    ).fetchall():
        yield from (row["digest"] for row in page)
        last = page[-1]["digest"]


def parts(connection: sqlite3.Connection) -> list[Part]:
    """All small contents as parts."""
    rows = connection.execute("SELECT digest, length(data) AS size FROM small_contents").fetchall()
    return [Part(row["digest"], row["size"]) for row in rows]


def live_digests(connection: sqlite3.Connection) -> set[bytes]:
    """The digests of all contents, large ones included, that some file refers to."""
    live: set[bytes] = set()
    live.update(row[0] for row in connection.execute(f"SELECT hash {_FILES} AND parts IS NULL"))
    for row in connection.execute(f"SELECT parts {_FILES} AND parts IS NOT NULL"):
        live.update(part.digest for part in unpack(row["parts"]))
    return live


def referenced_parts(connection: sqlite3.Connection) -> set[Part]:
    """Every part that a file refers to."""
    rows = connection.execute(f"SELECT size, hash, parts {_FILES}")
    return {part for row in rows for part in _parts_of(row)}


def files_of(connection: sqlite3.Connection, part: Part) -> list[str]:
    """The files that refer to the part, as repo@commit:path with the oldest commit or file set that has the file."""
    rows = connection.execute(f"SELECT layer, parent || name AS path, size, hash, parts {_FILES} ORDER BY layer")
    places = [(row["layer"], row["path"]) for row in rows if part in _parts_of(row)]
    files: dict[tuple[Repo, str], str] = {}
    for layer, path in places:
        owner = _owner(connection, layer)
        files.setdefault((owner.repo, path), f"{owner}:{path}")
    return list(files.values())


def _parts_of(row: sqlite3.Row) -> Parts:
    return (Part(row["hash"], row["size"]),) if row["parts"] is None else unpack(row["parts"])


def _owner(connection: sqlite3.Connection, layer: int) -> Commit:
    """The oldest commit whose tree has the layer, or the file set that has it."""
    commit = connection.execute(
        "SELECT min(commits.id), project, name, type, commit_set FROM commit_layers JOIN commits ON commits.id = commit_id "
        "JOIN repos ON repos.id = repo WHERE layer = ?",
        (layer,),
    ).fetchone()
    if commit["name"] is not None:
        return Repo(commit["project"], commit["name"], commit["type"]).commit(commit["commit_set"])
    fileset = connection.execute("SELECT id FROM filesets WHERE layer = ?", (layer,)).fetchone()
    return FILESETS.commit(fileset["id"] if fileset else f"layer {layer}")


def dropped_layers(connection: sqlite3.Connection) -> int:
    """How many layers have ever been dropped: each may have left contents behind that no file refers to."""
    return int(connection.execute("SELECT dropped FROM dropped_layers").fetchone()["dropped"])
