"""What trials print: kept line by line, filtered, and streamed to those who follow."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from minipdk.services.determined import states
from minipdk.services.determined.errors import InvalidArgumentError
from minipdk.services.determined.store.changes import Changes, trial_topic
from minipdk.services.determined.store.schema import now
from minipdk.storage import Database

AGENT = "local"
LEVEL = re.compile(r"^(?:\[rank=\d+\] )?(TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL)\b")
RANK = re.compile(r"^\[rank=(\d+)\] ")
PAGE = 1000


@dataclass(frozen=True)
class Filter:
    """What a client asks to see. Levels as ``LOG_LEVEL_...``, times in RFC 3339."""

    levels: list[str] = field(default_factory=list)
    stdtypes: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    containers: list[str] = field(default_factory=list)
    allocations: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    text: str = ""
    is_regex: bool = False
    after: str | None = None
    before: str | None = None

    def check(self) -> None:
        """Raises InvalidArgumentError for a text or time that cannot be understood."""
        if self.is_regex:
            try:
                re.compile(self.text)
            except re.error as error:
                raise InvalidArgumentError(f"searchText: not a regular expression: {error}") from None
        self.where()

    def where(self) -> tuple[str, list[Any]]:
        """SQL conditions on the table logs and their parameters."""
        conditions: str = "1"
        values: list[Any] = []
        columns: dict[str, list[Any]] = {
            "level": self.levels,
            "stdtype": self.stdtypes,
            "source": self.sources,
            "container_id": self.containers,
            "allocation_id": self.allocations,
            "rank_id": self.ranks,
        }
        for column, wanted in columns.items():
            if wanted:
                conditions += f" AND {column} IN ({','.join('?' * len(wanted))})"
                values += wanted
        if self.agents and AGENT not in self.agents:
            conditions += " AND 0"
        for operator, bound in ((">", self.after), ("<", self.before)):
            if bound is not None:
                conditions += f" AND timestamp {operator} ?"
                values.append(_utc(bound))
        return conditions, values

    def matches(self, text: str) -> bool:
        """Whether a line's text is asked for."""
        return bool(re.search(self.text, text)) if self.is_regex else self.text in text


class Logs:
    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._changes = changes

    def append(self, trial_id: int, allocation_id: str, container_id: str, stdtype: str, lines: list[str]) -> None:
        """Keep ``lines``, printed on ``stdtype`` (stdout, stderr) just now."""
        entries = [{"log": line, "stdtype": stdtype} for line in lines]
        self.append_entries(trial_id, allocation_id, container_id, entries)

    def say(self, trial_id: int, allocation_id: str, level: str, message: str) -> None:
        """A line of the master's own in a trial's log."""
        entry = {"log": f"{level}: {message}", "stdtype": "stderr", "source": "master"}
        self.append_entries(trial_id, allocation_id, "", [entry])

    def append_entries(self, trial_id: int, allocation_id: str, container_id: str, entries: list[dict[str, Any]]) -> None:
        """Keep lines with any of timestamp, level, stdtype, source and rankId already known."""
        stamp = now()
        with self._database.transaction() as rows:
            rows.executemany(
                "INSERT INTO logs (trial_id, allocation_id, container_id, timestamp, level, stdtype, source, rank_id, log)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        trial_id,
                        allocation_id,
                        entry.get("containerId") or container_id,
                        _utc(entry["timestamp"]) if entry.get("timestamp") else stamp,
                        entry.get("level") or _level(entry["log"]),
                        entry.get("stdtype") or "stdout",
                        entry.get("source") or "task",
                        entry["rankId"] if entry.get("rankId") is not None else _rank(entry["log"]),
                        entry["log"],
                    )
                    for entry in entries
                ],
            )
        self._changes.notify(trial_topic(trial_id))

    async def read(
        self, trial_id: int, wanted: Filter, *, limit: int = 0, newest_first: bool = False, follow: bool = False
    ) -> AsyncIterator[sqlite3.Row]:
        """Lines in order; with ``follow``, those to come as well, until the trial has ended."""
        sent, position = 0, None
        with self._changes.subscribe(trial_topic(trial_id)) as change:
            while True:
                ended = not follow or self._ended(trial_id) or self._changes.closing
                page = self._page(trial_id, wanted, position, newest_first)
                for row in page:
                    position = row["id"]
                    if wanted.matches(row["log"]):
                        yield row
                        sent += 1
                        if limit and sent == limit:
                            return
                if len(page) == PAGE:
                    continue
                if ended:
                    return
                await change.wait(10)

    def fields(self, trial_id: int) -> dict[str, list[Any]]:
        """The values that a client can filter by."""
        rows = self._database.connection()

        def distinct(column: str) -> list[Any]:
            query = f"SELECT DISTINCT {column} FROM logs WHERE trial_id = ? AND {column} IS NOT NULL ORDER BY 1"  # noqa: S608
            return [row[0] for row in rows.execute(query, (trial_id,)) if row[0] != ""]

        return {
            "agentIds": [AGENT],
            "containerIds": distinct("container_id"),
            "rankIds": distinct("rank_id"),
            "stdtypes": distinct("stdtype"),
            "sources": distinct("source"),
            "allocationIds": distinct("allocation_id"),
        }

    def _page(self, trial_id: int, wanted: Filter, position: int | None, newest_first: bool) -> list[sqlite3.Row]:
        conditions, values = wanted.where()
        if position is not None:
            conditions += " AND id < ?" if newest_first else " AND id > ?"
            values.append(position)
        order = "DESC" if newest_first else "ASC"
        query = f"SELECT * FROM logs WHERE trial_id = ? AND {conditions} ORDER BY id {order} LIMIT {PAGE}"  # noqa: S608
        return self._database.connection().execute(query, (trial_id, *values)).fetchall()

    def _ended(self, trial_id: int) -> bool:
        """A trial has ended when its state is terminal and no allocation of it still runs (and prints)."""
        row = (
            self._database.connection()
            .execute(
                "SELECT state, EXISTS (SELECT 1 FROM allocations WHERE trial_id = trials.id AND end_time IS NULL) AS runs"
                " FROM trials WHERE id = ?",
                (trial_id,),
            )
            .fetchone()
        )
        return row is None or (row["state"] in states.TERMINAL and not row["runs"])


def _level(line: str) -> str:
    match = LEVEL.match(line)
    return f"LOG_LEVEL_{match[1] if match else 'INFO'}"


def _rank(line: str) -> int | None:
    match = RANK.match(line)
    return int(match[1]) if match else None


def _utc(timestamp: str) -> str:
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        raise InvalidArgumentError(f"timestamp: {timestamp!r} is not an RFC 3339 time") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
