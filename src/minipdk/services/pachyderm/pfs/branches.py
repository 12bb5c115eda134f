"""Branches, their provenance, and propagation: keeping downstream branches in step with what they depend on.

The invariant: the head of a branch is provenant on the heads of the branches in its provenance. When a head moves, every
downstream branch gets a new open commit in the same commit set.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import commit_references as pickers
from minipdk.services.pachyderm.pfs import commits, records, triggers
from minipdk.services.pachyderm.pfs.model import (
    SPEC,
    Branch,
    BranchInfo,
    Commit,
    Origin,
    Repo,
    Trigger,
    validate_branch_name,
)
from minipdk.services.pachyderm.pfs.transactions import State, Transaction


class Branches:
    def __init__(self, state: State) -> None:
        self._state = state

    def inspect(self, branch: Branch) -> BranchInfo:
        connection = self._state.connection
        return records.branch_info(connection, records.branch_row(connection, branch))

    def all(self, repo: Repo | None, *, reverse: bool = False) -> list[BranchInfo]:
        """Newest first; of all repos if None."""
        connection = self._state.connection
        if repo is None:
            rows = records.all_branches(connection)
        else:
            rows = records.branches_of(connection, records.repo_row(connection, repo)["id"])
        return [records.branch_info(connection, row) for row in (rows if reverse else reversed(rows))]

    def create(
        self,
        branch: Branch,
        provenance: Sequence[Branch] = (),
        head: Commit | None = None,
        *,
        trigger: Trigger | None = None,
        never: Sequence[Branch] = (),
    ) -> None:
        """Make a branch or change one: ``provenance`` replaces what it had, ``head`` moves it, ``trigger`` is kept if None.

        A branch without a head, or whose provenance has changed, gets a new commit: empty and finished on a source branch,
        open for PPS on one with provenance. New heads of the branches in ``never`` make no new head here.
        """
        with self._state.transactions.begin() as txn:
            connection = self._state.connection
            _validate(connection, branch, provenance, head=head, trigger=trigger, never=never)
            repo_id = records.repo_row(connection, branch.repo)["id"]
            upstream = self._upstream(txn, branch, provenance)
            row = records.find_branch(connection, branch)
            old = records.direct_upstream(connection, row["id"]) if row else []
            head_id = pickers.pick(connection, head)["id"] if head else row["head"] if row else None
            changed = bool(upstream) and set(old) != set(upstream)
            if head_id is None or changed:
                made = commits.heads(connection, upstream)
                head_id = commits.insert(connection, txn, branch, head_id, made, origin=Origin.AUTO, finished=not upstream)
            if row is None or head is not None or head_id != row["head"]:
                branch_id = commits.move_head(connection, txn, repo_id, branch.name, head_id)
                txn.changed_branches.append(branch_id)
            else:
                branch_id = row["id"]
            _set_upstream(connection, branch_id, upstream)
            connection.executemany(
                "INSERT OR IGNORE INTO branch_never VALUES (?, ?)",
                ((branch_id, records.branch_row(connection, one)["id"]) for one in never),
            )
            _check_shape(connection, branch_id)
            if trigger is not None:
                triggers.put(connection, branch_id, trigger)

    def _upstream(self, txn: Transaction, branch: Branch, provenance: Iterable[Branch]) -> list[int]:
        """The row ids of a new provenance; branches that are missing are made, with an empty commit each."""
        connection = self._state.connection
        found: dict[int, None] = {}
        empty: dict[Repo, int] = {}  # new branches of one repo share their commit: a set has one for each repo
        for one in provenance:
            if one.repo == branch.repo:
                raise PachydermError(f"repo {branch.repo} cannot be in the provenance of its own branch")
            row = records.find_branch(connection, one)
            if row is None:
                repo_id = records.repo_row(connection, one.repo)["id"]
                if one.repo not in empty:
                    empty[one.repo] = commits.insert(connection, txn, one, None, (), origin=Origin.AUTO, finished=True)
                found[commits.move_head(connection, txn, repo_id, one.name, empty[one.repo])] = None
            else:
                found[row["id"]] = None
        return list(found)

    def delete(self, branch: Branch, *, force: bool = False) -> None:
        """Remove a branch; its commits stay. Unless ``force``, refused while provenance or a trigger ties another to it."""
        with self._state.transactions.begin():
            connection = self._state.connection
            row = records.branch_row(connection, branch)
            trigger = records.find_trigger(connection, row["id"])
            ties = {
                "it's in the direct provenance of": records.direct_downstream(connection, row["id"]),
                "it is triggered by branches": records.triggered_by(connection, row["id"]),
                "it triggers branches": [trigger["source"]] if trigger is not None else [],
            }
            for why, others in ties.items():
                if others and not force:
                    names = " ".join(str(records.branch_handle(records.branch_by_id(connection, one))) for one in others)
                    raise PachydermError(f'branch "{branch}" cannot be deleted because {why} [{names}]')
            connection.execute("DELETE FROM branches WHERE id = ?", (row["id"],))

    def propagate(self, txn: Transaction) -> None:
        """Give every branch downstream of those that changed an open commit in the transaction's set."""
        connection = self._state.connection
        downstream: dict[int, None] = {}
        for changed in txn.changed_branches:
            downstream |= dict.fromkeys(records.branches_propagated_to(connection, changed))
        txn.changed_branches.clear()
        for branch_id in sorted(downstream, key=lambda one: len(records.branches_upstream(connection, one))):
            row = records.branch_by_id(connection, branch_id)
            upstream = records.direct_upstream(connection, branch_id)
            if self._is_spout(upstream) or self._is_new(txn, row["head"]):
                continue
            branch = records.branch_handle(row)
            made = commits.heads(connection, upstream)
            commit_id = commits.insert(connection, txn, branch, row["head"], made, origin=Origin.AUTO)
            commits.move_head(connection, txn, row["repo"], branch.name, commit_id)

    def _is_spout(self, upstream: list[int]) -> bool:
        """Whether a branch depends on a pipeline's spec alone: a spout makes its commits itself."""
        connection = self._state.connection
        return len(upstream) == 1 and records.branch_by_id(connection, upstream[0])["repo_type"] == SPEC

    def _is_new(self, txn: Transaction, commit_id: int) -> bool:
        return bool(records.commit_by_id(self._state.connection, commit_id)["commit_set"] == txn.id)


