"""Trials: their metrics and logs, and stopping them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.responses import StreamingResponse

from minipdk.services.determined import messages
from minipdk.services.determined.api.filters import states
from minipdk.services.determined.api.http import Call, Endpoint, ordered, paginate, stream
from minipdk.services.determined.checkpoints import Checkpoints
from minipdk.services.determined.errors import MasterError, UnsupportedError
from minipdk.services.determined.experiments import Experiments
from minipdk.services.determined.logs import Logs, checked
from minipdk.services.determined.metrics import Metrics
from minipdk.services.determined.model import TRAINING, VALIDATION, Json, LogFilter, State, Trial
from minipdk.services.determined.numbers import sortable
from minipdk.services.determined.resource_manager.scheduler import Scheduler
from minipdk.services.determined.trials import Trials

REPORTS_IN_A_MESSAGE = 100


def get(call: Call, trials: Trials, experiments: Experiments) -> Json:
    trial = trials.get(call.id())
    return {"trial": messages.trial(trials.details(trial, experiments.get(trial.experiment_id).searcher))}


def list_(call: Call, trials: Trials, experiments: Experiments) -> Json:
    searcher = experiments.get(call.id()).searcher
    shown = [messages.trial(trials.details(trial, searcher)) for trial in trials.of_experiment(call.id())]
    if selected := states(call, "experimentv1.State"):
        shown = [message for message in shown if message["state"] in selected]
    keys: dict[str, Callable[[Json], Any]] = {
        "ID": lambda message: message["id"],
        "START_TIME": lambda message: message["startTime"],
        "END_TIME": lambda message: message["endTime"],
        "STATE": lambda message: message["state"],
        "BEST_VALIDATION_METRIC": lambda message: sortable(message["searcherMetricValue"]),
        "LATEST_VALIDATION_METRIC": lambda message: sortable(
            (message["latestValidation"] or {}).get("metrics", {}).get("avgMetrics", {}).get(searcher.metric)
        ),
        "BATCHES_PROCESSED": lambda message: message["totalBatchesProcessed"],
        "RESTARTS": lambda message: message["restarts"],
        "CHECKPOINT_SIZE": lambda message: int(message["totalCheckpointSize"]),
    }
    page, pagination = paginate(ordered(shown, call, keys, "ID"), call)
    return {"trials": page, "pagination": pagination}


def kill(call: Call, experiments: Experiments, scheduler: Scheduler) -> Json:
    experiments.kill_trial(call.id())
    scheduler.wake()
    return {}


def kill_runs(call: Call, experiments: Experiments, scheduler: Scheduler) -> Json:
    """Runs are trials, under the name that later versions of Determined give them."""
    return _each_run(call, experiments.kill_trial, scheduler)


def pause_runs(call: Call, experiments: Experiments, scheduler: Scheduler) -> Json:
    return _each_run(call, experiments.pause_with_trial, scheduler)


def workloads(call: Call, trials: Trials, metrics: Metrics, checkpoints: Checkpoints) -> Json:
    """Training, validation and checkpoints in the order of batches."""
    trial_id = trials.get(call.id()).id
    chosen = {
        "FILTER_OPTION_CHECKPOINT": {"checkpoint"},
        "FILTER_OPTION_VALIDATION": {"validation"},
        "FILTER_OPTION_CHECKPOINT_OR_VALIDATION": {"validation", "checkpoint"},
    }.get(call.text("filter") or "", set(WORKLOAD_KINDS))
    listed = [
        workload
        for workload in (*_metrics_workloads(call, trial_id, metrics), *_checkpoint_workloads(call, trial_id, checkpoints))
        if workload[1] in chosen
    ]
    listed.sort(key=lambda workload: (workload[0], WORKLOAD_KINDS.index(workload[1])), reverse=call.descending)
    page, pagination = paginate([{kind: message} for _, kind, message in listed], call)
    return {"workloads": page, "pagination": pagination}


WORKLOAD_KINDS = ("training", "validation", "checkpoint")
Workload = tuple[int, str, Json | None]
"""The number of batches, the kind and the message."""


def _metrics_workloads(call: Call, trial_id: int, metrics: Metrics) -> list[Workload]:
    with_batches, metric_type = bool(call.flag("includeBatchMetrics")), call.text("metricType") or ""
    kinds = {TRAINING: "training", VALIDATION: "validation"}
    if metric_type not in ("", "METRIC_TYPE_UNSPECIFIED"):
        kinds = {group: kind for group, kind in kinds.items() if metric_type == f"METRIC_TYPE_{kind.upper()}"}
    return [
        (report.steps, kinds[report.metric_group], messages.metrics_workload(report, with_batches=with_batches))
        for report in metrics.of_trial(trial_id, call.text("group"))
        if report.metric_group in kinds
    ]


def _checkpoint_workloads(call: Call, trial_id: int, checkpoints: Checkpoints) -> list[Workload]:
    hide_deleted = call.flag("removeDeletedCheckpoints")
    return [
        (checkpoint.steps, "checkpoint", messages.checkpoint_workload(checkpoint))
        for checkpoint in checkpoints.of_trial(trial_id)
        if not (hide_deleted and checkpoint.state == State.DELETED)
    ]


async def all_metrics(call: Call, trials: Trials, metrics: Metrics) -> StreamingResponse:
    return _reports(call, trials, metrics, call.text("group") or "")


async def training_metrics(call: Call, trials: Trials, metrics: Metrics) -> StreamingResponse:
    return _reports(call, trials, metrics, TRAINING)


async def validation_metrics(call: Call, trials: Trials, metrics: Metrics) -> StreamingResponse:
    return _reports(call, trials, metrics, VALIDATION)


async def trial_logs(call: Call, trials: Trials, logs: Logs) -> StreamingResponse:
    trial = trials.get(call.id())
    return _log_entries(call, logs, trial, {"trialId": trial.id})


async def task_logs(call: Call, trials: Trials, logs: Logs) -> StreamingResponse:
    trial = trials.get_by_task(call.path["taskId"])
    return _log_entries(call, logs, trial, {"taskId": trial.task_id})


async def trial_log_fields(call: Call, trials: Trials, logs: Logs) -> StreamingResponse:
    return stream(_log_fields(logs, trials.get(call.id())))


async def task_log_fields(call: Call, trials: Trials, logs: Logs) -> StreamingResponse:
    return stream(_log_fields(logs, trials.get_by_task(call.path["taskId"])))


def get_metadata(call: Call, trials: Trials) -> Json:
    return {"metadata": trials.get(call.id()).metadata}


def _reports(call: Call, trials: Trials, metrics: Metrics, group: str) -> StreamingResponse:
    trial_ids = [trials.get(number).id for number in call.numbers("trialIds")]

    async def pages() -> AsyncIterator[Json]:
        for trial_id in trial_ids:
            reports = metrics.of_trial(trial_id, group)
            for start in range(0, len(reports), REPORTS_IN_A_MESSAGE):
                page = reports[start : start + REPORTS_IN_A_MESSAGE]
                yield {"metrics": [messages.metrics_report(report) for report in page]}

    return stream(pages())


def _log_entries(call: Call, logs: Logs, trial: Trial, owner: Json) -> StreamingResponse:
    """The trial's log; each entry contains the fields of ``owner``."""
    log_filter = checked(
        LogFilter(
            levels=call.texts("levels"),
            stdtypes=call.texts("stdtypes"),
            sources=call.texts("sources"),
            containers=call.texts("containerIds"),
            allocations=call.texts("allocationIds"),
            agents=call.texts("agentIds"),
            ranks=call.numbers("rankIds"),
            text=call.text("searchText") or "",
            is_regex=bool(call.flag("enableRegex")),
            after=call.text("timestampAfter"),
            before=call.text("timestampBefore"),
        )
    )
    limit, follow = call.number("limit"), bool(call.flag("follow"))
    entries = logs.read(trial.id, log_filter, limit=limit, newest_first=call.descending, follow=follow)

    async def shown() -> AsyncIterator[Json]:
        async for entry in entries:
            yield {**messages.log_entry(entry), **owner}

    return stream(shown())


