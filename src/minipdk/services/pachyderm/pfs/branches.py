"""Branches, their provenance, and propagation: keeping downstream branches in step with the branches they depend on.

The invariant: the head of a branch is provenant on the heads of the branches in its provenance. When a head moves, every
downstream branch gets a new open commit in the same commit set.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from minipdk.services.pachyderm.errors import CycleError, PachydermError
from minipdk.services.pachyderm.pfs import commit_references, commits, store, triggers
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
from minipdk.services.pachyderm.pfs.store.branches import BranchRow
from minipdk.services.pachyderm.pfs.transactions import State, Transaction


class Branches:
    def __init__(self, state: State) -> None:
        self._state = state

    def inspect(self, branch: Branch) -> BranchInfo:
        connection = self._state.connection
        return store.branches.info(connection, store.branches.get(connection, branch))

    def all(self, repo: Repo | None, *, reverse: bool = False) -> list[BranchInfo]:
        """Newest first; of all repos if None."""
        connection = self._state.connection
        if repo is None:
            rows = store.branches.oldest_first(connection)
        else:
            rows = store.branches.of_repo(connection, store.repos.get(connection, repo).id)
        return [store.branches.info(connection, row) for row in (rows if reverse else reversed(rows))]

    def provenance(self, start: Branch, *, downstream: bool, depth: int = 0, limit: int = 0) -> Iterator[BranchInfo]:
        """The branches that ``start`` is provenant on (or, ``downstream``, the reverse), nearest first.

        ``depth`` is the greatest distance, ``limit`` the greatest number; 0: any.
        """
        connection = self._state.connection
        reach = store.branches.downstream if downstream else store.branches.upstream
        distances = reach(connection, store.branches.get(connection, start).id)
        near = [branch_id for branch_id, distance in distances.items() if not depth or distance <= depth]
        for branch_id in near[: limit or None]:
            yield store.branches.info(connection, store.branches.by_id(connection, branch_id))

    def create(
        self,
        branch: Branch,
        provenance: Sequence[Branch] = (),
        head: Commit | None = None,
        *,
        trigger: Trigger | None = None,
        never: Sequence[Branch] = (),
    ) -> None:
        """Create or change a branch: ``provenance`` replaces the old one, ``head`` moves it, None keeps the ``trigger``.

        A branch without a head, or whose provenance has changed, gets a new commit: empty and finished on a source branch,
        open for PPS on one with provenance. New heads of the branches in ``never`` make no new head here.
        """
        with self._state.transactions.begin() as txn:
            connection = self._state.connection
            _validate(connection, branch, provenance, head=head, trigger=trigger, never=never)
            repo_id = store.repos.get(connection, branch.repo).id
            upstream = self._upstream(txn, branch, provenance)
            row = store.branches.find(connection, branch)
            head_id = self._new_head(txn, branch, row, upstream, head)
            if row is None or head is not None or head_id != row.head:
                branch_id = store.branches.set_head(connection, repo_id, branch.name, head_id, txn.now, author=txn.author)
                txn.changed_branches.append(branch_id)
            else:
                branch_id = row.id
            _set_upstream(connection, branch_id, upstream)
            never_ids = [store.branches.get(connection, source).id for source in never]
            store.branches.never_propagate(connection, branch_id, never_ids)
            _check_shape(connection, branch_id)
            if trigger is not None:
                triggers.put(connection, branch_id, trigger)

    def _upstream(self, txn: Transaction, branch: Branch, provenance: Iterable[Branch]) -> list[int]:
        """The row ids of a new provenance; missing branches are created, with an empty commit each."""
        connection = self._state.connection
        ids: dict[int, None] = {}
        empty: dict[Repo, int] = {}  # new branches of one repo share their commit: a set has one for each repo
        for source in provenance:
            if source.repo == branch.repo:
                raise PachydermError(f"repo {branch.repo} cannot be in the provenance of its own branch")
            row = store.branches.find(connection, source)
            if row is not None:
                ids[row.id] = None
                continue
            repo_id = store.repos.get(connection, source.repo).id
            if source.repo not in empty:
                empty[source.repo] = commits.insert(connection, txn, source, None, (), origin=Origin.AUTO, finished=True)
            head = empty[source.repo]
            ids[store.branches.set_head(connection, repo_id, source.name, head, txn.now, author=txn.author)] = None
        return list(ids)

    def _new_head(
        self, txn: Transaction, branch: Branch, row: BranchRow | None, upstream: list[int], head: Commit | None
    ) -> int:
        """The commit to be the head: the requested or present one, or a new one if provenance calls for it."""
        connection = self._state.connection
        old = store.branches.direct_upstream(connection, row.id) if row else []
        head_id = commit_references.resolve(connection, head).id if head else row.head if row else None
        is_changed = bool(upstream) and set(old) != set(upstream)
        if head_id is not None and not is_changed:
            return head_id
        made = commits.heads(connection, upstream)
        return commits.insert(connection, txn, branch, head_id, made, origin=Origin.AUTO, finished=not upstream)

    def delete(self, branch: Branch, *, force: bool = False) -> None:
        """Remove a branch; its commits stay. Unless ``force``, refused while provenance or a trigger ties another to it."""
        with self._state.transactions.begin():
            connection = self._state.connection
            row = store.branches.get(connection, branch)
            trigger = store.triggers.find(connection, row.id)
            ties = {
                "it's in the direct provenance of": store.branches.direct_downstream(connection, row.id),
                "it is triggered by branches": store.triggers.triggered_by(connection, row.id),
                "it triggers branches": [trigger.source] if trigger is not None else [],
            }
            for why, others in ties.items():
                if others and not force:
                    names = " ".join(str(store.branches.by_id(connection, other).branch) for other in others)
                    raise PachydermError(f'branch "{branch}" cannot be deleted because {why} [{names}]')
            store.branches.delete(connection, row.id)

    def propagate(self, txn: Transaction) -> None:
        """Give every branch downstream of the changed ones an open commit in the transaction's set."""
        connection = self._state.connection
        downstream: dict[int, None] = {}
        for changed in txn.changed_branches:
            downstream |= dict.fromkeys(store.branches.propagated_to(connection, changed))
        txn.changed_branches.clear()
        for branch_id in sorted(downstream, key=lambda branch_id: len(store.branches.upstream(connection, branch_id))):
            row = store.branches.by_id(connection, branch_id)
            upstream = store.branches.direct_upstream(connection, branch_id)
            if self._is_spout(upstream) or store.commits.by_id(connection, row.head).set_id == txn.id:
                continue
            made = commits.heads(connection, upstream)
            commit_id = commits.insert(connection, txn, row.branch, row.head, made, origin=Origin.AUTO)
            store.branches.set_head(connection, row.repo_id, row.name, commit_id, txn.now, author=txn.author)

    def _is_spout(self, upstream: list[int]) -> bool:
        """Whether a branch depends on a pipeline's spec alone: a spout makes its commits itself."""
        connection = self._state.connection
        return len(upstream) == 1 and store.branches.by_id(connection, upstream[0]).repo_type == SPEC


