"""Log entries of trials."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minipdk.services.determined.model import AGENT, TERMINAL, LogEntry, LogFilter
from minipdk.services.determined.store.records import Table

PAGE = 1000
NewEntry = tuple[int, str, str, str, str, str, str, int | None, str]
"""The fields of a `LogEntry` in their order, without the id."""


class LogTable(Table):
    def add(self, entries: Iterable[NewEntry]) -> None:
        self._write_many(
            "INSERT INTO logs (trial_id, allocation_id, container_id, timestamp, level, stdtype, source, rank_id, log)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            entries,
        )

    def page(
        self, trial_id: int, log_filter: LogFilter, *, position: int | None = None, newest_first: bool = False
    ) -> list[LogEntry]:
        """At most `PAGE` entries that match everything in the filter but its text, after the entry ``position``."""
        conditions, values = _conditions(log_filter)
        if position is not None:
            conditions += " AND id < ?" if newest_first else " AND id > ?"
            values.append(position)
        order = "DESC" if newest_first else "ASC"
        query = f"SELECT * FROM logs WHERE trial_id = ? AND {conditions} ORDER BY id {order} LIMIT {PAGE}"  # noqa: S608
        return self._all(LogEntry, query, trial_id, *values)

    def distinct(self, trial_id: int, column: str) -> list[Any]:
        """The values of the column in the trial's log, without NULL and the empty text."""
        query = f"SELECT DISTINCT {column} FROM logs WHERE trial_id = ? AND {column} IS NOT NULL ORDER BY 1"  # noqa: S608
        return [row[0] for row in self._rows(query, trial_id) if row[0] != ""]

    def is_complete(self, trial_id: int) -> bool:
        """Whether no more entries will come: the trial has ended and no allocation of it still runs, or it is deleted."""
        row = self._row(
            "SELECT state, EXISTS (SELECT 1 FROM allocations WHERE trial_id = trials.id AND end_time IS NULL) AS runs"
            " FROM trials WHERE id = ?",
            trial_id,
        )
        return row is None or (row["state"] in TERMINAL and not row["runs"])


def _conditions(log_filter: LogFilter) -> tuple[str, list[Any]]:
    """SQL conditions on the table logs, and their parameters."""
    conditions = "1"
    parameters: list[Any] = []
    columns: dict[str, list[Any]] = {
        "level": log_filter.levels,
        "stdtype": log_filter.stdtypes,
        "source": log_filter.sources,
        "container_id": log_filter.containers,
        "allocation_id": log_filter.allocations,
        "rank_id": log_filter.ranks,
    }
    for column, allowed in columns.items():
        if allowed:
            conditions += f" AND {column} IN ({','.join('?' * len(allowed))})"
            parameters += allowed
    if log_filter.agents and AGENT not in log_filter.agents:
        conditions += " AND 0"
    for operator, bound in ((">", log_filter.after), ("<", log_filter.before)):
        if bound is not None:
            conditions += f" AND timestamp {operator} ?"
            parameters.append(bound)
    return conditions, parameters
