"""Rows to handles and infos, and back. No rules live here.

Functions take the connection of the calling thread; `Row` ids are the database's own, never shown to a client.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator

from minipdk.services.pachyderm.errors import NotFoundError
from minipdk.services.pachyderm.pfs.model import (
    Branch,
    BranchInfo,
    Commit,
    CommitInfo,
    Origin,
    ProjectInfo,
    Repo,
    RepoInfo,
    Trigger,
)

_COMMIT = "SELECT c.*, r.project, r.name AS repo_name, r.type AS repo_type FROM commits c JOIN repos r ON r.id = c.repo "
_BRANCH = "SELECT b.*, r.project, r.name AS repo_name, r.type AS repo_type FROM branches b JOIN repos r ON r.id = b.repo "
_REACH = (
    "WITH RECURSIVE reach(id, depth) AS (SELECT {to}, 1 FROM {table} WHERE {start} = ?"
    " UNION SELECT p.{to}, reach.depth + 1 FROM reach JOIN {table} p ON p.{start} = reach.id)"
    " SELECT id, min(depth) AS depth FROM reach GROUP BY id ORDER BY depth, id"
)


def project_row(connection: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute("SELECT * FROM projects WHERE name = ?", (name,)).fetchone()
    return row


def project_info(row: sqlite3.Row) -> ProjectInfo:
    return ProjectInfo(row["name"], row["description"], row["created"], json.loads(row["metadata"]))


def find_repo(connection: sqlite3.Connection, repo: Repo) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM repos WHERE project = ? AND name = ? AND type = ?", (repo.project, repo.name, repo.type)
    ).fetchone()
    return row


def repo_row(connection: sqlite3.Connection, repo: Repo) -> sqlite3.Row:
    """The repo's row. Raises NotFoundError."""
    row = find_repo(connection, repo)
    if row is None:
        raise NotFoundError(f"repo {repo} not found")
    return row


def repo_info(connection: sqlite3.Connection, row: sqlite3.Row) -> RepoInfo:
    repo = Repo(row["project"], row["name"], row["type"])
    names = connection.execute("SELECT name FROM branches WHERE repo = ? ORDER BY id", (row["id"],)).fetchall()
    size = connection.execute(
        "WITH RECURSIVE line(id, parent, finished, error, size, depth) AS ("
        " SELECT c.id, c.parent, c.finished, c.error, c.size, 0 FROM branches b JOIN commits c ON c.id = b.head"
        "  WHERE b.repo = ? AND b.name = 'master'"
        " UNION ALL SELECT c.id, c.parent, c.finished, c.error, c.size, line.depth + 1 FROM line"
        "  JOIN commits c ON c.id = line.parent WHERE line.finished = 0 OR line.error != '')"
        " SELECT size FROM line WHERE finished != 0 AND error = '' ORDER BY depth LIMIT 1",
        (row["id"],),
    ).fetchone()
    branches = tuple(repo.branch(one["name"]) for one in names)
    return RepoInfo(
        repo, row["description"], row["created"], branches, size["size"] if size else 0, json.loads(row["metadata"])
    )


def find_branch(connection: sqlite3.Connection, branch: Branch) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        _BRANCH + "WHERE r.project = ? AND r.name = ? AND r.type = ? AND b.name = ?",
        (branch.repo.project, branch.repo.name, branch.repo.type, branch.name),
    ).fetchone()
    return row


def branch_row(connection: sqlite3.Connection, branch: Branch) -> sqlite3.Row:
    """The branch's row. Raises NotFoundError, of the repo if that is what is missing."""
    row = find_branch(connection, branch)
    if row is None:
        repo_row(connection, branch.repo)
        raise NotFoundError(f'branch "{branch.name}" not found in repo {branch.repo}')
    return row


def branch_by_id(connection: sqlite3.Connection, branch_id: int) -> sqlite3.Row:
    row: sqlite3.Row = connection.execute(_BRANCH + "WHERE b.id = ?", (branch_id,)).fetchone()
    return row


