"""Triggers: a branch's head follows another branch of its repo, once enough has happened there or a time has come.

A commit that finishes is noted in its own transaction and checked in the next one, so the heads that a trigger moves are in
a separate commit set. A commit that was noted before a kill is checked after the next start. So is a cron expression that
ticked meanwhile: once, however many ticks were missed, and later ticks do not drift.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
import time

from minipdk.services.pachyderm import cron
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import store
from minipdk.services.pachyderm.pfs.model import Branch, Origin, Trigger, validate_name
from minipdk.services.pachyderm.pfs.store.commits import CommitRow
from minipdk.services.pachyderm.pfs.store.triggers import TriggerRow
from minipdk.services.pachyderm.pfs.transactions import State, Transaction

logger = logging.getLogger(__name__)

_SIZE = re.compile(r"(?P<number>\d{1,18}(?:\.\d{0,18})?|\.\d{1,18}) ?(?P<unit>[kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}


def validate(connection: sqlite3.Connection, branch: Branch, trigger: Trigger) -> None:
    """Refuse a trigger for ``branch`` that cannot be parsed, or that would make a loop of triggers."""
    if not trigger.branch:
        raise PachydermError("triggers must specify a branch to trigger on")
    validate_name(trigger.branch)
    for kind, spec in (("rate limit", trigger.rate_limit_spec), ("cron", trigger.cron_spec)):
        try:
            _ = spec and cron.parse(spec)
        except cron.CronError as error:
            raise PachydermError(f"invalid trigger {kind} spec: {error}") from None
    if trigger.size:
        human_size(trigger.size)
    if trigger.commits < 0:
        raise PachydermError("can't trigger on a negative number of commits")
    store.repos.get(connection, branch.repo)
    source: str | None = trigger.branch
    while source is not None:
        if source == branch.name:
            raise PachydermError("triggers cannot form a loop")
        row = store.branches.find(connection, branch.repo.branch(source))
        upstream = store.triggers.find(connection, row.id) if row else None
        source = upstream.source_name if upstream else None


def human_size(text: str) -> int:
    """Bytes of a size such as "10", "1.5K", "100 MB" or "1GiB"; every unit is a power of 1000."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise PachydermError(f"invalid trigger size: invalid size: '{text}'")
    return int(float(match["number"]) * _UNITS[match["unit"].lower()])


def put(connection: sqlite3.Connection, branch_id: int, trigger: Trigger) -> None:
    """Give a branch a trigger. A new cron expression ticks from the time of the branch's head on."""
    row = store.branches.by_id(connection, branch_id)
    source = store.branches.get(connection, row.branch.repo.branch(trigger.branch))
    old = store.triggers.find(connection, branch_id)
    if not trigger.cron_spec:
        next_tick = 0
    elif old is not None and old.cron_spec == trigger.cron_spec:
        next_tick = old.next_tick
    else:
        next_tick = cron.parse(trigger.cron_spec).next(store.commits.by_id(connection, row.head).started)
    store.triggers.put(connection, branch_id, source.id, trigger, next_tick)


