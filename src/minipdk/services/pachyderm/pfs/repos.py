"""Projects and repos."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

from minipdk.services.pachyderm.errors import AlreadyExistsError, FailedPreconditionError, NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import commit_sets, records
from minipdk.services.pachyderm.pfs.branches import Branches
from minipdk.services.pachyderm.pfs.model import (
    DEFAULT_PROJECT,
    FILESETS,
    USER,
    ProjectInfo,
    Repo,
    RepoInfo,
    validate_name,
    validate_project_name,
)
from minipdk.services.pachyderm.pfs.transactions import State


class Projects:
    def __init__(self, state: State) -> None:
        self._state = state
        with state.transactions.begin():
            state.connection.execute(
                "INSERT OR IGNORE INTO projects (name, description, created) VALUES (?, '', ?)",
                (DEFAULT_PROJECT, time.time_ns()),
            )

    def create(self, name: str, description: str = "", *, update: bool = False) -> None:
        validate_project_name(name)
        with self._state.transactions.begin() as txn:
            found = records.project_row(self._state.connection, name)
            if update:
                self.inspect(name)
                self._state.connection.execute("UPDATE projects SET description = ? WHERE name = ?", (description, name))
            elif found is not None:
                raise AlreadyExistsError(f"project {name} already exists")
            else:
                self._state.connection.execute(
                    "INSERT INTO projects (name, description, created) VALUES (?, ?, ?)", (name, description, txn.now)
                )

    def inspect(self, name: str) -> ProjectInfo:
        row = records.project_row(self._state.connection, name)
        if row is None:
            raise NotFoundError(f'project "{name}" not found')
        return records.project_info(row)

    def all(self) -> list[ProjectInfo]:
        """Newest first, the default project last."""
        rows = self._state.connection.execute("SELECT * FROM projects ORDER BY rowid DESC").fetchall()
        return [records.project_info(row) for row in rows]

    def delete(self, name: str) -> None:
        """Remove an empty project."""
        validate_project_name(name)
        with self._state.transactions.begin():
            self.inspect(name)
            rows = self._state.connection.execute("SELECT * FROM repos WHERE project = ? ORDER BY id", (name,)).fetchall()
            if rows:
                still = "; ".join(f"repo {Repo(row['project'], row['name'], row['type'])} still exists" for row in rows)
                raise FailedPreconditionError(f"cannot delete project {name}: {still}")
            self._state.connection.execute("DELETE FROM projects WHERE name = ?", (name,))


class Repos:
    def __init__(self, state: State, branches: Branches) -> None:
        self._state = state
        self._branches = branches

    def create(self, repo: Repo, description: str = "", *, update: bool = False) -> None:
        """Make a repo, or with ``update`` set the description of one that may be there."""
        validate_name(repo.name)
        if repo.name == FILESETS.name:
            raise PachydermError(f"{repo.name} is a reserved name")
        with self._state.transactions.begin() as txn:
            connection = self._state.connection
            if records.project_row(connection, repo.project) is None:
                raise NotFoundError(f'cannot find project "{repo.project}": project "{repo.project}" not found')
            row = records.find_repo(connection, repo)
            if row is None:
                base = Repo(repo.project, repo.name)
                if repo.type != USER and records.find_repo(connection, base) is None:
                    raise NotFoundError(
                        f"cannot create a system repo without a corresponding 'user' repo: repo {base} not found"
                    )
                connection.execute(
                    "INSERT INTO repos (project, name, type, description, created) VALUES (?, ?, ?, ?, ?)",
                    (repo.project, repo.name, repo.type, description, txn.now),
                )
            elif not update:
                raise AlreadyExistsError(f"repo {repo} already exists")
            else:
                connection.execute("UPDATE repos SET description = ? WHERE id = ?", (description, row["id"]))

    def inspect(self, repo: Repo) -> RepoInfo:
        connection = self._state.connection
        return records.repo_info(connection, records.repo_row(connection, repo))

    def all(self, repo_type: str = "", projects: Sequence[str] = ()) -> list[RepoInfo]:
        """Newest first; of one type, and of some projects, if they are given."""
        connection = self._state.connection
        rows = connection.execute("SELECT * FROM repos ORDER BY id DESC").fetchall()
        chosen = [row for row in rows if repo_type in ("", row["type"]) and (not projects or row["project"] in projects)]
        return [records.repo_info(connection, row) for row in chosen]

    def delete(self, repo: Repo, *, force: bool = False) -> bool:
        """Remove a repo with its branches, commits and, of a user's repo, the pipeline's repos; False if there is none."""
        with self._state.transactions.begin():
            row = records.find_repo(self._state.connection, repo)
            if row is None:
                return False
            if self._state.hooks.is_pipeline_repo(repo):
                raise PachydermError("cannot delete a repo associated with a pipeline - delete the pipeline instead")
            self._delete_rows(self._related(repo, row), force=force)
            return True

    def delete_all(self, projects: Sequence[str], *, force: bool = False) -> list[Repo]:
        """Remove every repo of these projects (of all if none are given); those that were removed."""
        with self._state.transactions.begin():
            found = [info.repo for info in self.all(projects=projects)]
            for repo in found:
                if self._state.hooks.is_pipeline_repo(repo):
                    raise PachydermError("cannot delete a repo associated with a pipeline - delete the pipeline instead")
            self._delete_rows([records.repo_row(self._state.connection, repo) for repo in found], force=force)
            return found

    def delete_pipeline_repo(self, repo: Repo, *, force: bool = False) -> bool:
        """What PPS calls when it deletes a pipeline: `delete` without asking whether the repo is a pipeline's."""
        with self._state.transactions.begin():
            row = records.find_repo(self._state.connection, repo)
            if row is None:
                return False
            self._delete_rows(self._related(repo, row), force=force)
            return True

    def _related(self, repo: Repo, row: sqlite3.Row) -> list[sqlite3.Row]:
        if repo.type != USER:
            return [row]
        query = "SELECT * FROM repos WHERE project = ? AND name = ?"
        return self._state.connection.execute(query, (repo.project, repo.name)).fetchall()

    def _delete_rows(self, rows: list[sqlite3.Row], *, force: bool) -> None:
        with self._state.transactions.begin() as txn:
            connection = self._state.connection
            branches = [branch for row in rows for branch in records.branches_of(connection, row["id"])]
            branches.sort(key=lambda one: len(records.branches_upstream(connection, one["id"])), reverse=True)
            for branch in branches:
                self._branches.delete(records.branch_handle(branch), force=force)
            for row in rows:
                for commit in list(records.commits_of_repo(connection, row["id"], newest_first=True)):
                    commit_sets.remove(self._state, txn, commit, records.commit_info(connection, commit))
                connection.execute("DELETE FROM repos WHERE id = ?", (row["id"],))
