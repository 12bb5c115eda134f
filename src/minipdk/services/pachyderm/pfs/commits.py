"""Commits: start, finish, inspect, list, wait for and follow them.

A commit is open until it is told to finish; from then on its tree never changes. It is finished once its parent is. A
finished commit may carry an error: its children then grow from its last ancestor without one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from threading import Event

from minipdk.services.pachyderm.errors import BaseCommitNotFinishedError, NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import commit_references as pickers
from minipdk.services.pachyderm.pfs import records, trees
from minipdk.services.pachyderm.pfs.model import Branch, Commit, CommitInfo, CommitState, Origin, Repo, validate_branch_name
from minipdk.services.pachyderm.pfs.transactions import State, Transaction
from minipdk.services.pachyderm.pfs.trees import Stack


@dataclass(frozen=True)
class Contents:
    """A commit, and the file sets whose union its tree is."""

    commit: Commit
    filesets: Collection[str]


class Commits:
    def __init__(self, state: State) -> None:
        self._state = state

    def pick(self, commit: Commit) -> sqlite3.Row:
        return pickers.pick(self._state.connection, commit)

    def inspect(self, commit: Commit) -> CommitInfo:
        return records.commit_info(self._state.connection, self.pick(commit))

    def start(self, branch: Branch, parent: Commit | None = None, description: str = "") -> Commit:
        """A user's new commit on a branch without provenance, or a spout's on its own branch; a missing branch is made."""
        self.refuse_output(branch)
        return self.open(branch, parent, description)

    def refuse_output(self, branch: Branch) -> None:
        """Raise an error for a branch on which only the system, or a spout whose own it is, may start commits."""
        row = records.find_branch(self._state.connection, branch)
        is_output = row is not None and records.direct_upstream(self._state.connection, row["id"])
        if is_output and not self._state.hooks.is_own_output(branch):
            raise PachydermError(f"cannot start a commit on an output branch: {branch}")

    def open(self, branch: Branch, parent: Commit | None = None, description: str = "") -> Commit:
        """A new open commit as the head of any branch, provenant on the heads of the branch's provenance."""
        validate_branch_name(branch.name)
        if parent is not None and parent.repo != branch.repo:
            raise PachydermError("branch and parent commit must belong to the same repo")
        with self._state.transactions.begin() as txn:
            connection = self._state.connection
            repo_id = records.repo_row(connection, branch.repo)["id"]
            row = records.find_branch(connection, branch)
            parent_row = self.pick(parent) if parent else records.commit_by_id(connection, row["head"]) if row else None
            if parent_row is not None and not parent_row["finishing"]:
                raise PachydermError(f"parent commit {records.commit_handle(parent_row)} has not been finished")
            upstream = heads(connection, records.direct_upstream(connection, row["id"])) if row else []
            parent_id = parent_row["id"] if parent_row is not None else None
            commit_id = insert(connection, txn, branch, parent_id, upstream, origin=Origin.USER, description=description)
            branch_id = move_head(connection, txn, repo_id, branch.name, commit_id)
            txn.changed_branches.append(branch_id)
            return branch.repo.commit(txn.id)

    def finish(self, commit: Commit, *, description: str = "", error: str = "", force: bool = False) -> None:
        """Close a commit: its tree is checked and kept, or, with an error, the commit is marked as failed."""
        with self._state.transactions.begin() as txn:
            connection, row = self._state.connection, self.pick(commit)
            handle = records.commit_handle(row)
            if row["finishing"]:
                raise PachydermError(f"commit {handle} has already finished")
            output = bool(records.commits_upstream(connection, row["id"]))
            if output and not force and self._state.hooks.is_transform_repo(handle.repo):
                raise PachydermError("cannot finish a pipeline output or meta commit, use 'stop job' instead")
            connection.execute(
                "UPDATE commits SET finishing = ?, updated = ?, error = ?,"
                " description = coalesce(nullif(?, ''), description) WHERE id = ?",
                (txn.now, txn.now, error, description, row["id"]),
            )
            self._complete(txn, row["id"])

    def _complete(self, txn: Transaction, row_id: int) -> None:
        """Finish a commit that was told to, and those of its children that wait for it; not while its parent is open."""
        connection = self._state.connection
        row = records.commit_by_id(connection, row_id)
        try:
            size, error = self._settle(row, row["error"])
        except BaseCommitNotFinishedError:
            return
        connection.execute(
            "UPDATE commits SET finished = ?, updated = ?, error = ?, size = ?, own_layer = NULL WHERE id = ?",
            (txn.now, txn.now, error, size, row_id),
        )
        txn.finished_commits.append(row_id)
        for child in records.children_of(connection, row_id):
            if child["finishing"] and not child["finished"]:
                self._complete(txn, child["id"])

    def _settle(self, row: sqlite3.Row, error: str) -> tuple[int, str]:
        """Fix the stack of a commit that is being finished; its size, and why it failed if it did."""
        connection = self._state.connection
        try:
            stack = readable_stack(connection, row)
        except BaseCommitNotFinishedError:
            if not error:
                raise
            stack = ()
        if row["own_layer"] is not None:
            if path := trees.collision(connection, stack):
                error = error or f"file / directory path collision ({path})"
            before = stack
            stack = trees.compact(connection, stack)
            set_stack(connection, row["id"], stack)
            connection.execute("UPDATE commits SET own_layer = NULL WHERE id = ?", (row["id"],))
            trees.drop_unused(connection, set(before) - set(stack))
        else:
            set_stack(connection, row["id"], stack)
        root = trees.lookup(connection, stack, "/")
        return (root.size if root else 0), error

    def clear(self, commit: Commit) -> None:
        """Forget everything that was written to an open commit."""
        with self._state.transactions.begin() as txn:
            row = self.pick(commit)
            if row["finishing"]:
                raise PachydermError("cannot clear finished commit")
            forget_tree(self._state.connection, row)
            self._state.connection.execute("UPDATE commits SET size = 0, updated = ? WHERE id = ?", (txn.now, row["id"]))

    def writable_stack(self, commit: Commit) -> tuple[int, Stack]:
        """The row id of an open commit and its stack, whose top layer is the commit's own. Inside a transaction."""
        connection, row = self._state.connection, self.pick(commit)
        if row["finishing"]:
            raise PachydermError(f"commit {records.commit_handle(row)} has already finished")
        stack = readable_stack(connection, row)
        if row["own_layer"] is None:
            layer = trees.new_layer(connection)
            stack = (*stack, layer)
            set_stack(connection, row["id"], stack)
            connection.execute("UPDATE commits SET own_layer = ? WHERE id = ?", (layer, row["id"]))
        return row["id"], stack

    def set_contents(self, commit: Commit, filesets: Collection[str], since: Contents | None = None) -> None:
        """Make an open commit's tree the union of file sets. Of what differs little from ``since``, only that is written.

        Raises PachydermError when two file sets hold one path.
        """
        with self._state.transactions.begin() as txn:
            connection, row = self._state.connection, self.pick(commit)
            if row["finishing"]:
                raise PachydermError(f"commit {records.commit_handle(row)} has already finished")
            forget_tree(connection, row)
            layer = trees.new_layer(connection)
            connection.execute("UPDATE commits SET own_layer = ?, updated = ? WHERE id = ?", (layer, txn.now, row["id"]))
            wanted, known = set(filesets), set(since.filesets) if since else set()
            below = self._tree_of(since) if since and 2 * len(wanted ^ known) < len(wanted) else None
            stack = (*(below or ()), layer)
            set_stack(connection, row["id"], stack)
            if below is None:
                trees.unite(connection, layer, self._layers(wanted))
            else:
                trees.exchange(connection, stack, self._layers(known - wanted), self._layers(wanted - known))
            self.note_size(row["id"], stack)

    def _tree_of(self, contents: Contents) -> Stack | None:
        """The layers of the commit that has these contents; None when it is gone or failed."""
        try:
            row = self.pick(contents.commit)
        except NotFoundError:
            return None
        return stored_stack(self._state.connection, row["id"]) if row["finished"] and not row["error"] else None

    def _layers(self, filesets: Iterable[str]) -> list[int]:
        return [records.fileset_layer(self._state.connection, one) for one in filesets]

    def note_size(self, row_id: int, stack: Stack) -> None:
        """Keep an open commit's size as what has been written so far."""
        root = trees.lookup(self._state.connection, stack, "/")
        self._state.connection.execute("UPDATE commits SET size = ? WHERE id = ?", (root.size if root else 0, row_id))

    def wait(self, commit: Commit, state: CommitState, stop: Event | None = None) -> CommitInfo:
        """The commit once it is in ``state``; as it is now if ``stop`` is set first."""
        row = self.pick(commit)
        handle = records.commit_handle(row)
        if not row["finished"] and state is not CommitState.STARTED:
            awaited = [row["id"]] if state >= CommitState.FINISHING else self._direct_provenance(row["id"])
            column = "finishing" if state is CommitState.FINISHING else "finished"
            self._state.transactions.wait(lambda: all(self._there(one, handle)[column] for one in awaited), stop)
        return records.commit_info(self._state.connection, self._there(row["id"], handle))

    def _direct_provenance(self, row_id: int) -> list[int]:
        query = "SELECT upstream FROM commit_provenance WHERE downstream = ?"
        return [row["upstream"] for row in self._state.connection.execute(query, (row_id,)).fetchall()]

    def _there(self, row_id: int, handle: Commit) -> sqlite3.Row:
        row = records.commit_still_there(self._state.connection, row_id)
        if row is None:
            raise PachydermError(f"commit {handle} was deleted")
        return row

    def all(self, repo: Repo | None, *, reverse: bool = False) -> Iterator[CommitInfo]:
        """The commits of a repo (of all repos if None), newest first."""
        connection = self._state.connection
        repo_id = records.repo_row(connection, repo)["id"] if repo else None
        for row in records.commits_of_repo(connection, repo_id, newest_first=not reverse):
            yield records.commit_info(connection, row)

    def line(self, to: Commit, before: Commit | None = None) -> Iterator[CommitInfo]:
        """``to`` and its ancestors, up to and without ``before``."""
        connection = self._state.connection
        end = self.pick(before)["id"] if before else None
        row: sqlite3.Row | None = self.pick(to)
        while row is not None and row["id"] != end:
            yield records.commit_info(connection, row)
            row = records.commit_by_id(connection, row["parent"]) if row["parent"] else None

    def subscribe(
        self, repo: Repo, branch: str, state: CommitState, stop: Event, since: Commit | None = None
    ) -> Iterator[CommitInfo]:
        """Every commit of the repo, oldest first, then each new one once it is in ``state``, until ``stop``."""
        connection = self._state.connection
        repo_id = records.repo_row(connection, repo)["id"]
        skipped = self.pick(since)["id"] if since else None
        last = 0

        def newer() -> list[int]:
            query = "SELECT id FROM commits WHERE repo = ? AND id > ? AND (? = '' OR branch = ?) ORDER BY id"
            return [row["id"] for row in self._state.connection.execute(query, (repo_id, last, branch, branch)).fetchall()]

        while not stop.is_set():
            for row_id in self._state.transactions.wait(newer, stop) or []:
                last = row_id
                row = records.commit_still_there(self._state.connection, row_id)
                if row is None or row_id == skipped:
                    continue
                info = self.wait(records.commit_handle(row), state, stop)
                if not stop.is_set():
                    yield info


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
    repo_id = records.repo_row(connection, branch.repo)["id"]
    try:
        row_id = connection.execute(
            "INSERT INTO commits (repo, commit_set, branch, parent, origin, description, started, updated,"
            " finishing, finished) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?8)",
            (repo_id, txn.id, branch.name, parent, origin, description, txn.now, txn.now if finished else 0),
        ).lastrowid
    except sqlite3.IntegrityError:
        raise PachydermError(
            f"inconsistent dependencies: cannot create commit from {branch.repo.commit(txn.id)}; "
            f"repo ({branch.repo.name}) already has a commit in this transaction"
        ) from None
    assert row_id is not None
    connection.executemany(
        "INSERT OR IGNORE INTO commit_provenance (downstream, upstream) VALUES (?, ?)", ((row_id, one) for one in upstream)
    )
    txn.created_commits.append(row_id)
    return row_id


