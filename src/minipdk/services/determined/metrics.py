"""What trials measure: metrics in groups ("training", "validation" or the user's own) at a number of completed batches."""

from __future__ import annotations

import math
import sqlite3
from typing import Any

from minipdk.services.determined.errors import FailedPreconditionError, InvalidArgumentError
from minipdk.services.determined.store.schema import dumps, loads, now
from minipdk.storage import Database

Json = dict[str, Any]
TRAINING = "training"
VALIDATION = "validation"
LIVE = "SELECT * FROM metrics WHERE trial_id = ? AND archived = 0"


class Metrics:
    def __init__(self, database: Database) -> None:
        self._database = database

    def report(self, trial_id: int, *, run_id: int, group: str, steps: int, metrics: Json, report_time: str | None) -> None:
        """Keep one report: ``metrics`` is {avgMetrics, batchMetrics}.

        A report of a later run replaces what an earlier run of the trial measured from the same batch on: a trial that
        resumed from a checkpoint repeats those batches. Raises FailedPreconditionError for a run that is over.
        """
        if not group or "." in group:
            raise InvalidArgumentError(f"group: {group!r} must not be empty or contain a dot")
        with self._database.transaction() as rows:
            current = rows.execute("SELECT run_id FROM trials WHERE id = ?", (trial_id,)).fetchone()["run_id"]
            if run_id != current:
                raise FailedPreconditionError(f"run {run_id} of trial {trial_id} is over: run {current} is the current one")
            rows.execute(
                "UPDATE metrics SET archived = 1 WHERE trial_id = ? AND run_id < ? AND archived = 0"
                " AND (steps > ? OR (steps = ? AND metric_group = ?))",
                (trial_id, run_id, steps, steps, group),
            )
            average, batches = metrics.get("avgMetrics") or {}, metrics.get("batchMetrics")
            same = rows.execute(
                "SELECT id, average_json FROM metrics WHERE trial_id = ? AND run_id = ? AND metric_group = ? AND steps = ?"
                " AND archived = 0",
                (trial_id, run_id, group, steps),
            ).fetchone()
            if same:
                self._merge(rows, same, average, group, steps)
            else:
                rows.execute(
                    "INSERT INTO metrics (trial_id, run_id, metric_group, steps, average_json, batches_json, end_time)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (trial_id, run_id, group, steps, dumps(average), batches and dumps(batches), report_time or now()),
                )
            if group in (TRAINING, VALIDATION):
                rows.execute("UPDATE trials SET total_batches = max(total_batches, ?) WHERE id = ?", (steps, trial_id))

    @staticmethod
    def _merge(rows: sqlite3.Connection, same: sqlite3.Row, average: Json, group: str, steps: int) -> None:
        before = loads(same["average_json"])
        if twice := sorted(name for name in average if name in before and before[name] != average[name]):
            raise InvalidArgumentError(f"{group} metrics at {steps} batches were already reported: {', '.join(twice)}")
        rows.execute("UPDATE metrics SET average_json = ? WHERE id = ?", (dumps({**before, **average}), same["id"]))

    def of_trial(self, trial_id: int, group: str | None = None) -> list[sqlite3.Row]:
        """The live reports of a trial by batches, of one group or all."""
        rows = self._database.connection()
        if group:
            return rows.execute(f"{LIVE} AND metric_group = ? ORDER BY steps", (trial_id, group)).fetchall()
        return rows.execute(f"{LIVE} ORDER BY steps, id", (trial_id,)).fetchall()

    def at(self, trial_id: int, group: str, steps: int) -> sqlite3.Row | None:
        query = f"{LIVE} AND metric_group = ? AND steps = ?"
        row: sqlite3.Row | None = self._database.connection().execute(query, (trial_id, group, steps)).fetchone()
        return row

    def best_validation(self, trial_id: int, metric: str, smaller_is_better: bool) -> sqlite3.Row | None:
        """The report with the best finite ``metric``, the earliest of equals."""
        known = [(number(row, metric), row) for row in self.of_trial(trial_id, VALIDATION)]
        sign = 1 if smaller_is_better else -1
        finite = [(sign * value, row["steps"], row) for value, row in known if value is not None]
        return min(finite, key=lambda one: one[:2])[2] if finite else None


def number(row: sqlite3.Row | None, metric: str) -> float | None:
    """The value of ``metric`` in a report, None when it is absent or not a finite number."""
    if row is None:
        return None
    value: Any = loads(row["average_json"])
    for part in [metric] if metric in value else metric.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def workload(row: sqlite3.Row | None, *, with_batches: bool = False) -> Json | None:
    """Determined's MetricsWorkload message."""
    if row is None:
        return None
    message = average(row)
    if with_batches:
        message["batchMetrics"] = loads(row["batches_json"]) if row["batches_json"] else []
    return {"endTime": row["end_time"], "metrics": message, "numInputs": 0, "totalBatches": row["steps"]}


def average(row: sqlite3.Row) -> Json:
    """Determined's Metrics message without the batches."""
    return {"avgMetrics": loads(row["average_json"]), "batchMetrics": []}


def report_message(row: sqlite3.Row) -> Json:
    """Determined's MetricsReport message."""
    batches = {"batch_metrics": loads(row["batches_json"])} if row["batches_json"] else {}
    average_key = "validation_metrics" if row["metric_group"] == VALIDATION else "avg_metrics"
    return {
        "trialId": row["trial_id"],
        "trialRunId": row["run_id"],
        "id": row["id"],
        "group": row["metric_group"],
        "totalBatches": row["steps"],
        "endTime": row["end_time"],
        "archived": bool(row["archived"]),
        "metrics": {average_key: loads(row["average_json"]), **batches},
    }
