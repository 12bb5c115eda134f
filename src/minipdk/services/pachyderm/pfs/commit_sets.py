"""Commit sets (all commits of one global id), and the ways to delete commits: squash and drop.

Squashing keeps the data in the children; dropping loses it, so it is allowed only at the end of a line.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from threading import Event

from minipdk.services.pachyderm.errors import NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import commit_references as pickers
from minipdk.services.pachyderm.pfs import commits, records
from minipdk.services.pachyderm.pfs.commits import Commits
from minipdk.services.pachyderm.pfs.model import SPEC, Commit, CommitInfo, CommitState, Origin
from minipdk.services.pachyderm.pfs.transactions import State, Transaction


class CommitSets:
    def __init__(self, state: State, all_commits: Commits) -> None:
        self._state = state
        self._commits = all_commits

    def inspect(self, set_id: str, *, aliases: bool = True) -> list[CommitInfo]:
        """The set's commits, what each is provenant on first; with the commits of other sets that they depend on."""
        connection = self._state.connection
        rows = records.commits_of_set(connection, set_id)
        if not rows:
            raise NotFoundError(f"no commits found for commitset {set_id}")
        if aliases:
            rows = [*pickers.set_provenance(connection, set_id), *rows]
        return [records.commit_info(connection, row) for row in _provenance_first(connection, rows)]

    def wait(self, set_id: str, stop: Event) -> Iterator[CommitInfo]:
        """The same, each once it is finished; those that are finished now come first."""
        found = self.inspect(set_id)
        yield from (info for info in found if info.finished)
        for info in found:
            if not info.finished:
                yield self._commits.wait(info.commit, CommitState.FINISHED, stop)

    def all(self, project: str | None) -> Iterator[tuple[str, list[CommitInfo]]]:
        """Every set with a commit in ``project`` (in any if None), newest first."""
        seen: set[str] = set()
        for row in records.commits_of_repo(self._state.connection, None, newest_first=True):
            if row["commit_set"] not in seen and project in (None, row["project"]):
                seen.add(row["commit_set"])
                yield row["commit_set"], self.inspect(row["commit_set"])

    def squash(self, set_id: str) -> None:
        """Nothing happens, as for `drop`, where there is no such set."""
        with self._state.transactions.begin() as txn:
            rows = records.commits_of_set(self._state.connection, set_id)
            self._refuse_subvenant_sets(set_id, rows)
            self.squash_rows(txn, rows)

    def drop(self, set_id: str) -> None:
        with self._state.transactions.begin() as txn:
            rows = records.commits_of_set(self._state.connection, set_id)
            self._refuse_subvenant_sets(set_id, rows)
            _refuse_specs(rows)
            self.drop_rows(txn, rows)

    def squash_commit(self, commit: Commit, *, recursive: bool) -> None:
        with self._state.transactions.begin() as txn:
            self.squash_rows(txn, self._with_subvenance(commit, "squash", recursive=recursive))

    def drop_commit(self, commit: Commit, *, recursive: bool) -> None:
        with self._state.transactions.begin() as txn:
            self.drop_rows(txn, self._with_subvenance(commit, "drop", recursive=recursive))

    def squash_rows(self, txn: Transaction, rows: list[sqlite3.Row]) -> None:
        _refuse_specs(rows)
        for row in rows:
            if not records.children_of(self._state.connection, row["id"]):
                raise PachydermError(
                    "cannot squash a commit that has no children as that would cause data loss, "
                    f"use the drop operation instead: {records.commit_handle(row)}"
                )
        for row in rows:
            self._delete(txn, row["id"])

    def drop_rows(self, txn: Transaction, rows: list[sqlite3.Row]) -> None:
        for row in rows:
            if records.children_of(self._state.connection, row["id"]):
                raise PachydermError(f"cannot drop a commit that has children: {records.commit_handle(row)}")
        for row in rows:
            self._delete(txn, row["id"])

    def _with_subvenance(self, commit: Commit, verb: str, *, recursive: bool) -> list[sqlite3.Row]:
        connection, row = self._state.connection, self._commits.pick(commit)
        downstream = records.commits_downstream(connection, row["id"])
        if downstream and not recursive:
            raise PachydermError(f"cannot {verb} commit ({records.commit_handle(row)}) with subvenance without recursive")
        return [row, *(records.commit_by_id(connection, one) for one in downstream)]

    def _refuse_subvenant_sets(self, set_id: str, rows: Iterable[sqlite3.Row]) -> None:
        sets: dict[str, None] = {}
        for row in rows:
            for one in records.commits_downstream(self._state.connection, row["id"]):
                sets[records.commit_by_id(self._state.connection, one)["commit_set"]] = None
        sets.pop(set_id, None)
        if sets:
            names = " ".join(f'id:"{one}"' for one in sets)
            raise PachydermError(
                f'commit set "id:\\"{set_id}\\"" cannot be dropped because it has subvenant commit sets: [{names}]'
            )

    def _delete(self, txn: Transaction, row_id: int) -> None:
        """Delete a commit: its children get its parent, and so do the branches it was the head of."""
        connection = self._state.connection
        row = records.commit_by_id(connection, row_id)
        for child in records.children_of(connection, row_id):
            if not child["finished"]:
                hint = ", consider using WaitCommit" if child["finishing"] else ""
                raise PachydermError(f"cannot squash until child commit {records.commit_handle(child)} is finished{hint}")
        info = records.commit_info(connection, row)
        headed = connection.execute("SELECT id, name FROM branches WHERE head = ?", (row_id,)).fetchall()
        new_head = row["parent"]
        if headed and new_head is None:
            new_head = self._empty_head(txn, row, headed[0]["id"])
        connection.execute("UPDATE branches SET head = ?, updated = ? WHERE head = ?", (new_head, txn.now, row_id))
        connection.execute("UPDATE commits SET parent = ?, updated = ? WHERE parent = ?", (row["parent"], txn.now, row_id))
        remove(self._state, txn, row, info)

    def _empty_head(self, txn: Transaction, row: sqlite3.Row, branch_id: int) -> int:
        """A new empty commit for a branch that is about to lose its only one."""
        connection = self._state.connection
        branch = records.branch_handle(records.branch_by_id(connection, branch_id))
        upstream = commits.heads(connection, records.direct_upstream(connection, branch_id))
        upstream = [one for one in upstream if one != row["id"]]
        return commits.insert(connection, txn, branch, None, upstream, origin=Origin.AUTO, finished=not upstream)


def remove(state: State, txn: Transaction, row: sqlite3.Row, info: CommitInfo) -> None:
    """Delete a commit's row and tree, telling PPS."""
    commits.forget_tree(state.connection, row)
    state.connection.execute("DELETE FROM commits WHERE id = ?", (row["id"],))
    for hook in state.hooks.on_commit_deleted:
        hook(txn, info)


def _refuse_specs(rows: Iterable[sqlite3.Row]) -> None:
    for row in rows:
        if row["repo_type"] == SPEC and row["origin"] == Origin.USER:
            raise PachydermError(f"cannot squash commit {records.commit_handle(row)} because it updated a pipeline")


def _provenance_first(connection: sqlite3.Connection, rows: list[sqlite3.Row]) -> list[sqlite3.Row]:
    upstream = {row["id"]: records.commits_upstream(connection, row["id"]) for row in rows}
    return sorted(rows, key=lambda row: (sum(one in upstream for one in upstream[row["id"]]), row["id"]))
