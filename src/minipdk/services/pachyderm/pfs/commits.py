"""Commits: start, finish, inspect, list, await and follow them.

A commit is open until it is closed (`Commits.finish`); from then on its tree never changes. It is finished once its parent
is. A finished commit may have an error: its children then grow from its last ancestor without one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator

from minipdk.services.pachyderm.errors import AlreadyExistsError, BaseCommitNotFinishedError, NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import commit_references, store, trees
from minipdk.services.pachyderm.pfs.model import (
    Branch,
    Commit,
    CommitInfo,
    CommitState,
    Contents,
    Origin,
    Repo,
    Stack,
    validate_branch_name,
)
from minipdk.services.pachyderm.pfs.store.commits import CommitRow
from minipdk.services.pachyderm.pfs.transactions import State, Transaction
from minipdk.services.pachyderm.waiting import Steps, Wait


class Commits:
    def __init__(self, state: State) -> None:
        self._state = state

    def pick(self, commit: Commit) -> CommitRow:
        """The row of the commit that ``commit.id`` refers to. Raises NotFoundError."""
        return commit_references.resolve(self._state.connection, commit)

    def inspect(self, commit: Commit) -> CommitInfo:
        return store.commits.info(self._state.connection, self.pick(commit))

    # Starting and finishing

    def start(self, branch: Branch, parent: Commit | None = None, description: str = "") -> Commit:
        """A user's new commit on a branch without provenance, or a spout's on its output branch. Creates the branch."""
        self.refuse_output(branch)
        return self.open(branch, parent, description)

    def refuse_output(self, branch: Branch) -> None:
        """Raise an error for a branch with provenance, unless the caller is the spout that commits to it."""
        row = store.branches.find(self._state.connection, branch)
        is_output = row is not None and store.branches.direct_upstream(self._state.connection, row.id)
        if is_output and not self._state.hooks.is_own_output(branch):
            raise PachydermError(f"cannot start a commit on an output branch: {branch}")

    def open(self, branch: Branch, parent: Commit | None = None, description: str = "") -> Commit:
        """A new open commit as the head of any branch, provenant on the heads of the branch's provenance."""
        validate_branch_name(branch.name)
        with self._state.transactions.begin() as txn:
            connection = self._state.connection
            repo_id = store.repos.get(connection, branch.repo).id
            row = store.branches.find(connection, branch)
            parent_row = self.pick(parent) if parent else store.commits.by_id(connection, row.head) if row else None
            if parent_row is not None and parent_row.repo_id != repo_id:
                raise PachydermError("branch and parent commit must belong to the same repo")
            if parent_row is not None and not parent_row.finishing:
                raise PachydermError(f"parent commit {parent_row.commit} has not been finished")
            upstream = heads(connection, store.branches.direct_upstream(connection, row.id)) if row else []
            parent_id = parent_row.id if parent_row is not None else None
            commit_id = insert(connection, txn, branch, parent_id, upstream, origin=Origin.USER, description=description)
            branch_id = store.branches.set_head(connection, repo_id, branch.name, commit_id, txn.now, author=txn.author)
            txn.changed_branches.append(branch_id)
            return branch.repo.commit(txn.id)

    def finish(self, commit: Commit, *, description: str = "", error: str = "", force: bool = False) -> None:
        """Close a commit: its tree is checked and kept or, with an error, the commit is marked as failed."""
        with self._state.transactions.begin() as txn:
            connection, row = self._state.connection, self.pick(commit)
            if row.finishing:
                raise PachydermError(f"commit {row.commit} has already finished")
            is_output = bool(store.commits.upstream(connection, row.id))
            if is_output and not force and self._state.hooks.is_transform_repo(row.commit.repo):
                raise PachydermError("cannot finish a pipeline output or meta commit, use 'stop job' instead")
            store.commits.set_finishing(connection, row.id, txn.now, error=error, description=description)
            self._complete(txn, row.id)

    def _complete(self, txn: Transaction, row_id: int) -> None:
        """Finish a closed commit, then its closed children; nothing happens while its parent is open."""
        connection = self._state.connection
        row = store.commits.by_id(connection, row_id)
        try:
            size, error = self._settle(row, row.error)
        except BaseCommitNotFinishedError:
            return
        store.commits.set_finished(connection, row_id, txn.now, error=error, size=size)
        txn.finished_commits.append(row_id)
        for child in store.commits.children(connection, row_id):
            if child.finishing and not child.finished:
                self._complete(txn, child.id)

    def _settle(self, row: CommitRow, error: str) -> tuple[int, str]:
        """Fix the stack of a commit that is being finished: its size, and why it failed ("" if it did not)."""
        connection = self._state.connection
        try:
            stack = readable_stack(connection, row)
        except BaseCommitNotFinishedError:
            if not error:
                raise
            stack = ()
        if row.own_layer is not None:
            if path := trees.collision(connection, stack):
                error = error or f"file / directory path collision ({path})"
            before = stack
            stack = trees.compact(connection, stack)
            store.layers.set_stack(connection, row.id, stack)
            store.commits.set_own_layer(connection, row.id, None)
            store.layers.delete_unused(connection, set(before) - set(stack))
        else:
            store.layers.set_stack(connection, row.id, stack)
        return trees.size(connection, stack), error

    # Writing

    def clear(self, commit: Commit) -> None:
        """Forget everything that was written to an open commit."""
        with self._state.transactions.begin() as txn:
            connection, row = self._state.connection, self.pick(commit)
            if row.finishing:
                raise PachydermError("cannot clear finished commit")
            forget_tree(connection, row)
            store.commits.set_size(connection, row.id, 0)
            store.commits.set_updated(connection, row.id, txn.now)

    def writable_stack(self, commit: Commit) -> tuple[int, Stack]:
        """The row id of an open commit and its stack, whose top layer only this commit has. Inside a transaction."""
        connection, row = self._state.connection, self._open_row(commit)
        stack = readable_stack(connection, row)
        if row.own_layer is None:
            layer = store.layers.create(connection)
            stack = (*stack, layer)
            store.layers.set_stack(connection, row.id, stack)
            store.commits.set_own_layer(connection, row.id, layer)
        return row.id, stack

    def set_contents(self, commit: Commit, filesets: Collection[str], since: Contents | None = None) -> None:
        """Make an open commit's tree the union of file sets. If they differ little from ``since``, write only that.

        Raises PachydermError when two file sets have the same path.
        """
        with self._state.transactions.begin() as txn:
            connection, row = self._state.connection, self._open_row(commit)
            forget_tree(connection, row)
            layer = store.layers.create(connection)
            store.commits.set_own_layer(connection, row.id, layer)
            store.commits.set_updated(connection, row.id, txn.now)
            new, known = set(filesets), set(since.filesets) if since else set()
            below = self._tree_of(since) if since and 2 * len(new ^ known) < len(new) else None
            stack = (*(below or ()), layer)
            store.layers.set_stack(connection, row.id, stack)
            if below is None:
                trees.unite(connection, layer, self._layers(new))
            else:
                trees.exchange(connection, stack, self._layers(known - new), self._layers(new - known))
            self.note_size(row.id, stack)

    def _open_row(self, commit: Commit) -> CommitRow:
        row = self.pick(commit)
        if row.finishing:
            raise PachydermError(f"commit {row.commit} has already finished")
        return row

    def _tree_of(self, contents: Contents) -> Stack | None:
        """The layers of the commit with these contents; None if it was deleted or failed."""
        try:
            row = self.pick(contents.commit)
        except NotFoundError:
            return None
        return store.layers.stack(self._state.connection, row.id) if row.finished and not row.error else None

    def _layers(self, filesets: Iterable[str]) -> list[int]:
        return [store.filesets.layer(self._state.connection, fileset) for fileset in filesets]

    def note_size(self, row_id: int, stack: Stack) -> None:
        """Set an open commit's size to that of the files written so far."""
        store.commits.set_size(self._state.connection, row_id, trees.size(self._state.connection, stack))

    # Waiting and listing

    def wait(self, commit: Commit, state: CommitState) -> Wait[CommitInfo]:
        """The commit once it is in ``state``."""
        row = self.pick(commit)
        handle = row.commit
        if not row.finished and state is not CommitState.STARTED:
            is_here = state >= CommitState.FINISHING
            awaited = [row.id] if is_here else store.commits.direct_upstream(self._state.connection, row.id)

            def is_reached() -> bool:
                rows = (self._existing(row_id, handle) for row_id in awaited)
                return all(row.finishing if state is CommitState.FINISHING else row.finished for row in rows)

            yield from self._state.transactions.until(is_reached)
        return store.commits.info(self._state.connection, self._existing(row.id, handle))

    def _existing(self, row_id: int, handle: Commit) -> CommitRow:
        row = store.commits.find_by_id(self._state.connection, row_id)
        if row is None:
            raise PachydermError(f"commit {handle} was deleted")
        return row

    def all(self, repo: Repo | None, *, reverse: bool = False) -> Iterator[CommitInfo]:
        """The commits of a repo (of all repos if None), newest first."""
        connection = self._state.connection
        repo_id = store.repos.get(connection, repo).id if repo else None
        for row in store.commits.of_repo(connection, repo_id, newest_first=not reverse):
            yield store.commits.info(connection, row)

    def line(self, to: Commit, before: Commit | None = None) -> Iterator[CommitInfo]:
        """``to`` and its ancestors, up to but without ``before``."""
        connection = self._state.connection
        end = self.pick(before).id if before else None
        row: CommitRow | None = self.pick(to)
        while row is not None and row.id != end:
            yield store.commits.info(connection, row)
            row = store.commits.by_id(connection, row.parent) if row.parent else None

    def provenance(self, start: Commit, *, downstream: bool, depth: int = 0, limit: int = 0) -> Iterator[CommitInfo]:
        """The commits that ``start`` is provenant on (or, ``downstream``, the reverse), nearest first.

        ``depth`` is the greatest distance, ``limit`` the greatest number; 0: any.
        """
        connection = self._state.connection
        reach = store.commits.downstream if downstream else store.commits.upstream
        distances = reach(connection, self.pick(start).id)
        near = [row_id for row_id, distance in distances.items() if not depth or distance <= depth]
        for row_id in near[: limit or None]:
            yield store.commits.info(connection, store.commits.by_id(connection, row_id))

    def subscribe(self, repo: Repo, branch: str, state: CommitState, since: Commit | None = None) -> Steps[CommitInfo]:
        """Every commit of the repo, oldest first, then each new one, once it is in ``state``."""
        repo_id = store.repos.get(self._state.connection, repo).id
        skipped = self.pick(since).id if since else None
        last = 0

        def newer() -> list[int]:
            return store.commits.newer(self._state.connection, repo_id, last, branch)

        while True:
            for row_id in (yield from self._state.transactions.until(newer)):
                last = row_id
                row = store.commits.find_by_id(self._state.connection, row_id)
                if row is not None and row_id != skipped:
                    yield (yield from self.wait(row.commit, state))


