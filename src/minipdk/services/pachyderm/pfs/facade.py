"""`Pfs`: the parts of PFS put together over one home."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from threading import Event
from typing import TypeVar

from minipdk.common.home import Home
from minipdk.services.pachyderm import callers
from minipdk.services.pachyderm.pfs import store
from minipdk.services.pachyderm.pfs.branches import Branches
from minipdk.services.pachyderm.pfs.cache import Cache
from minipdk.services.pachyderm.pfs.commit_sets import CommitSets
from minipdk.services.pachyderm.pfs.commits import Commits
from minipdk.services.pachyderm.pfs.content import ContentStore
from minipdk.services.pachyderm.pfs.files import Files
from minipdk.services.pachyderm.pfs.fsck import Fsck
from minipdk.services.pachyderm.pfs.garbage import Garbage
from minipdk.services.pachyderm.pfs.model import (
    Branch,
    BranchInfo,
    Commit,
    CommitInfo,
    Contents,
    ProjectInfo,
    Repo,
    RepoInfo,
    Trigger,
)
from minipdk.services.pachyderm.pfs.repos import Projects, Repos
from minipdk.services.pachyderm.pfs.transactions import CommitHook, Hooks, State, Transaction, Transactions
from minipdk.services.pachyderm.pfs.triggers import Triggers
from minipdk.services.pachyderm.schema import MIGRATIONS
from minipdk.services.pachyderm.waiting import Wait
from minipdk.storage import BlobStore, Database, pair

T = TypeVar("T")


class Pfs:
    """The state of PFS and its rules. Every method may be called from any thread."""

    def __init__(self, home: Home) -> None:
        self.db = Database(home.database("pachyderm"), MIGRATIONS)
        blobs = BlobStore(home.folder("blobs"))
        pair(self.db, blobs.root, lambda: not blobs.is_empty())
        content = ContentStore(self.db, blobs)
        transactions = Transactions(self.db, partial(callers.username, auth=bool(home.session_token)))
        transactions.before_commit = self._before_commit
        self.state = State(self.db, content, transactions, Hooks())
        self.projects = Projects(self.state)
        self.branches = Branches(self.state)
        self.triggers = Triggers(self.state)
        self.repos = Repos(self.state, self.branches)
        self.commits = Commits(self.state)
        self.commit_sets = CommitSets(self.state, self.commits)
        self.files = Files(self.state, self.commits)
        self.garbage = Garbage(self.state, self.files)
        self.fsck = Fsck(self.state, self.commits, self.files, self.garbage)
        self.cache = Cache(self.state)

    def transaction(self, commit_set: str = "", *, rehearsal: bool = False) -> AbstractContextManager[Transaction]:
        """See `Transactions.begin`."""
        return self.state.transactions.begin(commit_set, rehearsal=rehearsal)

    def _before_commit(self, txn: Transaction) -> None:
        """Propagate, and notify PPS, until nothing more happens."""
        while txn.changed_branches or txn.created_commits or txn.finished_commits:
            if txn.changed_branches:
                self.branches.propagate(txn)
            elif txn.created_commits:
                self._notify_created(txn, txn.created_commits.pop(0))
            else:
                self._notify_finished(txn, txn.finished_commits.pop(0))

    def _notify_created(self, txn: Transaction, row_id: int) -> None:
        connection = self.state.connection
        row = store.commits.find_by_id(connection, row_id)
        if row is None or row.finished:
            return
        info = store.commits.info(connection, row)
        branch = store.branches.find(connection, info.branch)
        if branch is not None and store.branches.direct_upstream(connection, branch.id):
            for hook in self.state.hooks.on_commit_created:
                hook(txn, info)

    def _notify_finished(self, txn: Transaction, row_id: int) -> None:
        row = store.commits.find_by_id(self.state.connection, row_id)
        if row is not None:
            info = store.commits.info(self.state.connection, row)
            self.triggers.commit_finished(txn, row_id)
            for hook in self.state.hooks.on_commit_finished:
                hook(txn, info)

    def wait(self, predicate: Callable[[], T], stop: Event | None = None, timeout: float | None = None) -> T | None:
        return self.state.transactions.wait(predicate, stop, timeout)

    def wake(self) -> None:
        """Make every thread in `wait` check again, for instance after setting a stop event."""
        self.state.transactions.wake()

    # The short names that PPS uses.

    def create_repo(self, repo: Repo, description: str = "", *, update: bool = False) -> None:
        self.repos.create(repo, description, update=update)

    def delete_repo(self, repo: Repo, *, force: bool = False) -> bool:
        return self.repos.delete(repo, force=force)

    def inspect_repo(self, repo: Repo) -> RepoInfo:
        return self.repos.inspect(repo)

    def create_branch(
        self,
        branch: Branch,
        provenance: Sequence[Branch] = (),
        head: Commit | None = None,
        *,
        trigger: Trigger | None = None,
        never: Sequence[Branch] = (),
    ) -> None:
        self.branches.create(branch, provenance, head, trigger=trigger, never=never)

    def delete_branch(self, branch: Branch, *, force: bool = False) -> None:
        self.branches.delete(branch, force=force)

    def inspect_branch(self, branch: Branch) -> BranchInfo:
        return self.branches.inspect(branch)

    def start_commit(self, branch: Branch, parent: Commit | None = None, description: str = "") -> Commit:
        return self.commits.start(branch, parent, description)

    def open_commit(self, branch: Branch, parent: Commit | None = None, description: str = "") -> Commit:
        return self.commits.open(branch, parent, description)

    def finish_commit(self, commit: Commit, *, error: str = "", description: str = "", force: bool = True) -> None:
        self.commits.finish(commit, error=error, description=description, force=force)

    def clear_commit(self, commit: Commit) -> None:
        self.commits.clear(commit)

    def set_contents(self, commit: Commit, filesets: Collection[str], since: Contents | None = None) -> None:
        self.commits.set_contents(commit, filesets, since)

    def write_files(self, commit: Commit, files: Mapping[str, bytes]) -> None:
        self.files.write(commit, files)

    def inspect_commit(self, commit: Commit) -> CommitInfo:
        return self.commits.inspect(commit)

    def until(self, predicate: Callable[[], T]) -> Wait[T]:
        return self.state.transactions.until(predicate)

    def commit_set(self, set_id: str) -> list[CommitInfo]:
        return self.commit_sets.inspect(set_id, aliases=False)

    def inspect_project(self, name: str) -> ProjectInfo:
        return self.projects.inspect(name)

    def list_repos(self, repo_type: str = "", projects: Sequence[str] = ()) -> list[RepoInfo]:
        return self.repos.all(repo_type, projects)

    @property
    def on_commit_created(self) -> list[CommitHook]:
        return self.state.hooks.on_commit_created

    @property
    def on_commit_finished(self) -> list[CommitHook]:
        return self.state.hooks.on_commit_finished

    @property
    def on_commit_deleted(self) -> list[CommitHook]:
        return self.state.hooks.on_commit_deleted

    @property
    def is_pipeline_repo(self) -> Callable[[Repo], bool]:
        return self.state.hooks.is_pipeline_repo

    @is_pipeline_repo.setter
    def is_pipeline_repo(self, answer: Callable[[Repo], bool]) -> None:
        self.state.hooks.is_pipeline_repo = answer
