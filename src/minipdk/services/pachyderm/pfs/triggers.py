"""Triggers: branches whose head follows another branch of their repo, when enough has happened there or a time has come.

A commit that finishes is noted in its own transaction and looked at in the next one, so that what a trigger sets off is a
commit set of its own; what was noted before a kill is looked at after the next start. So is a tick of a cron expression that
came meanwhile: once, however many were missed, and those to come do not drift.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
import time

from minipdk.services.pachyderm import cron
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import commits, records
from minipdk.services.pachyderm.pfs.model import Branch, Origin, Trigger, validate_name
from minipdk.services.pachyderm.pfs.transactions import State, Transaction

logger = logging.getLogger(__name__)

_SIZE = re.compile(r"(?P<number>\d{1,18}(?:\.\d{0,18})?|\.\d{1,18}) ?(?P<unit>[kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}


def validate(connection: sqlite3.Connection, branch: Branch, trigger: Trigger) -> None:
    """Refuse a trigger for ``branch`` that cannot be read, or that would make a loop of triggers."""
    if not trigger.branch:
        raise PachydermError("triggers must specify a branch to trigger on")
    validate_name(trigger.branch)
    for what, spec in (("rate limit", trigger.rate_limit_spec), ("cron", trigger.cron_spec)):
        try:
            _ = spec and cron.parse(spec)
        except cron.CronError as error:
            raise PachydermError(f"invalid trigger {what} spec: {error}") from None
    if trigger.size:
        human_size(trigger.size)
    if trigger.commits < 0:
        raise PachydermError("can't trigger on a negative number of commits")
    records.repo_row(connection, branch.repo)
    source: str | None = trigger.branch
    while source is not None:
        if source == branch.name:
            raise PachydermError("triggers cannot form a loop")
        row = records.find_branch(connection, branch.repo.branch(source))
        upstream = records.trigger_of(connection, row["id"]) if row else None
        source = upstream.branch if upstream else None


def human_size(text: str) -> int:
    """Bytes of a size such as "10", "1.5K", "100 MB" or "1GiB"; every unit is a power of 1000."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise PachydermError(f"invalid trigger size: invalid size: '{text}'")
    return int(float(found["number"]) * _UNITS[found["unit"].lower()])


def put(connection: sqlite3.Connection, branch_id: int, trigger: Trigger) -> None:
    """Give a branch a trigger. Ticks are counted from its head's time, or go on if the cron expression stays."""
    row = records.branch_by_id(connection, branch_id)
    source = records.branch_row(connection, records.branch_handle(row).repo.branch(trigger.branch))
    old = records.find_trigger(connection, branch_id)
    if not trigger.cron_spec:
        next_tick = 0
    elif old is not None and old["cron_spec"] == trigger.cron_spec:
        next_tick = old["next_tick"]
    else:
        next_tick = cron.parse(trigger.cron_spec).next(records.commit_by_id(connection, row["head"])["started"])
    conditions = (trigger.all, trigger.rate_limit_spec, trigger.size, trigger.commits, trigger.cron_spec)
    connection.execute(
        "INSERT OR REPLACE INTO branch_triggers VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (branch_id, source["id"], *conditions, next_tick),
    )


