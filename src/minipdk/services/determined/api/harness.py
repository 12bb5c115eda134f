"""The calls of a running trial: Determined's harness and the core API."""

from __future__ import annotations

import base64
import time
from typing import Any

from starlette.responses import JSONResponse

from minipdk.services.determined import messages
from minipdk.services.determined.api.http import Call, Endpoint
from minipdk.services.determined.checkpoints import Checkpoints
from minipdk.services.determined.errors import InvalidArgumentError, NotFoundError, UnsupportedError
from minipdk.services.determined.experiments import Experiments
from minipdk.services.determined.logs import Logs
from minipdk.services.determined.metrics import Metrics
from minipdk.services.determined.model import Json
from minipdk.services.determined.store import Changes
from minipdk.services.determined.store.changes import allocation_topic
from minipdk.services.determined.trial.environment import rendezvous
from minipdk.services.determined.trials import Trials

EARLY_EXITS = frozenset({"EXITED_REASON_INVALID_HP", "EXITED_REASON_INIT_INVALID_HP", "EXITED_REASON_USER_REQUESTED_STOP"})
LONGEST_POLL_SECONDS = 300


def context_directory(call: Call, trials: Trials, experiments: Experiments) -> Json:
    trial = trials.get_by_task(call.path["taskId"])
    definition = experiments.definition(experiments.get(trial.experiment_id))
    return {"b64Tgz": base64.b64encode(definition).decode()}


def get_allocation(call: Call, trials: Trials) -> Json:
    return {"allocation": messages.allocation(trials.allocation(call.path["allocation"]))}


def set_accelerator_data(call: Call, trials: Trials) -> Json:
    """CPU slots have no accelerators to record."""
    trials.allocation(call.path["allocation"])
    if (call.body.get("acceleratorData") or {}).get("acceleratorUuids"):
        raise UnsupportedError("accelerators of an allocation")
    return {}


def get_rendezvous(call: Call, trials: Trials) -> Json:
    allocation = trials.allocation(call.path["allocation"])
    if allocation.container_id != call.path["resources"]:
        raise NotFoundError(f"resources {call.path['resources']} not found in the allocation {allocation.id}")
    info = rendezvous(allocation.slots)
    return {
        "rendezvousInfo": {
            "addresses": info["container_addrs"],
            "rank": info["container_rank"],
            "slots": info["container_slot_counts"],
        }
    }


async def preemption(call: Call, trials: Trials, changes: Changes) -> JSONResponse:
    """Answer when the run must save a checkpoint and exit, or after ``timeout_seconds`` that it need not yet."""
    allocation_id = call.path["allocation"]
    seconds = call.text("timeoutSeconds", "timeout_seconds") or "0"
    if not seconds.isdecimal():
        raise InvalidArgumentError(f"timeoutSeconds: {seconds!r} is not a number")
    deadline = time.monotonic() + min(int(seconds), LONGEST_POLL_SECONDS)
    with changes.subscribe(allocation_topic(allocation_id)) as change:
        while True:
            preempt = trials.allocation(allocation_id).preempt
            left = deadline - time.monotonic()
            if preempt or left <= 0 or changes.closing:
                return JSONResponse({"preempt": preempt})
            await change.wait(left)


def acknowledge_preemption(call: Call, trials: Trials) -> Json:
    trials.acknowledge_preemption(call.path["allocation"])
    return {}


def request_preemption(call: Call, trials: Trials) -> Json:
    trials.request_preemption(call.path["allocation"])
    return {}


def mark_ready(call: Call, trials: Trials) -> Json:
    trials.mark_ready(call.path["allocation"])
    return {}


def mark_daemon(call: Call, trials: Trials) -> Json:
    """Only trials of several containers have daemons; a single container is its own chief."""
    trials.allocation(call.path["allocation"])
    return {}


def start_run(call: Call, trials: Trials, experiments: Experiments) -> Json:
    """A trial reports its checkpoint storage: it must be the experiment's, since the master looks for checkpoints there."""
    trial = trials.get(call.required("runId", int))
    storage = experiments.get(trial.experiment_id).config["checkpoint_storage"]
    reported = call.body.get("checkpointStorage") or {}
    if any(reported.get(key, storage[key]) != storage[key] for key in ("type", "host_path", "storage_path")):
        raise UnsupportedError(f"checkpoint storage other than the experiment's: {reported.get('host_path')!r}")
    return {"storageId": None}


