"""Commit sets (all commits of one global id), and the ways to delete commits: squash and drop.

Squashing keeps the data in the children; dropping loses it, so it is allowed only at the end of a line.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from minipdk.services.pachyderm.errors import NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import commits, store
from minipdk.services.pachyderm.pfs.commits import Commits
from minipdk.services.pachyderm.pfs.model import SPEC, Commit, CommitInfo, CommitState, Origin
from minipdk.services.pachyderm.pfs.store.commits import CommitRow
from minipdk.services.pachyderm.pfs.transactions import State, Transaction
from minipdk.services.pachyderm.waiting import Steps


class CommitSets:
    def __init__(self, state: State, all_commits: Commits) -> None:
        self._state = state
        self._commits = all_commits

    def inspect(self, set_id: str, *, aliases: bool = True) -> list[CommitInfo]:
        """The set's commits, each after its provenance; with ``aliases``, also the commits of other sets they depend on."""
        connection = self._state.connection
        rows = store.commits.of_set(connection, set_id)
        if not rows:
            raise NotFoundError(f"no commits found for commitset {set_id}")
        if aliases:
            rows = [*store.commits.upstream_of_set(connection, set_id), *rows]
        return [store.commits.info(connection, row) for row in _provenance_first(connection, rows)]

    def wait(self, set_id: str) -> Steps[CommitInfo]:
        """The same commits, each once it is finished; the finished ones come first."""
        infos = self.inspect(set_id)
        yield from (info for info in infos if info.finished)
        for info in infos:
            if not info.finished:
                yield (yield from self._commits.wait(info.commit, CommitState.FINISHED))

    def all(self, project: str | None) -> Iterator[tuple[str, list[CommitInfo]]]:
        """Every set with a commit in ``project`` (in any if None), newest first."""
        seen: set[str] = set()
        for row in store.commits.of_repo(self._state.connection, None, newest_first=True):
            if row.set_id not in seen and project in (None, row.project):
                seen.add(row.set_id)
                yield row.set_id, self.inspect(row.set_id)

    def squash(self, set_id: str) -> None:
        """Delete a set's commits and keep their data in their children. An unknown set is no error, here and in `drop`."""
        with self._state.transactions.begin() as txn:
            rows = store.commits.of_set(self._state.connection, set_id)
            self._refuse_subvenant_sets(set_id, rows)
            self._squash_rows(txn, rows)

    def drop(self, set_id: str) -> None:
        """Delete a set's commits with their data."""
        with self._state.transactions.begin() as txn:
            rows = store.commits.of_set(self._state.connection, set_id)
            self._refuse_subvenant_sets(set_id, rows)
            _refuse_specs(rows)
            self._drop_rows(txn, rows)

    def squash_commit(self, commit: Commit, *, recursive: bool) -> None:
        with self._state.transactions.begin() as txn:
            self._squash_rows(txn, self._with_subvenance(commit, "squash", recursive=recursive))

    def drop_commit(self, commit: Commit, *, recursive: bool) -> None:
        with self._state.transactions.begin() as txn:
            self._drop_rows(txn, self._with_subvenance(commit, "drop", recursive=recursive))

    def _squash_rows(self, txn: Transaction, rows: list[CommitRow]) -> None:
        _refuse_specs(rows)
        for row in rows:
            if not store.commits.children(self._state.connection, row.id):
                raise PachydermError(
                    "cannot squash a commit that has no children as that would cause data loss, "
                    f"use the drop operation instead: {row.commit}"
                )
        for row in rows:
            self._delete(txn, row.id)

    def _drop_rows(self, txn: Transaction, rows: list[CommitRow]) -> None:
        for row in rows:
            if store.commits.children(self._state.connection, row.id):
                raise PachydermError(f"cannot drop a commit that has children: {row.commit}")
        for row in rows:
            self._delete(txn, row.id)

    def _with_subvenance(self, commit: Commit, verb: str, *, recursive: bool) -> list[CommitRow]:
        connection, row = self._state.connection, self._commits.pick(commit)
        downstream = store.commits.downstream(connection, row.id)
        if downstream and not recursive:
            raise PachydermError(f"cannot {verb} commit ({row.commit}) with subvenance without recursive")
        return [row, *(store.commits.by_id(connection, row_id) for row_id in downstream)]

    def _refuse_subvenant_sets(self, set_id: str, rows: Iterable[CommitRow]) -> None:
        connection = self._state.connection
        sets: dict[str, None] = {}
        for row in rows:
            for row_id in store.commits.downstream(connection, row.id):
                sets[store.commits.by_id(connection, row_id).set_id] = None
        sets.pop(set_id, None)
        if sets:
            names = " ".join(f'id:"{subvenant}"' for subvenant in sets)
            raise PachydermError(
                f'commit set "id:\\"{set_id}\\"" cannot be dropped because it has subvenant commit sets: [{names}]'
            )

    def _delete(self, txn: Transaction, row_id: int) -> None:
        """Delete a commit: its children get its parent, and so do the branches it was the head of."""
        connection = self._state.connection
        row = store.commits.by_id(connection, row_id)
        for child in store.commits.children(connection, row_id):
            if not child.finished:
                hint = ", consider using WaitCommit" if child.finishing else ""
                raise PachydermError(f"cannot squash until child commit {child.commit} is finished{hint}")
        info = store.commits.info(connection, row)
        branches = store.branches.headed_by(connection, row_id)
        new_head = row.parent
        if branches and new_head is None:
            new_head = self._empty_head(txn, row, branches[0])
        store.branches.replace_head(connection, row_id, new_head, txn.now)
        store.commits.replace_parent(connection, row_id, row.parent, txn.now)
        remove(self._state, txn, row, info)

    def _empty_head(self, txn: Transaction, row: CommitRow, branch_id: int) -> int:
        """A new empty commit for a branch that is about to lose its only one."""
        connection = self._state.connection
        branch = store.branches.by_id(connection, branch_id).branch
        upstream = commits.heads(connection, store.branches.direct_upstream(connection, branch_id))
        upstream = [head for head in upstream if head != row.id]
        return commits.insert(connection, txn, branch, None, upstream, origin=Origin.AUTO, finished=not upstream)


def remove(state: State, txn: Transaction, row: CommitRow, info: CommitInfo) -> None:
    """Delete a commit's row and tree, and notify PPS."""
    commits.forget_tree(state.connection, row)
    store.commits.delete(state.connection, row.id)
    for hook in state.hooks.on_commit_deleted:
        hook(txn, info)


def _refuse_specs(rows: Iterable[CommitRow]) -> None:
    for row in rows:
        if row.repo_type == SPEC and row.origin == Origin.USER:
            raise PachydermError(f"cannot squash commit {row.commit} because it updated a pipeline")


def _provenance_first(connection: sqlite3.Connection, rows: list[CommitRow]) -> list[CommitRow]:
    upstream = {row.id: store.commits.upstream(connection, row.id) for row in rows}
    return sorted(rows, key=lambda row: (sum(row_id in upstream for row_id in upstream[row.id]), row.id))