class Triggers:
    def __init__(self, state: State) -> None:
        self._state = state
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick_on_time, name="pfs triggers", daemon=True)

    def start(self) -> None:
        """Look at what a killed pachd has left, and make cron expressions tick."""
        self._look()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._state.transactions.wake()
        if self._thread.is_alive():
            self._thread.join()

    def commit_finished(self, txn: Transaction, row_id: int) -> None:
        """Note a commit that some branch may be waiting for."""
        query = (
            "SELECT 1 FROM commits c JOIN branches b ON b.repo = c.repo JOIN branch_triggers t ON t.branch = b.id"
            " WHERE c.id = ? AND c.error = ''"
        )
        connection = self._state.connection
        if connection.execute(query, (row_id,)).fetchone() is not None:
            connection.execute("INSERT OR IGNORE INTO trigger_checks VALUES (?)", (row_id,))
            txn.after(self._look)

    def _look(self) -> None:
        """Fire what the noted commits set off, each in a transaction of its own."""
        connection = self._state.connection
        query = "SELECT commit_id FROM trigger_checks ORDER BY commit_id LIMIT 1"
        while (row := connection.execute(query).fetchone()) is not None:
            commit_id = row["commit_id"]
            try:
                with self._state.transactions.begin() as txn:
                    if self._claim(commit_id):
                        for branch_id, head in _Firing(connection, commit_id).moves.items():
                            _move(connection, txn, branch_id, head)
            except PachydermError as error:
                logger.info("triggers fire one by one, because together they cannot: %s", error)
                self._fire_one_by_one(commit_id)

    def _claim(self, commit_id: int) -> bool:
        """Strike a commit off the notes; False if another thread has done it."""
        query = "DELETE FROM trigger_checks WHERE commit_id = ?"
        return self._state.connection.execute(query, (commit_id,)).rowcount > 0

    def _fire_one_by_one(self, commit_id: int) -> None:
        """Each move in a commit set of its own: where they lead to one repo, a set could not hold its two commits."""
        connection = self._state.connection
        with self._state.transactions.begin():
            moves = _Firing(connection, commit_id).moves if self._claim(commit_id) else {}
        for branch_id, head in moves.items():
            with self._state.transactions.begin() as txn:
                if records.find_trigger(connection, branch_id) is not None:
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
        query = "SELECT branch FROM branch_triggers WHERE next_tick > 0 AND next_tick <= ? ORDER BY next_tick"
        return [row["branch"] for row in self._state.connection.execute(query, (time.time_ns(),)).fetchall()]

    def _tick(self, branch_id: int, *, moving: bool = True) -> None:
        """Move a branch to the head that it is due for, and note when it is due again."""
        connection = self._state.connection
        with self._state.transactions.begin() as txn:
            trigger, now = records.find_trigger(connection, branch_id), time.time_ns()
            if trigger is None or not 0 < trigger["next_tick"] <= now:
                return
            if moving:
                _move(connection, txn, branch_id, records.branch_by_id(connection, trigger["source"])["head"])
            next_tick = cron.parse(trigger["cron_spec"]).resume(trigger["next_tick"], now)
            connection.execute("UPDATE branch_triggers SET next_tick = ? WHERE branch = ?", (next_tick, branch_id))


def _move(connection: sqlite3.Connection, txn: Transaction, branch_id: int, head: int) -> None:
    branch = records.branch_by_id(connection, branch_id)
    commits.move_head(connection, txn, branch["repo"], branch["name"], head)
    txn.changed_branches.append(branch_id)


class _Firing:
    """What one finished commit sets off in its repo: a trigger that fires may make the next one of its chain fire.

    ``moves`` are the branches that get a new head, with the row id of that, in the order of the chain.
    """

    def __init__(self, connection: sqlite3.Connection, commit_id: int) -> None:
        self._connection = connection
        self._heads: dict[int, sqlite3.Row | None] = {}
        self.moves: dict[int, int] = {}
        commit = records.commit_by_id(connection, commit_id)
        branches = records.branches_of(connection, commit["repo"])
        for branch in branches:
            if branch["name"] == commit["branch"]:
                self._heads[branch["id"]] = commit
        for branch in branches:
            self._new_head(branch["id"])

    def _new_head(self, branch_id: int) -> sqlite3.Row | None:
        """The head that a branch gets by this; None if it gets none."""
        if branch_id in self._heads:
            return self._heads[branch_id]
        self._heads[branch_id] = None
        trigger = records.find_trigger(self._connection, branch_id)
        if trigger is None or trigger["cron_spec"]:
            return None
        new = self._new_head(trigger["source"])
        old = records.commit_by_id(self._connection, records.branch_by_id(self._connection, branch_id)["head"])
        if new is None or new["id"] == old["id"] or not self._is_triggered(trigger, old, new):
            return None
        self.moves[branch_id] = new["id"]
        self._heads[branch_id] = new
        return new

    def _is_triggered(self, trigger: sqlite3.Row, old: sqlite3.Row, new: sqlite3.Row) -> bool:
        conditions: list[bool] = []
        if trigger["size"]:
            conditions.append(new["size"] - old["size"] >= human_size(trigger["size"]))
        if trigger["rate_limit_spec"]:
            conditions.append(cron.parse(trigger["rate_limit_spec"]).next(old["finishing"]) < new["finishing"])
        if trigger["commits"]:
            conditions.append(self._are_commits(trigger["commits"], old, new))
        return all(conditions) if trigger["all_conditions"] else any(conditions)

    def _are_commits(self, wanted: int, old: sqlite3.Row, new: sqlite3.Row) -> bool:
        """Whether so many commits were made since ``old``; the empty one that a branch begins with does not count."""
        row: sqlite3.Row | None = new
        for _ in range(wanted):
            if row is None or row["id"] == old["id"] or (row["parent"] is None and row["origin"] == Origin.AUTO):
                return False
            row = records.commit_by_id(self._connection, row["parent"]) if row["parent"] else None
        return True