def report_metrics(call: Call, trials: Trials, metrics: Metrics) -> Json:
    report = call.body.get("metrics") or {}
    metrics.report(
        trials.get(call.id()).id,
        run_id=report.get("trialRunId") or 0,
        group=call.required("group", str),
        steps=report.get("stepsCompleted") or 0,
        metrics=report.get("metrics") or {},
        report_time=report.get("reportTime"),
    )
    return {}


def report_progress(call: Call, trials: Trials) -> Json:
    progress = call.body.get("progress")
    if progress is None or not 0 <= progress <= 1:
        raise InvalidArgumentError(f"progress: {progress!r} must be a number from 0 to 1")
    trials.report_progress(call.id(), progress)
    return {}


def set_runner_state(call: Call, trials: Trials) -> Json:
    trials.set_runner_state(call.id(), call.required("state", str))
    return {}


def report_early_exit(call: Call, trials: Trials) -> Json:
    reason = call.required("reason", str)
    if reason not in EARLY_EXITS:
        raise InvalidArgumentError(f"reason: {reason!r} is not one of {', '.join(sorted(EARLY_EXITS))}")
    trials.report_early_exit(call.id(), reason)
    return {}


def report_checkpoint(call: Call, trials: Trials, checkpoints: Checkpoints) -> Json:
    allocation_id = call.body.get("allocationId") or call.user.allocation_id
    if not allocation_id:
        raise InvalidArgumentError("allocationId is required: only a trial reports checkpoints")
    checkpoints.report(trials.allocation(allocation_id), call.body)
    return {}


def set_metadata(call: Call, trials: Trials) -> Json:
    metadata = call.required("metadata", dict)
    trials.set_metadata(call.id(), metadata)
    return {"metadata": metadata}


def submit_logs(call: Call, trials: Trials, logs: Logs) -> Json:
    by_task: dict[str, list[Any]] = {}
    for entry in call.required("logs", list):
        by_task.setdefault(str(entry.get("taskId")), []).append(entry)
    for task_id, entries in by_task.items():
        trial = trials.get_by_task(task_id)
        allocation_id = entries[0].get("allocationId") or call.user.allocation_id or ""
        lines = [{**entry, "log": (entry.get("log") or "").rstrip("\n")} for entry in entries]
        logs.append_entries(trial.id, allocation_id, "", lines)
    return {}


ENDPOINTS: list[Endpoint] = [
    ("GET", "/api/v1/tasks/{taskId}/context_directory", context_directory),
    ("GET", "/api/v1/allocations/{allocation}", get_allocation),
    ("POST", "/api/v1/allocations/{allocation}/acceleratorData", set_accelerator_data),
    ("GET", "/api/v1/allocations/{allocation}/resources/{resources}/rendezvous", get_rendezvous),
    ("POST", "/api/v1/allocations/{allocation}/resources/{resources}/daemon", mark_daemon),
    ("GET", "/api/v1/allocations/{allocation}/signals/preemption", preemption),
    ("POST", "/api/v1/allocations/{allocation}/signals/ack_preemption", acknowledge_preemption),
    ("POST", "/api/v1/allocations/{allocation}/signals/pending_preemption", request_preemption),
    ("POST", "/api/v1/allocations/{allocation}/ready", mark_ready),
    ("POST", "/api/v1/runs/start", start_run),
    ("POST", "/api/v1/runs/{id}/metadata", set_metadata),
    ("POST", "/api/v1/trials/{id}/metrics", report_metrics),
    ("POST", "/api/v1/trials/{id}/progress", report_progress),
    ("POST", "/api/v1/trials/{id}/runner/metadata", set_runner_state),
    ("POST", "/api/v1/trials/{id}/early_exit", report_early_exit),
    ("POST", "/api/v1/checkpoints", report_checkpoint),
    ("POST", "/api/v1/task/logs", submit_logs),
]