def _validate(
    connection: sqlite3.Connection,
    branch: Branch,
    provenance: Sequence[Branch],
    *,
    head: Commit | None,
    trigger: Trigger | None,
    never: Sequence[Branch],
) -> None:
    """Refuse arguments that `Branches.create` can never accept, whether the branch exists or not."""
    if head is not None and head.repo != branch.repo:
        raise PachydermError("branch and head commit must belong to the same repo")
    if trigger is not None:
        triggers.validate(connection, branch, trigger)
        if provenance:
            raise PachydermError("a branch cannot have both provenance and a trigger")
    for source in never:
        if source not in provenance:
            name = f"{source.repo.project}/{source.repo.name}.{source.repo.type}@{source.name}"
            raise PachydermError(f"branch propagation spec must reference provenant branch (referenced branch: {name})")
    for named in (*provenance, branch):
        validate_branch_name(named.name)


def _set_upstream(connection: sqlite3.Connection, branch_id: int, upstream: list[int]) -> None:
    """Replace a branch's provenance. Raises CycleError."""
    above = {branch for start in upstream for branch in store.branches.upstream(connection, start)} | set(upstream)
    if branch_id in above:
        first, last = (store.branches.by_id(connection, branch).branch for branch in (upstream[0], branch_id))
        raise CycleError(f"cycle detected because {first} is already in the subvenance of {last}")
    store.branches.replace_upstream(connection, branch_id, upstream)


def _check_shape(connection: sqlite3.Connection, branch_id: int) -> None:
    """Refuse a graph that joins two branches of one repo: an alias would be ambiguous between them."""
    seen: set[int] = set()
    todo = [branch_id]
    repos: dict[int, int] = {}
    while todo:
        next_id = todo.pop()
        if next_id in seen:
            continue
        seen.add(next_id)
        row = store.branches.by_id(connection, next_id)
        if repos.setdefault(row.repo_id, next_id) != next_id:
            repo = row.branch.repo
            raise PachydermError(f'multiple branches from the same repo, "{repo}", cannot participate in a DAG')
        todo += store.branches.direct_upstream(connection, next_id) + store.branches.direct_downstream(connection, next_id)
