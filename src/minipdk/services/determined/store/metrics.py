"""Reports of metrics. Reports that a later run of the trial replaced are archived; the others are live."""

from __future__ import annotations

from minipdk.services.determined.model import Json, MetricsReport
from minipdk.services.determined.store.records import Table, dumps

LIVE = "SELECT * FROM metrics WHERE trial_id = ? AND archived = 0"


class MetricsTable(Table):
    def of_trial(self, trial_id: int) -> list[MetricsReport]:
        """The live reports of all groups, by batches."""
        return self._all(MetricsReport, f"{LIVE} ORDER BY steps, id", trial_id)

    def of_group(self, trial_id: int, group: str) -> list[MetricsReport]:
        """The live reports of one group, by batches."""
        return self._all(MetricsReport, f"{LIVE} AND metric_group = ? ORDER BY steps", trial_id, group)

    def at(self, trial_id: int, group: str, steps: int) -> MetricsReport | None:
        """The live report of the group after ``steps`` batches."""
        return self._first(MetricsReport, f"{LIVE} AND metric_group = ? AND steps = ?", trial_id, group, steps)

    def of_run(self, trial_id: int, run_id: int, group: str, steps: int) -> MetricsReport | None:
        """The live report of the group after ``steps`` batches, if the run ``run_id`` made it."""
        query = f"{LIVE} AND run_id = ? AND metric_group = ? AND steps = ?"
        return self._first(MetricsReport, query, trial_id, run_id, group, steps)

    def add(
        self, trial_id: int, run_id: int, group: str, steps: int, *, average: Json, batches: list[Json], end_time: str
    ) -> None:
        self._write(
            "INSERT INTO metrics (trial_id, run_id, metric_group, steps, average_json, batches_json, end_time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(trial_id, run_id, group, steps, dumps(average), dumps(batches) if batches else None, end_time),
        )

    def set_average(self, report_id: int, average: Json) -> None:
        self._update("metrics", report_id, average=average)

    def archive_replaced(self, trial_id: int, run_id: int, group: str, steps: int) -> None:
        """Archive the reports of runs before ``run_id`` at later batches, and of the group at these batches."""
        self._write(
            "UPDATE metrics SET archived = 1 WHERE trial_id = ? AND run_id < ? AND archived = 0"
            " AND (steps > ? OR (steps = ? AND metric_group = ?))",
            *(trial_id, run_id, steps, steps, group),
        )
