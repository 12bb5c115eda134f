"""Rows of commits, and their provenance."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from minipdk.services.pachyderm.pfs.model import Branch, Commit, CommitInfo, LinkedCommit, Origin, Repo
from minipdk.services.pachyderm.pfs.store import provenance

_SELECT = (
    "SELECT c.id, c.repo, c.commit_set, c.branch, c.parent, c.origin, c.description, c.started, c.finishing, c.finished,"
    " c.error, c.size, c.created_by, c.updated, c.own_layer, c.metadata, r.project, r.name, r.type"
    " FROM commits c JOIN repos r ON r.id = c.repo "
)
_UPSTREAM_OF_SET = _SELECT + (  # noqa: S608 (constants of this module)
    "WHERE c.commit_set != ?1 AND c.id IN (WITH RECURSIVE up(id) AS"
    " (SELECT p.upstream FROM commit_provenance p JOIN commits d ON d.id = p.downstream WHERE d.commit_set = ?1"
    " UNION SELECT p.upstream FROM up JOIN commit_provenance p ON p.downstream = up.id) SELECT id FROM up)"
    " ORDER BY c.id DESC"
)


class CommitRow(NamedTuple):
    """``parent`` is a row id, ``own_layer`` the layer that an open commit writes to, ``metadata`` a JSON object."""

    id: int
    repo_id: int
    set_id: str
    branch: str
    parent: int | None
    origin: int
    description: str
    started: int
    finishing: int
    finished: int
    error: str
    size: int
    created_by: str
    updated: int
    own_layer: int | None
    metadata: str
    project: str
    repo_name: str
    repo_type: str

    @property
    def commit(self) -> Commit:
        return Commit(Repo(self.project, self.repo_name, self.repo_type), self.set_id)

    @property
    def linked(self) -> LinkedCommit:
        commit = self.commit
        return LinkedCommit(commit, commit.repo.branch(self.branch))


def find(connection: sqlite3.Connection, repo: Repo, commit_id: str) -> CommitRow | None:
    """The commit with exactly this id in this repo."""
    row = connection.execute(
        _SELECT + "WHERE c.commit_set = ? AND r.project = ? AND r.name = ? AND r.type = ?",
        (commit_id, repo.project, repo.name, repo.type),
    ).fetchone()
    return CommitRow._make(row) if row is not None else None


def find_by_id(connection: sqlite3.Connection, row_id: int) -> CommitRow | None:
    """The commit, or None if it was deleted."""
    row = connection.execute(_SELECT + "WHERE c.id = ?", (row_id,)).fetchone()
    return CommitRow._make(row) if row is not None else None


def by_id(connection: sqlite3.Connection, row_id: int) -> CommitRow:
    return CommitRow._make(connection.execute(_SELECT + "WHERE c.id = ?", (row_id,)).fetchone())


def of_set(connection: sqlite3.Connection, set_id: str) -> list[CommitRow]:
    """Oldest first."""
    rows = connection.execute(_SELECT + "WHERE c.commit_set = ? ORDER BY c.id", (set_id,)).fetchall()
    return list(map(CommitRow._make, rows))


def of_repo(connection: sqlite3.Connection, repo_id: int | None, *, newest_first: bool) -> Iterator[CommitRow]:
    """All commits of one repo, or of all repos, fetched by the page."""
    order, compare, last = ("DESC", "<", 1 << 62) if newest_first else ("ASC", ">", 0)
    while True:
        page = connection.execute(
            _SELECT + f"WHERE (?1 IS NULL OR c.repo = ?1) AND c.id {compare} ?2 ORDER BY c.id {order} LIMIT 200",
            (repo_id, last),
        ).fetchall()
        if not page:
            return
        yield from map(CommitRow._make, page)
        last = page[-1]["id"]


def newer(connection: sqlite3.Connection, repo_id: int, last: int, branch: str) -> list[int]:
    """The row ids beyond ``last`` of a repo's commits, of any branch if that is empty, oldest first."""
    query = "SELECT id FROM commits WHERE repo = ? AND id > ? AND (? = '' OR branch = ?) ORDER BY id"
    return [row["id"] for row in connection.execute(query, (repo_id, last, branch, branch)).fetchall()]


def children(connection: sqlite3.Connection, row_id: int) -> list[CommitRow]:
    """Oldest first."""
    return list(map(CommitRow._make, connection.execute(_SELECT + "WHERE c.parent = ? ORDER BY c.id", (row_id,)).fetchall()))


def direct_upstream(connection: sqlite3.Connection, row_id: int) -> list[int]:
    query = "SELECT upstream FROM commit_provenance WHERE downstream = ?"
    return [row["upstream"] for row in connection.execute(query, (row_id,)).fetchall()]


