"""Trials: what they measured, what they printed, and stopping them."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse

from minipdk.services.determined import messages
from minipdk.services.determined.api.http import Call, Endpoint, Json, ordered, paginate, stream
from minipdk.services.determined.errors import MasterError, UnsupportedError
from minipdk.services.determined.logs import AGENT, Filter
from minipdk.services.determined.metrics import TRAINING, VALIDATION, report_message, workload
from minipdk.services.determined.store.schema import loads

REPORTS_AT_ONCE = 100


def get(call: Call) -> Json:
    return {"trial": messages.trial(call.master, call.master.trials.get(call.id()))}


def list_(call: Call) -> Json:
    config = loads(call.master.experiments.get(call.id())["config_json"])
    trials = [messages.trial(call.master, row, config) for row in call.master.trials.of_experiment(call.id())]
    if wanted := call.many("states"):
        trials = [trial for trial in trials if trial["state"] in wanted]
    metric = config["searcher"]["metric"]
    keys: dict[str, Any] = {
        "ID": lambda t: t["id"],
        "START_TIME": lambda t: t["startTime"],
        "END_TIME": lambda t: t["endTime"],
        "STATE": lambda t: t["state"],
        "BEST_VALIDATION_METRIC": lambda t: t["searcherMetricValue"],
        "LATEST_VALIDATION_METRIC": lambda t: (
            (t["latestValidation"] or {}).get("metrics", {}).get("avgMetrics", {}).get(metric)
        ),
        "BATCHES_PROCESSED": lambda t: t["totalBatchesProcessed"],
        "RESTARTS": lambda t: t["restarts"],
        "CHECKPOINT_SIZE": lambda t: int(t["totalCheckpointSize"]),
    }
    page, pagination = paginate(ordered(trials, call, keys, "ID"), call)
    return {"trials": page, "pagination": pagination}


def kill(call: Call) -> Json:
    call.master.experiments.kill_trial(call.id())
    call.master.scheduler.wake()
    return {}


def kill_runs(call: Call) -> Json:
    """Runs are trials, by the name that later versions of Determined give them."""
    return _each_run(call, call.master.experiments.kill_trial)


def pause_runs(call: Call) -> Json:
    return _each_run(
        call, lambda run: call.master.experiments.set_paused(call.master.trials.get(run)["experiment_id"], True)
    )


def workloads(call: Call) -> Json:
    """Training, validation and checkpoints in the order of batches."""
    trial_id = call.master.trials.get(call.id())["id"]
    with_batches = bool(call.flag("includeBatchMetrics"))
    only, kind = call.one("filter") or "", call.one("metricType") or ""
    found: list[tuple[int, int, Json]] = []
    for row in call.master.metrics.of_trial(trial_id, call.one("group")):
        name = {TRAINING: "training", VALIDATION: "validation"}.get(row["metric_group"])
        if name and (kind in ("", "METRIC_TYPE_UNSPECIFIED") or kind == f"METRIC_TYPE_{name.upper()}"):
            order = 0 if name == "training" else 1
            found.append((row["steps"], order, {name: workload(row, with_batches=with_batches)}))
    found += [
        (row["steps"], 2, {"checkpoint": messages.checkpoint_workload(row)})
        for row in call.master.checkpoints.of_trial(trial_id)
        if not (call.flag("removeDeletedCheckpoints") and row["state"] == "DELETED")
    ]
    keep = {
        "FILTER_OPTION_CHECKPOINT": {2},
        "FILTER_OPTION_VALIDATION": {1},
        "FILTER_OPTION_CHECKPOINT_OR_VALIDATION": {1, 2},
    }
    found = [one for one in found if one[1] in keep.get(only, {0, 1, 2})]
    found.sort(key=lambda one: one[:2], reverse=call.one("orderBy") == "ORDER_BY_DESC")
    page, pagination = paginate([message for _, _, message in found], call)
    return {"workloads": page, "pagination": pagination}


async def metrics(call: Call) -> StreamingResponse:
    return _reports(call, call.one("group") or "")


async def training_metrics(call: Call) -> StreamingResponse:
    return _reports(call, TRAINING)


async def validation_metrics(call: Call) -> StreamingResponse:
    return _reports(call, VALIDATION)


async def trial_logs(call: Call) -> StreamingResponse:
    return _log_lines(call, call.master.trials.get(call.id()), "trialId")


async def task_logs(call: Call) -> StreamingResponse:
    return _log_lines(call, call.master.trials.get_by_task(call.path["taskId"]), "taskId")


async def trial_log_fields(call: Call) -> StreamingResponse:
    return stream(_fields(call, call.master.trials.get(call.id())["id"]))


async def task_log_fields(call: Call) -> StreamingResponse:
    return stream(_fields(call, call.master.trials.get_by_task(call.path["taskId"])["id"]))


def get_metadata(call: Call) -> Json:
    return {"metadata": loads(call.master.trials.get(call.id())["metadata_json"])}


def _reports(call: Call, group: str) -> StreamingResponse:
    trials = [call.master.trials.get(number)["id"] for number in call.numbers("trialIds")]

    async def pages() -> AsyncIterator[Json]:
        for trial_id in trials:
            rows = call.master.metrics.of_trial(trial_id, group)
            for start in range(0, len(rows), REPORTS_AT_ONCE):
                yield {"metrics": [report_message(row) for row in rows[start : start + REPORTS_AT_ONCE]]}

    return stream(pages())


def _log_lines(call: Call, trial: sqlite3.Row, owner: str) -> StreamingResponse:
    """The trial's log; each line says whose it is in the field ``owner``: trialId or taskId."""
    wanted = Filter(
        levels=call.many("levels"),
        stdtypes=call.many("stdtypes"),
        sources=call.many("sources"),
        containers=call.many("containerIds"),
        allocations=call.many("allocationIds"),
        agents=call.many("agentIds"),
        ranks=call.numbers("rankIds"),
        text=call.one("searchText") or "",
        is_regex=bool(call.flag("enableRegex")),
        after=call.one("timestampAfter"),
        before=call.one("timestampBefore"),
    )
    wanted.check()
    newest_first, follow = call.one("orderBy") == "ORDER_BY_DESC", bool(call.flag("follow"))
    rows = call.master.logs.read(trial["id"], wanted, limit=call.number("limit"), newest_first=newest_first, follow=follow)
    identity = {owner: trial["id"] if owner == "trialId" else trial["task_id"]}

    async def lines() -> AsyncIterator[Json]:
        async for row in rows:
            yield {**_log_line(row), **identity}

    return stream(lines())


