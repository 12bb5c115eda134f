"""The logs of trials: stored line by line, filtered, and streamed to clients that follow them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from minipdk.services.determined.errors import InvalidArgumentError
from minipdk.services.determined.model import AGENT, LogEntry, LogFilter, now
from minipdk.services.determined.store import Changes, Store
from minipdk.services.determined.store.changes import trial_topic
from minipdk.services.determined.store.logs import PAGE

LEVEL = re.compile(r"^(?:\[rank=\d+\] )?(TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL)\b")
RANK = re.compile(r"^\[rank=(\d+)\] ")
FOLLOW_SECONDS = 10
"""How long a client that follows a log waits for a change before the master looks by itself."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that a run printed on ``stdtype`` (stdout, stderr), and when it was read."""

    time: str
    stdtype: str
    text: str


class Logs:
    def __init__(self, store: Store, changes: Changes) -> None:
        self._store = store
        self._changes = changes

    def append(self, trial_id: int, allocation_id: str, container_id: str, lines: list[Line]) -> None:
        """Store ``lines`` that a run printed."""
        self._store.logs.add(
            [
                (
                    trial_id,
                    allocation_id,
                    container_id,
                    line.time,
                    _level(line.text),
                    line.stdtype,
                    "task",
                    _rank(line.text),
                    line.text,
                )
                for line in lines
            ]
        )
        self._changes.notify(trial_topic(trial_id))

    def add_line(self, trial_id: int, allocation_id: str, level: str, message: str) -> None:
        """Add a line from the master to a trial's log."""
        entry = {"log": f"{level}: {message}", "stdtype": "stderr", "source": "master"}
        self.append_entries(trial_id, allocation_id, "", [entry])

    def append_entries(self, trial_id: int, allocation_id: str, container_id: str, entries: list[dict[str, Any]]) -> None:
        """Store lines with any of timestamp, level, stdtype, source and rankId already known."""
        time = now()
        self._store.logs.add(
            [
                (
                    trial_id,
                    allocation_id,
                    entry.get("containerId") or container_id,
                    _utc(entry["timestamp"]) if entry.get("timestamp") else time,
                    entry.get("level") or _level(entry["log"]),
                    entry.get("stdtype") or "stdout",
                    entry.get("source") or "task",
                    entry["rankId"] if entry.get("rankId") is not None else _rank(entry["log"]),
                    entry["log"],
                )
                for entry in entries
            ]
        )
        self._changes.notify(trial_topic(trial_id))

    async def read(
        self, trial_id: int, log_filter: LogFilter, *, limit: int = 0, newest_first: bool = False, follow: bool = False
    ) -> AsyncIterator[LogEntry]:
        """The entries in order; with ``follow`` also the coming ones, until the trial has ended.

        ``log_filter`` comes from `checked`.
        """
        sent, position = 0, None
        with self._changes.subscribe(trial_topic(trial_id)) as change:
            while True:
                ended = not follow or self._store.logs.is_complete(trial_id) or self._changes.closing
                page = self._store.logs.page(trial_id, log_filter, position=position, newest_first=newest_first)
                for entry in page:
                    position = entry.id
                    if _matches(log_filter, entry.log):
                        yield entry
                        sent += 1
                        if limit and sent == limit:
                            return
                if len(page) == PAGE:
                    continue
                if ended:
                    return
                await change.wait(FOLLOW_SECONDS)

    def fields(self, trial_id: int) -> dict[str, list[Any]]:
        """The values that a client can filter by."""
        columns = {
            "containerIds": "container_id",
            "rankIds": "rank_id",
            "stdtypes": "stdtype",
            "sources": "source",
            "allocationIds": "allocation_id",
        }
        values = {field: self._store.logs.distinct(trial_id, column) for field, column in columns.items()}
        return {"agentIds": [AGENT], **values}


def checked(log_filter: LogFilter) -> LogFilter:
    """The filter with its times in UTC. Raises InvalidArgumentError for a wrong time or regular expression."""
    if log_filter.is_regex:
        try:
            re.compile(log_filter.text)
        except re.error as error:
            raise InvalidArgumentError(f"searchText: not a regular expression: {error}") from None
    after, before = (None if time is None else _utc(time) for time in (log_filter.after, log_filter.before))
    return replace(log_filter, after=after, before=before)


def _matches(log_filter: LogFilter, line: str) -> bool:
    return bool(re.search(log_filter.text, line)) if log_filter.is_regex else log_filter.text in line


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