async def _log_fields(logs: Logs, trial: Trial) -> AsyncIterator[Json]:
    yield logs.fields(trial.id)


def _each_run(call: Call, act: Callable[[int], None], scheduler: Scheduler) -> Json:
    if call.body.get("filter"):
        raise UnsupportedError("choosing runs by a filter")
    results = []
    for run in call.required("runIds", list):
        try:
            act(run)
            results.append({"id": run, "error": ""})
        except MasterError as error:
            results.append({"id": run, "error": str(error)})
    scheduler.wake()
    return {"results": results}


ENDPOINTS: list[Endpoint] = [
    ("GET", "/api/v1/experiments/{id}/trials", list_),
    ("GET", "/api/v1/trials/metrics/trial_metrics", all_metrics),
    ("GET", "/api/v1/trials/metrics/training_metrics", training_metrics),
    ("GET", "/api/v1/trials/metrics/validation_metrics", validation_metrics),
    ("GET", "/api/v1/trials/{id}", get),
    ("POST", "/api/v1/trials/{id}/kill", kill),
    ("GET", "/api/v1/trials/{id}/workloads", workloads),
    ("GET", "/api/v1/trials/{id}/logs", trial_logs),
    ("GET", "/api/v1/trials/{id}/logs/fields", trial_log_fields),
    ("GET", "/api/v1/tasks/{taskId}/logs", task_logs),
    ("GET", "/api/v1/tasks/{taskId}/logs/fields", task_log_fields),
    ("GET", "/api/v1/runs/{id}/metadata", get_metadata),
    ("POST", "/api/v1/runs/kill", kill_runs),
    ("POST", "/api/v1/runs/pause", pause_runs),
]