def _log_line(row: sqlite3.Row) -> Json:
    container = f"{row['container_id'][:8]} " if row["container_id"] else ""
    return {
        "id": str(row["id"]),
        "timestamp": row["timestamp"],
        "level": row["level"],
        "log": f"{row['log']}\n",
        "message": f"[{row['timestamp']}] {container}|| {row['log']}\n",
        "agentId": AGENT,
        "containerId": row["container_id"],
        "allocationId": row["allocation_id"],
        "rankId": row["rank_id"],
        "source": row["source"],
        "stdtype": row["stdtype"],
    }


async def _fields(call: Call, trial_id: int) -> AsyncIterator[Json]:
    yield call.master.logs.fields(trial_id)


def _each_run(call: Call, act: Any) -> Json:
    if call.body.get("filter"):
        raise UnsupportedError("choosing runs by a filter")
    results = []
    for run in call.required("runIds", list):
        try:
            act(run)
            results.append({"id": run, "error": ""})
        except MasterError as error:
            results.append({"id": run, "error": str(error)})
    call.master.scheduler.wake()
    return {"results": results}


ENDPOINTS: list[Endpoint] = [
    ("GET", "/api/v1/experiments/{id}/trials", list_),
    ("GET", "/api/v1/trials/metrics/trial_metrics", metrics),
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
