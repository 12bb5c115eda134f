"""Rows of repos."""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

from minipdk.services.pachyderm.errors import NotFoundError
from minipdk.services.pachyderm.pfs.model import Repo, RepoInfo

_SELECT = "SELECT id, project, name, type, description, created, created_by, metadata FROM repos "
_SIZE = (
    "WITH RECURSIVE line(id, parent, finished, error, size, depth) AS ("
    " SELECT c.id, c.parent, c.finished, c.error, c.size, 0 FROM branches b JOIN commits c ON c.id = b.head"
    "  WHERE b.repo = ? AND b.name = 'master'"
    " UNION ALL SELECT c.id, c.parent, c.finished, c.error, c.size, line.depth + 1 FROM line"
    "  JOIN commits c ON c.id = line.parent WHERE line.finished = 0 OR line.error != '')"
    " SELECT size FROM line WHERE finished != 0 AND error = '' ORDER BY depth LIMIT 1"
)


class RepoRow(NamedTuple):
    """``metadata`` is a JSON object."""

    id: int
    project: str
    name: str
    type: str
    description: str
    created: int
    created_by: str
    metadata: str

    @property
    def repo(self) -> Repo:
        return Repo(self.project, self.name, self.type)


def find(connection: sqlite3.Connection, repo: Repo) -> RepoRow | None:
    query = _SELECT + "WHERE project = ? AND name = ? AND type = ?"
    row = connection.execute(query, (repo.project, repo.name, repo.type)).fetchone()
    return RepoRow._make(row) if row is not None else None


def get(connection: sqlite3.Connection, repo: Repo) -> RepoRow:
    """Raises NotFoundError."""
    row = find(connection, repo)
    if row is None:
        raise NotFoundError(f"repo {repo} not found")
    return row


def by_name(connection: sqlite3.Connection) -> list[RepoRow]:
    """By project and name; a pipeline's repos in the order in which they were made."""
    return list(map(RepoRow._make, connection.execute(_SELECT + "ORDER BY project, name, id").fetchall()))


def of_project(connection: sqlite3.Connection, project: str) -> list[RepoRow]:
    """The project's repos of every type, oldest first."""
    return list(map(RepoRow._make, connection.execute(_SELECT + "WHERE project = ? ORDER BY id", (project,)).fetchall()))


def same_name(connection: sqlite3.Connection, repo: Repo) -> list[RepoRow]:
    """The repos of every type with this repo's name."""
    rows = connection.execute(_SELECT + "WHERE project = ? AND name = ?", (repo.project, repo.name)).fetchall()
    return list(map(RepoRow._make, rows))


def insert(connection: sqlite3.Connection, repo: Repo, description: str, created: int, created_by: str) -> None:
    connection.execute(
        "INSERT INTO repos (project, name, type, description, created, created_by) VALUES (?, ?, ?, ?, ?, ?)",
        (repo.project, repo.name, repo.type, description, created, created_by),
    )


def set_description(connection: sqlite3.Connection, repo_id: int, description: str) -> None:
    connection.execute("UPDATE repos SET description = ? WHERE id = ?", (description, repo_id))


def delete(connection: sqlite3.Connection, repo_id: int) -> None:
    connection.execute("DELETE FROM repos WHERE id = ?", (repo_id,))


def info(connection: sqlite3.Connection, row: RepoRow) -> RepoInfo:
    names = connection.execute("SELECT name FROM branches WHERE repo = ? ORDER BY id", (row.id,)).fetchall()
    size = connection.execute(_SIZE, (row.id,)).fetchone()
    return RepoInfo(
        repo=row.repo,
        description=row.description,
        created=row.created,
        created_by=row.created_by,
        branches=tuple(row.repo.branch(name) for (name,) in names),
        size=size["size"] if size else 0,
        metadata=json.loads(row.metadata),
    )