def branches_of(connection: sqlite3.Connection, repo_id: int) -> list[sqlite3.Row]:
    """Oldest first."""
    return connection.execute(_BRANCH + "WHERE b.repo = ? ORDER BY b.id", (repo_id,)).fetchall()


def all_branches(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    return connection.execute(_BRANCH + "ORDER BY b.id").fetchall()


def branch_handle(row: sqlite3.Row) -> Branch:
    return Branch(Repo(row["project"], row["repo_name"], row["repo_type"]), row["name"])


def direct_upstream(connection: sqlite3.Connection, branch_id: int) -> list[int]:
    """The branches that a branch is directly provenant on, in the order they were given."""
    query = "SELECT upstream FROM branch_provenance WHERE downstream = ? ORDER BY position"
    return [row["upstream"] for row in connection.execute(query, (branch_id,))]


def direct_downstream(connection: sqlite3.Connection, branch_id: int) -> list[int]:
    query = "SELECT downstream FROM branch_provenance WHERE upstream = ? ORDER BY downstream"
    return [row["downstream"] for row in connection.execute(query, (branch_id,))]


def branches_upstream(connection: sqlite3.Connection, branch_id: int) -> dict[int, int]:
    """Every branch that a branch is provenant on, nearest first, with its distance."""
    return _reach(connection, "branch_provenance", "downstream", "upstream", branch_id)


def branches_downstream(connection: sqlite3.Connection, branch_id: int) -> dict[int, int]:
    return _reach(connection, "branch_provenance", "upstream", "downstream", branch_id)


def branches_propagated_to(connection: sqlite3.Connection, branch_id: int) -> dict[int, int]:
    """The branches downstream that get a new head when this one does."""
    return _reach(connection, "branch_propagation", "upstream", "downstream", branch_id)


def find_trigger(connection: sqlite3.Connection, branch_id: int) -> sqlite3.Row | None:
    query = "SELECT t.*, b.name AS source_name FROM branch_triggers t JOIN branches b ON b.id = t.source WHERE t.branch = ?"
    row: sqlite3.Row | None = connection.execute(query, (branch_id,)).fetchone()
    return row


def trigger_of(connection: sqlite3.Connection, branch_id: int) -> Trigger | None:
    row = find_trigger(connection, branch_id)
    if row is None:
        return None
    rate, size, commits, cron = row["rate_limit_spec"], row["size"], row["commits"], row["cron_spec"]
    return Trigger(row["source_name"], bool(row["all_conditions"]), rate, size, commits, cron)


def triggered_by(connection: sqlite3.Connection, branch_id: int) -> list[int]:
    """The branches with a trigger on this one."""
    query = "SELECT branch FROM branch_triggers WHERE source = ? ORDER BY branch"
    return [row["branch"] for row in connection.execute(query, (branch_id,))]


def commits_upstream(connection: sqlite3.Connection, commit_id: int) -> dict[int, int]:
    """Every commit in a commit's provenance, nearest first, with its distance."""
    return _reach(connection, "commit_provenance", "downstream", "upstream", commit_id)


def commits_downstream(connection: sqlite3.Connection, commit_id: int) -> dict[int, int]:
    return _reach(connection, "commit_provenance", "upstream", "downstream", commit_id)


def _reach(connection: sqlite3.Connection, table: str, start: str, to: str, row_id: int) -> dict[int, int]:
    query = _REACH.format(table=table, start=start, to=to)
    return {row["id"]: row["depth"] for row in connection.execute(query, (row_id,)).fetchall()}


def branch_info(connection: sqlite3.Connection, row: sqlite3.Row) -> BranchInfo:
    def handles(ids: Iterable[int]) -> tuple[Branch, ...]:
        return tuple(branch_handle(branch_by_id(connection, one)) for one in ids)

    return BranchInfo(
        branch=branch_handle(row),
        head=commit_handle(commit_by_id(connection, row["head"])),
        direct_provenance=handles(direct_upstream(connection, row["id"])),
        provenance=handles(branches_upstream(connection, row["id"])),
        subvenance=handles(branches_downstream(connection, row["id"])),
        created=row["created"],
        updated=row["updated"],
        trigger=trigger_of(connection, row["id"]),
        never=handles(
            one["upstream"]
            for one in connection.execute("SELECT upstream FROM branch_never WHERE downstream = ?", (row["id"],)).fetchall()
        ),
        metadata=json.loads(row["metadata"]),
    )


def find_commit(connection: sqlite3.Connection, repo: Repo, commit_id: str) -> sqlite3.Row | None:
    """The row of the commit with exactly this id in this repo."""
    row: sqlite3.Row | None = connection.execute(
        _COMMIT + "WHERE c.commit_set = ? AND r.project = ? AND r.name = ? AND r.type = ?",
        (commit_id, repo.project, repo.name, repo.type),
    ).fetchone()
    return row


def commit_by_id(connection: sqlite3.Connection, row_id: int) -> sqlite3.Row:
    row: sqlite3.Row = connection.execute(_COMMIT + "WHERE c.id = ?", (row_id,)).fetchone()
    return row


def commit_still_there(connection: sqlite3.Connection, row_id: int) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(_COMMIT + "WHERE c.id = ?", (row_id,)).fetchone()
    return row


def commits_of_set(connection: sqlite3.Connection, commit_set: str) -> list[sqlite3.Row]:
    return connection.execute(_COMMIT + "WHERE c.commit_set = ? ORDER BY c.id", (commit_set,)).fetchall()


def commits_of_repo(connection: sqlite3.Connection, repo_id: int | None, *, newest_first: bool) -> Iterator[sqlite3.Row]:
    """All commits of one repo, or of all repos, by the page."""
    order, compare, last = ("DESC", "<", 1 << 62) if newest_first else ("ASC", ">", 0)
    while True:
        page = connection.execute(
            _COMMIT + f"WHERE (?1 IS NULL OR c.repo = ?1) AND c.id {compare} ?2 ORDER BY c.id {order} LIMIT 200",
            (repo_id, last),
        ).fetchall()
        if not page:
            return
        yield from page
        last = page[-1]["id"]


def children_of(connection: sqlite3.Connection, row_id: int) -> list[sqlite3.Row]:
    return connection.execute(_COMMIT + "WHERE c.parent = ? ORDER BY c.id", (row_id,)).fetchall()


def commit_handle(row: sqlite3.Row) -> Commit:
    return Commit(Repo(row["project"], row["repo_name"], row["repo_type"]), row["commit_set"])


def commit_info(connection: sqlite3.Connection, row: sqlite3.Row) -> CommitInfo:
    def linked(start: str, to: str) -> tuple[Commit, ...]:
        query = _COMMIT + f"JOIN commit_provenance p ON p.{to} = c.id WHERE p.{start} = ? ORDER BY c.id"
        return tuple(commit_handle(one) for one in connection.execute(query, (row["id"],)).fetchall())

    commit = commit_handle(row)
    return CommitInfo(
        commit=commit,
        branch=commit.repo.branch(row["branch"]),
        origin=Origin(row["origin"]),
        description=row["description"],
        started=row["started"],
        finishing=row["finishing"],
        finished=row["finished"],
        error=row["error"],
        size=row["size"],
        parent=commit_handle(commit_by_id(connection, row["parent"])) if row["parent"] else None,
        children=tuple(commit_handle(one) for one in children_of(connection, row["id"])),
        direct_provenance=linked("downstream", "upstream"),
        direct_subvenance=linked("upstream", "downstream"),
        created=row["started"],
        updated=row["updated"],
        metadata=json.loads(row["metadata"]),
    )


def fileset_layer(connection: sqlite3.Connection, fileset: str) -> int:
    """The layer of a file set that has not expired. Raises NotFoundError."""
    query = "SELECT layer FROM filesets WHERE id = ? AND (expires IS NULL OR expires > ?"
    query += " OR EXISTS (SELECT 1 FROM cached_filesets WHERE fileset = id))"
    row = connection.execute(query, (fileset, time.time_ns())).fetchone()
    if row is None:
        raise NotFoundError(f"file set {fileset} not found: it never was, or it has expired")
    return int(row["layer"])