def _validate(
    connection: sqlite3.Connection,
    branch: Branch,
    provenance: Sequence[Branch],
    *,
    head: Commit | None,
    trigger: Trigger | None,
    never: Sequence[Branch],
) -> None:
    """Refuse what `Branches.create` cannot make, whatever there is of the branch so far."""
    if head is not None and head.repo != branch.repo:
        raise PachydermError("branch and head commit must belong to the same repo")
    if trigger is not None:
        triggers.validate(connection, branch, trigger)
        if provenance:
            raise PachydermError("a branch cannot have both provenance and a trigger")
    for one in never:
        if one not in provenance:
            raise PachydermError(f"branch propagation spec must reference provenant branch (referenced branch: {_key(one)})")
    for one in (*provenance, branch):
        validate_branch_name(one.name)


def _key(branch: Branch) -> str:
    return f"{branch.repo.project}/{branch.repo.name}.{branch.repo.type}@{branch.name}"


def _set_upstream(connection: sqlite3.Connection, branch_id: int, upstream: list[int]) -> None:
    above = {one for start in upstream for one in records.branches_upstream(connection, start)} | set(upstream)
    if branch_id in above:
        names = [str(records.branch_handle(records.branch_by_id(connection, one))) for one in (upstream[0], branch_id)]
        raise PachydermError(f"cycle detected because {names[0]} is already in the subvenance of {names[1]}")
    connection.execute("DELETE FROM branch_provenance WHERE downstream = ?", (branch_id,))
    connection.executemany(
        "INSERT INTO branch_provenance (downstream, upstream, position) VALUES (?, ?, ?)",
        ((branch_id, one, position) for position, one in enumerate(upstream)),
    )


def _check_shape(connection: sqlite3.Connection, branch_id: int) -> None:
    """Refuse a graph that joins two branches of one repo: an alias could not tell them apart."""
    seen: set[int] = set()
    todo = [branch_id]
    repos: dict[int, int] = {}
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        row = records.branch_by_id(connection, one)
        if repos.setdefault(row["repo"], one) != one:
            repo = records.branch_handle(row).repo
            raise PachydermError(f'multiple branches from the same repo, "{repo}", cannot participate in a DAG')
        todo += records.direct_upstream(connection, one) + records.direct_downstream(connection, one)