def heads(connection: sqlite3.Connection, branch_ids: Iterable[int]) -> list[int]:
    return [records.branch_by_id(connection, one)["head"] for one in branch_ids]


def move_head(connection: sqlite3.Connection, txn: Transaction, repo_id: int, name: str, commit_id: int) -> int:
    """Point a branch, made if need be, at a commit: the branch's row id."""
    connection.execute(
        "INSERT INTO branches (repo, name, head, created, updated) VALUES (?1, ?2, ?3, ?4, ?4)"
        " ON CONFLICT (repo, name) DO UPDATE SET head = ?3, updated = ?4",
        (repo_id, name, commit_id, txn.now),
    )
    row = connection.execute("SELECT id FROM branches WHERE repo = ? AND name = ?", (repo_id, name)).fetchone()
    return int(row["id"])


def readable_stack(connection: sqlite3.Connection, row: sqlite3.Row) -> Stack:
    """The layers of a commit's tree; an open commit's are what was written to it so far on top of its parent's.

    Raises BaseCommitNotFinishedError while the commit it grows from is open.
    """
    own = stored_stack(connection, row["id"])
    if own or row["finished"]:
        return own
    base = row
    while base["parent"] is not None:
        base = records.commit_by_id(connection, base["parent"])
        if not base["finished"]:
            raise BaseCommitNotFinishedError(
                f"base commit {records.commit_handle(base)} for commit {records.commit_handle(row)} unfinished"
            )
        if not base["error"]:
            return stored_stack(connection, base["id"])
    return ()


def stored_stack(connection: sqlite3.Connection, row_id: int) -> Stack:
    """The layers of a commit that has a tree of its own; none of an open one that nothing was written to."""
    query = "SELECT layer FROM commit_layers WHERE commit_id = ? ORDER BY position"
    return tuple(row["layer"] for row in connection.execute(query, (row_id,)).fetchall())


def set_stack(connection: sqlite3.Connection, row_id: int, stack: Stack) -> None:
    connection.execute("DELETE FROM commit_layers WHERE commit_id = ?", (row_id,))
    connection.executemany(
        "INSERT INTO commit_layers VALUES (?, ?, ?)", ((row_id, position, layer) for position, layer in enumerate(stack))
    )


def forget_tree(connection: sqlite3.Connection, row: sqlite3.Row) -> None:
    """Drop a commit's stack, and the layers that nothing else needs."""
    stack = stored_stack(connection, row["id"])
    connection.execute("UPDATE commits SET own_layer = NULL WHERE id = ?", (row["id"],))
    set_stack(connection, row["id"], ())
    trees.drop_unused(connection, stack)
