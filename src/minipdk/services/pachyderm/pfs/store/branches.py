"""Rows of branches, and their provenance."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from minipdk.services.pachyderm.errors import NotFoundError
from minipdk.services.pachyderm.pfs.model import Branch, BranchInfo, Repo
from minipdk.services.pachyderm.pfs.store import commits, provenance, repos, triggers

_SELECT = (
    "SELECT b.id, b.repo, b.name, b.head, b.created, b.created_by, b.updated, b.metadata, r.project, r.name, r.type"
    " FROM branches b JOIN repos r ON r.id = b.repo "
)


class BranchRow(NamedTuple):
    """``head`` is the row id of a commit, ``metadata`` a JSON object."""

    id: int
    repo_id: int
    name: str
    head: int
    created: int
    created_by: str
    updated: int
    metadata: str
    project: str
    repo_name: str
    repo_type: str

    @property
    def branch(self) -> Branch:
        return Branch(Repo(self.project, self.repo_name, self.repo_type), self.name)


def find(connection: sqlite3.Connection, branch: Branch) -> BranchRow | None:
    repo = branch.repo
    row = connection.execute(
        _SELECT + "WHERE r.project = ? AND r.name = ? AND r.type = ? AND b.name = ?",
        (repo.project, repo.name, repo.type, branch.name),
    ).fetchone()
    return BranchRow._make(row) if row is not None else None


def get(connection: sqlite3.Connection, branch: Branch) -> BranchRow:
    """Raises NotFoundError, about the repo if that is missing."""
    row = find(connection, branch)
    if row is None:
        repos.get(connection, branch.repo)
        raise NotFoundError(f'branch "{branch.name}" not found in repo {branch.repo}')
    return row


def by_id(connection: sqlite3.Connection, branch_id: int) -> BranchRow:
    return BranchRow._make(connection.execute(_SELECT + "WHERE b.id = ?", (branch_id,)).fetchone())


def of_repo(connection: sqlite3.Connection, repo_id: int) -> list[BranchRow]:
    """Oldest first."""
    return list(map(BranchRow._make, connection.execute(_SELECT + "WHERE b.repo = ? ORDER BY b.id", (repo_id,)).fetchall()))


def oldest_first(connection: sqlite3.Connection) -> list[BranchRow]:
    return list(map(BranchRow._make, connection.execute(_SELECT + "ORDER BY b.id").fetchall()))


def headed_by(connection: sqlite3.Connection, commit_id: int) -> list[int]:
    """The branches whose head is this commit."""
    return _ids(connection, "SELECT id FROM branches WHERE head = ?", commit_id)


def direct_upstream(connection: sqlite3.Connection, branch_id: int) -> list[int]:
    """The branches that a branch is directly provenant on, in the order in which they were given."""
    return _ids(connection, "SELECT upstream FROM branch_provenance WHERE downstream = ? ORDER BY position", branch_id)


def direct_downstream(connection: sqlite3.Connection, branch_id: int) -> list[int]:
    return _ids(connection, "SELECT downstream FROM branch_provenance WHERE upstream = ? ORDER BY downstream", branch_id)


def upstream(connection: sqlite3.Connection, branch_id: int) -> dict[int, int]:
    """Every branch that a branch is provenant on, nearest first, with its distance."""
    return provenance.upstream(connection, "branch_provenance", branch_id)


def downstream(connection: sqlite3.Connection, branch_id: int) -> dict[int, int]:
    """Every branch that is provenant on a branch, nearest first, with its distance."""
    return provenance.downstream(connection, "branch_provenance", branch_id)


def propagated_to(connection: sqlite3.Connection, branch_id: int) -> dict[int, int]:
    """The branches downstream that get a new head when this one does."""
    return provenance.downstream(connection, "branch_propagation", branch_id)


def out_of_step(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    """The edges (downstream, upstream) of branches whose heads are not provenant on each other: there should be none."""
    rows = connection.execute(
        "SELECT downstream, upstream FROM branch_propagation e WHERE NOT EXISTS (SELECT 1 FROM commit_provenance p"
        " JOIN branches d ON d.id = e.downstream JOIN branches u ON u.id = e.upstream"
        " WHERE p.downstream = d.head AND p.upstream = u.head)"
    ).fetchall()
    return [(row["downstream"], row["upstream"]) for row in rows]


def set_head(connection: sqlite3.Connection, repo_id: int, name: str, commit_id: int, now: int, *, author: str) -> int:
    """Point a branch at a commit, and let ``author`` create the branch if it is missing: its row id."""
    connection.execute(
        "INSERT INTO branches (repo, name, head, created, created_by, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?4)"
        " ON CONFLICT (repo, name) DO UPDATE SET head = ?3, updated = ?4",
        (repo_id, name, commit_id, now, author),
    )
    row = connection.execute("SELECT id FROM branches WHERE repo = ? AND name = ?", (repo_id, name)).fetchone()
    return int(row["id"])


def replace_head(connection: sqlite3.Connection, old: int, new: int | None, now: int) -> None:
    """Point every branch whose head is the commit ``old`` at the commit ``new``."""
    connection.execute("UPDATE branches SET head = ?, updated = ? WHERE head = ?", (new, now, old))


def replace_upstream(connection: sqlite3.Connection, branch_id: int, upstream_ids: Iterable[int]) -> None:
    connection.execute("DELETE FROM branch_provenance WHERE downstream = ?", (branch_id,))
    connection.executemany(
        "INSERT INTO branch_provenance (downstream, upstream, position) VALUES (?, ?, ?)",
        ((branch_id, upstream_id, position) for position, upstream_id in enumerate(upstream_ids)),
    )


def never_propagate(connection: sqlite3.Connection, branch_id: int, upstream_ids: Iterable[int]) -> None:
    """Let new heads of some of the branch's direct provenance make no new head here."""
    connection.executemany(
        "INSERT OR IGNORE INTO branch_never VALUES (?, ?)", ((branch_id, upstream_id) for upstream_id in upstream_ids)
    )


def delete(connection: sqlite3.Connection, branch_id: int) -> None:
    connection.execute("DELETE FROM branches WHERE id = ?", (branch_id,))


def info(connection: sqlite3.Connection, row: BranchRow) -> BranchInfo:
    def handles(branch_ids: Iterable[int]) -> tuple[Branch, ...]:
        return tuple(by_id(connection, branch_id).branch for branch_id in branch_ids)

    trigger = triggers.find(connection, row.id)
    return BranchInfo(
        branch=row.branch,
        head=commits.by_id(connection, row.head).commit,
        direct_provenance=handles(direct_upstream(connection, row.id)),
        provenance=handles(upstream(connection, row.id)),
        subvenance=handles(downstream(connection, row.id)),
        created=row.created,
        created_by=row.created_by,
        updated=row.updated,
        trigger=trigger.trigger if trigger is not None else None,
        never=handles(_ids(connection, "SELECT upstream FROM branch_never WHERE downstream = ?", row.id)),
        metadata=json.loads(row.metadata),
    )


def _ids(connection: sqlite3.Connection, query: str, row_id: int) -> list[int]:
    return [row[0] for row in connection.execute(query, (row_id,)).fetchall()]
