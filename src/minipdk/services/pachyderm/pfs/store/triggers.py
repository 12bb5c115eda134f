"""Rows of triggers, and the finished commits whose triggers have not been checked yet."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from minipdk.services.pachyderm.pfs.model import Trigger

_SELECT = (
    "SELECT t.branch, t.source, t.all_conditions, t.rate_limit_spec, t.size, t.commits, t.cron_spec, t.next_tick, b.name"
    " FROM branch_triggers t JOIN branches b ON b.id = t.source "
)


class TriggerRow(NamedTuple):
    """``branch`` and ``source`` are row ids; ``next_tick`` is 0 without a cron expression."""

    branch: int
    source: int
    all_conditions: int
    rate_limit_spec: str
    size: str
    commits: int
    cron_spec: str
    next_tick: int
    source_name: str

    @property
    def trigger(self) -> Trigger:
        every = bool(self.all_conditions)
        return Trigger(self.source_name, every, self.rate_limit_spec, self.size, self.commits, self.cron_spec)


def find(connection: sqlite3.Connection, branch_id: int) -> TriggerRow | None:
    row = connection.execute(_SELECT + "WHERE t.branch = ?", (branch_id,)).fetchone()
    return TriggerRow._make(row) if row is not None else None


def triggered_by(connection: sqlite3.Connection, branch_id: int) -> list[int]:
    """The branches with a trigger on this one."""
    query = "SELECT branch FROM branch_triggers WHERE source = ? ORDER BY branch"
    return [row["branch"] for row in connection.execute(query, (branch_id,)).fetchall()]


def put(connection: sqlite3.Connection, branch_id: int, source: int, trigger: Trigger, next_tick: int) -> None:
    conditions = (trigger.all, trigger.rate_limit_spec, trigger.size, trigger.commits, trigger.cron_spec)
    connection.execute(
        "INSERT OR REPLACE INTO branch_triggers VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (branch_id, source, *conditions, next_tick),
    )


def due(connection: sqlite3.Connection, now: int) -> list[int]:
    """The branches whose cron expression has ticked."""
    query = "SELECT branch FROM branch_triggers WHERE next_tick > 0 AND next_tick <= ? ORDER BY next_tick"
    return [row["branch"] for row in connection.execute(query, (now,)).fetchall()]


def set_next_tick(connection: sqlite3.Connection, branch_id: int, next_tick: int) -> None:
    connection.execute("UPDATE branch_triggers SET next_tick = ? WHERE branch = ?", (next_tick, branch_id))


def may_fire(connection: sqlite3.Connection, commit_id: int) -> bool:
    """Whether the commit has no error and some branch of its repo has a trigger."""
    query = (
        "SELECT 1 FROM commits c JOIN branches b ON b.repo = c.repo JOIN branch_triggers t ON t.branch = b.id"
        " WHERE c.id = ? AND c.error = ''"
    )
    return connection.execute(query, (commit_id,)).fetchone() is not None


def add_check(connection: sqlite3.Connection, commit_id: int) -> None:
    """Note a finished commit whose triggers must be checked."""
    connection.execute("INSERT OR IGNORE INTO trigger_checks VALUES (?)", (commit_id,))


def first_check(connection: sqlite3.Connection) -> int | None:
    """The oldest commit whose triggers must be checked."""
    row = connection.execute("SELECT commit_id FROM trigger_checks ORDER BY commit_id LIMIT 1").fetchone()
    return row["commit_id"] if row is not None else None


def claim_check(connection: sqlite3.Connection, commit_id: int) -> bool:
    """Remove a check; False if another thread has done it."""
    return connection.execute("DELETE FROM trigger_checks WHERE commit_id = ?", (commit_id,)).rowcount > 0
