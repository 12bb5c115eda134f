"""Projects and repos."""

from __future__ import annotations

import time
from collections.abc import Sequence

from minipdk.services.pachyderm.errors import AlreadyExistsError, FailedPreconditionError, NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import commit_sets, store
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
from minipdk.services.pachyderm.pfs.store.repos import RepoRow
from minipdk.services.pachyderm.pfs.transactions import State


class Projects:
    def __init__(self, state: State) -> None:
        self._state = state
        with state.transactions.begin():
            store.projects.insert(state.connection, DEFAULT_PROJECT, "", time.time_ns(), "")

    def create(self, name: str, description: str = "", *, update: bool = False) -> None:
        validate_project_name(name)
        with self._state.transactions.begin() as txn:
            connection = self._state.connection
            if update:
                self.inspect(name)
                store.projects.set_description(connection, name, description)
            elif store.projects.find(connection, name) is not None:
                raise AlreadyExistsError(f"project {name} already exists")
            else:
                store.projects.insert(connection, name, description, txn.now, txn.author)

    def inspect(self, name: str) -> ProjectInfo:
        info = store.projects.find(self._state.connection, name)
        if info is None:
            raise NotFoundError(f'project "{name}" not found')
        return info

    def all(self) -> list[ProjectInfo]:
        """Newest first, the default project last."""
        return store.projects.newest_first(self._state.connection)

    def delete(self, name: str) -> None:
        """Remove an empty project."""
        validate_project_name(name)
        with self._state.transactions.begin():
            self.inspect(name)
            if rows := store.repos.of_project(self._state.connection, name):
                still = "; ".join(f"repo {row.repo} still exists" for row in rows)
                raise FailedPreconditionError(f"cannot delete project {name}: {still}")
            store.projects.delete(self._state.connection, name)


class Repos:
    def __init__(self, state: State, branches: Branches) -> None:
        self._state = state
        self._branches = branches

    def create(self, repo: Repo, description: str = "", *, update: bool = False) -> None:
        """Create a repo; with ``update``, set the description of an existing one."""
        validate_name(repo.name)
        if repo.name == FILESETS.name:
            raise PachydermError(f"{repo.name} is a reserved name")
        with self._state.transactions.begin() as txn:
            connection = self._state.connection
            if store.projects.find(connection, repo.project) is None:
                raise NotFoundError(
                    f'cannot find project "{repo.project}": get project by name: project "{repo.project}" not found'
                )
            row = store.repos.find(connection, repo)
            if row is None:
                base = Repo(repo.project, repo.name)
                if repo.type != USER and store.repos.find(connection, base) is None:
                    raise NotFoundError(
                        f"cannot create a system repo without a corresponding 'user' repo: repo {base} not found"
                    )
                store.repos.insert(connection, repo, description, txn.now, txn.author)
            elif not update:
                raise AlreadyExistsError(f"repo {repo} already exists")
            else:
                store.repos.set_description(connection, row.id, description)

    def inspect(self, repo: Repo) -> RepoInfo:
        connection = self._state.connection
        return store.repos.info(connection, store.repos.get(connection, repo))

    def all(self, repo_type: str = "", projects: Sequence[str] = ()) -> list[RepoInfo]:
        """In order of projects and names. ``repo_type`` and ``projects`` limit the list if they are not empty."""
        connection = self._state.connection
        return [
            store.repos.info(connection, row)
            for row in store.repos.by_name(connection)
            if repo_type in ("", row.type) and (not projects or row.project in projects)
        ]

    def delete(self, repo: Repo, *, force: bool = False) -> bool:
        """Remove a repo with its branches, commits and, for a user's repo, the pipeline's repos; False if there is none."""
        with self._state.transactions.begin():
            row = store.repos.find(self._state.connection, repo)
            if row is None:
                return False
            self._refuse_pipeline_repo(repo)
            self._delete_rows(self._related(row), force=force)
            return True

    def delete_all(self, projects: Sequence[str], *, force: bool = False) -> list[Repo]:
        """Remove every repo of these projects (of all if empty): the removed repos."""
        with self._state.transactions.begin():
            repos = [info.repo for info in self.all(projects=projects)]
            for repo in repos:
                self._refuse_pipeline_repo(repo)
            self._delete_rows([store.repos.get(self._state.connection, repo) for repo in repos], force=force)
            return repos

    def delete_pipeline_repo(self, repo: Repo, *, force: bool = False) -> bool:
        """`delete` for PPS, which deletes the repos of a pipeline with it."""
        with self._state.transactions.begin():
            row = store.repos.find(self._state.connection, repo)
            if row is None:
                return False
            self._delete_rows(self._related(row), force=force)
            return True

    def _refuse_pipeline_repo(self, repo: Repo) -> None:
        if self._state.hooks.is_pipeline_repo(repo):
            raise PachydermError("cannot delete a repo associated with a pipeline - delete the pipeline instead")

    def _related(self, row: RepoRow) -> list[RepoRow]:
        """The repo and, if it is a user's, the pipeline's repos of its name."""
        return [row] if row.type != USER else store.repos.same_name(self._state.connection, row.repo)

    def _delete_rows(self, rows: list[RepoRow], *, force: bool) -> None:
        with self._state.transactions.begin() as txn:
            connection = self._state.connection
            branches = [branch for row in rows for branch in store.branches.of_repo(connection, row.id)]
            branches.sort(key=lambda branch: len(store.branches.upstream(connection, branch.id)), reverse=True)
            for branch in branches:
                self._branches.delete(branch.branch, force=force)
            for row in rows:
                for commit in list(store.commits.of_repo(connection, row.id, newest_first=True)):
                    commit_sets.remove(self._state, txn, commit, store.commits.info(connection, commit))
                store.repos.delete(connection, row.id)
