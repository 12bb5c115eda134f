"""The metrics that trials report, in groups ("training", "validation" or the user's own) after a number of batches."""

from __future__ import annotations

from minipdk.services.determined.errors import FailedPreconditionError, InvalidArgumentError
from minipdk.services.determined.model import TRAINING, VALIDATION, Json, MetricsReport, Searcher, now
from minipdk.services.determined.numbers import as_json, is_number
from minipdk.services.determined.store import Store


class Metrics:
    def __init__(self, store: Store) -> None:
        self._store = store

    def report(self, trial_id: int, *, run_id: int, group: str, steps: int, metrics: Json, report_time: str | None) -> None:
        """Store one report: ``metrics`` is {avgMetrics, batchMetrics}.

        A report of a later run replaces the reports of earlier runs of the trial from the same batch on: a trial that
        resumed from a checkpoint repeats those batches. Raises FailedPreconditionError for a run that is over.
        """
        if not group:
            raise InvalidArgumentError("group must not be empty")
        if "." in group:
            raise InvalidArgumentError(f"group: {group!r}: metric group cannot contain '.'")
        average, batches = as_json(metrics.get("avgMetrics") or {}), as_json(metrics.get("batchMetrics") or [])
        _check_epochs(average)
        with self._store.transaction():
            current = self._store.trials.current_run(trial_id)
            if run_id != current:
                raise FailedPreconditionError(f"run {run_id} of trial {trial_id} is over: run {current} is the current one")
            if group == VALIDATION:
                self._check_searcher_metric(trial_id, average)
            self._store.metrics.archive_replaced(trial_id, run_id, group, steps)
            if earlier := self._store.metrics.of_run(trial_id, run_id, group, steps):
                self._store.metrics.set_average(earlier.id, _combined(earlier, average))
            else:
                end_time = report_time or now()
                self._store.metrics.add(trial_id, run_id, group, steps, average=average, batches=batches, end_time=end_time)
            if group in (TRAINING, VALIDATION):
                self._store.trials.advance(trial_id, steps)

    def _check_searcher_metric(self, trial_id: int, average: Json) -> None:
        """The metric by which trials are compared is a number."""
        odd = {name for name, value in average.items() if value is not None and not is_number(value)}
        if (
            odd
            and (experiment := self._store.experiments.of_trial(trial_id))
            and (name := experiment.searcher.metric) in odd
        ):
            raise InvalidArgumentError(f"the searcher's metric {name!r} must be a number, not {average[name]!r}")

    def of_trial(self, trial_id: int, group: str | None = None) -> list[MetricsReport]:
        """The live reports of a trial by batches, of one group or all."""
        if group:
            return self._store.metrics.of_group(trial_id, group)
        return self._store.metrics.of_trial(trial_id)

    def at(self, trial_id: int, group: str, steps: int) -> MetricsReport | None:
        """The live report of the group after ``steps`` batches."""
        return self._store.metrics.at(trial_id, group, steps)

    def best_validation(self, trial_id: int, searcher: Searcher) -> MetricsReport | None:
        """The report with the best value of the searcher's metric, the earliest of equals."""
        return best(self.of_trial(trial_id, VALIDATION), searcher)


def best(reports: list[MetricsReport], searcher: Searcher) -> MetricsReport | None:
    """The report with the best value of the searcher's metric, the one after the fewest batches of equals."""
    ranked = [
        (searcher.rank(value), report.steps, report)
        for report in reports
        if (value := report.value(searcher.metric)) is not None
    ]
    return min(ranked, key=lambda rank: rank[:2])[2] if ranked else None


def _check_epochs(average: Json) -> None:
    """Determined orders reports by their epochs."""
    for name in ("epoch", "epochs"):
        value = average.get(name)
        if value is not None and (isinstance(value, str) or not is_number(value)):
            raise InvalidArgumentError(f"cannot add metric with non numeric '{name}' value got {value}")


def _combined(earlier: MetricsReport, average: Json) -> Json:
    """The metrics of two reports of the same batch. Raises InvalidArgumentError when they disagree."""
    before, group = earlier.average, earlier.metric_group
    if conflicts := sorted(name for name in average if name in before and before[name] != average[name]):
        names = ", ".join(conflicts)
        raise InvalidArgumentError(f"{group} metrics at {earlier.steps} batches were already reported: {names}")
    return {**before, **average}