def insert(
    connection: sqlite3.Connection,
    txn: Transaction,
    branch: Branch,
    parent: int | None,
    upstream: Iterable[int],
    *,
    origin: Origin,
    description: str = "",
    finished: bool = False,
) -> int:
    """Add a commit of the transaction's set to a repo: its row id."""
    row_id = store.commits.insert(
        connection,
        store.repos.get(connection, branch.repo).id,
        txn.id,
        branch,
        parent,
        origin=origin,
        description=description,
        created_by=txn.author,
        started=txn.now,
        finished=txn.now if finished else 0,
    )
    if row_id is None:
        raise AlreadyExistsError(
            f"inconsistent dependencies: cannot create commit from {branch.repo.commit(txn.id)}; "
            f"repo ({branch.repo.name}) already has a commit in this transaction"
        )
    store.commits.add_upstream(connection, row_id, upstream)
    txn.created_commits.append(row_id)
    return row_id


def heads(connection: sqlite3.Connection, branch_ids: Iterable[int]) -> list[int]:
    return [store.branches.by_id(connection, branch_id).head for branch_id in branch_ids]


def readable_stack(connection: sqlite3.Connection, row: CommitRow) -> Stack:
    """The layers of a commit's tree. An open commit's are its writes so far on top of its parent's layers.

    Raises BaseCommitNotFinishedError while the commit it grows from is open.
    """
    own = store.layers.stack(connection, row.id)
    if own or row.finished:
        return own
    base = row
    while base.parent is not None:
        base = store.commits.by_id(connection, base.parent)
        if not base.finished:
            raise BaseCommitNotFinishedError(f"base commit {base.commit} for commit {row.commit} unfinished")
        if not base.error:
            return store.layers.stack(connection, base.id)
    return ()


def forget_tree(connection: sqlite3.Connection, row: CommitRow) -> None:
    """Drop a commit's stack, and the layers that nothing else needs."""
    stack = store.layers.stack(connection, row.id)
    store.commits.set_own_layer(connection, row.id, None)
    store.layers.set_stack(connection, row.id, ())
    store.layers.delete_unused(connection, stack)