class Triggers:
    def __init__(self, state: State) -> None:
        self._state = state
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick_on_time, name="pfs triggers", daemon=True)

    def start(self) -> None:
        """Check the commits that a killed pachd has left, and make cron expressions tick."""
        self._check_commits()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._state.transactions.wake()
        if self._thread.is_alive():
            self._thread.join()

    def commit_finished(self, txn: Transaction, row_id: int) -> None:
        """Note a commit that may fire a trigger."""
        if store.triggers.may_fire(self._state.connection, row_id):
            store.triggers.add_check(self._state.connection, row_id)
            txn.after(self._check_commits)

    def _check_commits(self) -> None:
        """Fire the triggers of the noted commits, each commit's in a separate transaction."""
        connection = self._state.connection
        while (commit_id := store.triggers.first_check(connection)) is not None:
            try:
                with self._state.transactions.begin() as txn:
                    if store.triggers.claim_check(connection, commit_id):
                        for branch_id, head in _Firing(connection, commit_id).moves.items():
                            _move(connection, txn, branch_id, head)
            except PachydermError as error:
                logger.info("triggers fire one by one, because together they cannot: %s", error)
                self._fire_one_by_one(commit_id)

    def _fire_one_by_one(self, commit_id: int) -> None:
        """Make each move in a separate commit set: together they would need two commits of one repo, and a set has one."""
        connection = self._state.connection
        with self._state.transactions.begin():
            moves = _Firing(connection, commit_id).moves if store.triggers.claim_check(connection, commit_id) else {}
        for branch_id, head in moves.items():
            with self._state.transactions.begin() as txn:
                if store.triggers.find(connection, branch_id) is not None:
                    _move(connection, txn, branch_id, head)

    def _tick_on_time(self) -> None:
        while not self._stop.is_set():
            for branch_id in self._state.transactions.wait(self._due, self._stop) or []:
                try:
                    self._tick(branch_id)
                except PachydermError as error:
                    logger.warning("a branch keeps its head until its trigger's next tick: %s", error)
                    self._tick(branch_id, moving=False)

    def _due(self) -> list[int]:
        """The branches whose cron expression ticks now."""
        return store.triggers.due(self._state.connection, time.time_ns())

    def _tick(self, branch_id: int, *, moving: bool = True) -> None:
        """Move a branch to the head that it is due for, and set the time of its next tick."""
        connection = self._state.connection
        with self._state.transactions.begin() as txn:
            trigger, now = store.triggers.find(connection, branch_id), time.time_ns()
            if trigger is None or not 0 < trigger.next_tick <= now:
                return
            if moving:
                _move(connection, txn, branch_id, store.branches.by_id(connection, trigger.source).head)
            next_tick = cron.parse(trigger.cron_spec).resume(trigger.next_tick, now)
            store.triggers.set_next_tick(connection, branch_id, next_tick)


def _move(connection: sqlite3.Connection, txn: Transaction, branch_id: int, head: int) -> None:
    row = store.branches.by_id(connection, branch_id)
    store.branches.set_head(connection, row.repo_id, row.name, head, txn.now, author=txn.author)
    txn.changed_branches.append(branch_id)


class _Firing:
    """The moves that one finished commit causes in its repo: a trigger that fires may fire the next one of its chain.

    ``moves`` maps the branches that get a new head to the row ids of their new heads, in the order of the chain.
    """

    def __init__(self, connection: sqlite3.Connection, commit_id: int) -> None:
        self._connection = connection
        self._heads: dict[int, CommitRow | None] = {}
        self.moves: dict[int, int] = {}
        commit = store.commits.by_id(connection, commit_id)
        branches = store.branches.of_repo(connection, commit.repo_id)
        for branch in branches:
            if branch.name == commit.branch:
                self._heads[branch.id] = commit
        for branch in branches:
            self._new_head(branch.id)

    def _new_head(self, branch_id: int) -> CommitRow | None:
        """The head that a branch gets; None if it keeps its own."""
        if branch_id in self._heads:
            return self._heads[branch_id]
        self._heads[branch_id] = None
        trigger = store.triggers.find(self._connection, branch_id)
        if trigger is None or trigger.cron_spec:
            return None
        new = self._new_head(trigger.source)
        old = store.commits.by_id(self._connection, store.branches.by_id(self._connection, branch_id).head)
        if new is None or new.id == old.id or not self._is_triggered(trigger, old, new):
            return None
        self.moves[branch_id] = new.id
        self._heads[branch_id] = new
        return new

    def _is_triggered(self, trigger: TriggerRow, old: CommitRow, new: CommitRow) -> bool:
        conditions: list[bool] = []
        if trigger.size:
            conditions.append(new.size - old.size >= human_size(trigger.size))
        if trigger.rate_limit_spec:
            conditions.append(cron.parse(trigger.rate_limit_spec).next(old.finishing) < new.finishing)
        if trigger.commits:
            conditions.append(self._has_commits(trigger.commits, old, new))
        return all(conditions) if trigger.all_conditions else any(conditions)

    def _has_commits(self, least: int, old: CommitRow, new: CommitRow) -> bool:
        """Whether ``least`` commits were made since ``old``; the empty one that a branch begins with does not count."""
        row: CommitRow | None = new
        for _ in range(least):
            if row is None or row.id == old.id or (row.parent is None and row.origin == Origin.AUTO):
                return False
            row = store.commits.by_id(self._connection, row.parent) if row.parent else None
        return True