def upstream(connection: sqlite3.Connection, row_id: int) -> dict[int, int]:
    """Every commit in a commit's provenance, nearest first, with its distance."""
    return provenance.upstream(connection, "commit_provenance", row_id)


def downstream(connection: sqlite3.Connection, row_id: int) -> dict[int, int]:
    """Every commit that is provenant on a commit, nearest first, with its distance."""
    return provenance.downstream(connection, "commit_provenance", row_id)


def upstream_of_set(connection: sqlite3.Connection, set_id: str) -> list[CommitRow]:
    """The commits of other sets that the commits of this one are provenant on, newest first."""
    rows = connection.execute(_UPSTREAM_OF_SET, (set_id,)).fetchall()
    return list(map(CommitRow._make, rows))


def info(connection: sqlite3.Connection, row: CommitRow) -> CommitInfo:
    commit = row.commit
    return CommitInfo(
        commit=commit,
        branch=commit.repo.branch(row.branch),
        origin=Origin(row.origin),
        description=row.description,
        started=row.started,
        finishing=row.finishing,
        finished=row.finished,
        error=row.error,
        size=row.size,
        parent=by_id(connection, row.parent).commit if row.parent else None,
        children=tuple(child.linked for child in children(connection, row.id)),
        direct_provenance=_linked(connection, "p.downstream = ?", "p.upstream", row.id),
        direct_subvenance=_linked(connection, "p.upstream = ?", "p.downstream", row.id),
        created=row.started,
        created_by=row.created_by,
        updated=row.updated,
        metadata=json.loads(row.metadata),
    )


def _linked(connection: sqlite3.Connection, condition: str, other: str, row_id: int) -> tuple[LinkedCommit, ...]:
    query = _SELECT + f"JOIN commit_provenance p ON {other} = c.id WHERE {condition} ORDER BY c.id"
    return tuple(CommitRow._make(row).linked for row in connection.execute(query, (row_id,)).fetchall())


def insert(
    connection: sqlite3.Connection,
    repo_id: int,
    set_id: str,
    branch: Branch,
    parent: int | None,
    *,
    origin: Origin,
    description: str,
    created_by: str,
    started: int,
    finished: int,
) -> int | None:
    """Add a commit: its row id, or None if the repo has a commit of this set already."""
    try:
        return connection.execute(
            "INSERT INTO commits (repo, commit_set, branch, parent, origin, description, created_by, started, updated,"
            " finishing, finished) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?9)",
            (repo_id, set_id, branch.name, parent, origin, description, created_by, started, finished),
        ).lastrowid
    except sqlite3.IntegrityError:
        return None


def add_upstream(connection: sqlite3.Connection, row_id: int, upstream_ids: Iterable[int]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO commit_provenance (downstream, upstream) VALUES (?, ?)",
        ((row_id, upstream_id) for upstream_id in upstream_ids),
    )


def set_finishing(connection: sqlite3.Connection, row_id: int, now: int, *, error: str, description: str) -> None:
    """Close a commit. An empty ``description`` keeps the present one."""
    connection.execute(
        "UPDATE commits SET finishing = ?, updated = ?, error = ?,"
        " description = coalesce(nullif(?, ''), description) WHERE id = ?",
        (now, now, error, description, row_id),
    )


def set_finished(connection: sqlite3.Connection, row_id: int, now: int, *, error: str, size: int) -> None:
    connection.execute(
        "UPDATE commits SET finished = ?, updated = ?, error = ?, size = ?, own_layer = NULL WHERE id = ?",
        (now, now, error, size, row_id),
    )


def set_size(connection: sqlite3.Connection, row_id: int, size: int) -> None:
    connection.execute("UPDATE commits SET size = ? WHERE id = ?", (size, row_id))


def set_updated(connection: sqlite3.Connection, row_id: int, now: int) -> None:
    connection.execute("UPDATE commits SET updated = ? WHERE id = ?", (now, row_id))


def set_own_layer(connection: sqlite3.Connection, row_id: int, layer: int | None) -> None:
    connection.execute("UPDATE commits SET own_layer = ? WHERE id = ?", (layer, row_id))


def replace_parent(connection: sqlite3.Connection, old: int, new: int | None, now: int) -> None:
    """Give the children of the commit ``old`` the parent ``new``."""
    connection.execute("UPDATE commits SET parent = ?, updated = ? WHERE parent = ?", (new, now, old))


def delete(connection: sqlite3.Connection, row_id: int) -> None:
    connection.execute("DELETE FROM commits WHERE id = ?", (row_id,))
