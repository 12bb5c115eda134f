"""What a running trial calls: Determined's harness and the core API."""

from __future__ import annotations

import base64
import time
from typing import Any

from starlette.responses import JSONResponse

from minipdk.services.determined import messages
from minipdk.services.determined.api.http import Call, Endpoint, Json
from minipdk.services.determined.errors import InvalidArgumentError, NotFoundError, UnsupportedError
from minipdk.services.determined.store.changes import allocation_topic
from minipdk.services.determined.store.schema import dumps, loads
from minipdk.services.determined.trial.environment import rendezvous as one_container

EARLY_EXITS = frozenset({"EXITED_REASON_INVALID_HP", "EXITED_REASON_INIT_INVALID_HP", "EXITED_REASON_USER_REQUESTED_STOP"})
LONGEST_POLL = 300


def context_directory(call: Call) -> Json:
    trial = call.master.trials.get_by_task(call.path["taskId"])
    return {"b64Tgz": base64.b64encode(call.master.experiments.definition(trial["experiment_id"])).decode()}


def allocation(call: Call) -> Json:
    return {"allocation": messages.allocation(call.master.trials.allocation(call.path["allocation"]))}


def accelerator_data(call: Call) -> Json:
    """CPU slots have no accelerators to keep."""
    call.master.trials.allocation(call.path["allocation"])
    if (call.body.get("acceleratorData") or {}).get("acceleratorUuids"):
        raise UnsupportedError("accelerators of an allocation")
    return {}


def rendezvous(call: Call) -> Json:
    row = call.master.trials.allocation(call.path["allocation"])
    if row["container_id"] != call.path["resources"]:
        raise NotFoundError(f"resources {call.path['resources']} not found in the allocation {row['id']}")
    info = one_container(loads(row["slots_json"]))
    return {
        "rendezvousInfo": {
            "addresses": info["container_addrs"],
            "rank": info["container_rank"],
            "slots": info["container_slot_counts"],
        }
    }


async def preemption(call: Call) -> JSONResponse:
    """Answer when the run is to save a checkpoint and exit, or after ``timeout_seconds`` that it need not yet."""
    allocation_id, master = call.path["allocation"], call.master
    seconds = call.one("timeoutSeconds", "timeout_seconds") or "0"
    if not seconds.isdecimal():
        raise InvalidArgumentError(f"timeoutSeconds: {seconds!r} is not a number")
    deadline = time.monotonic() + min(int(seconds), LONGEST_POLL)
    with master.changes.subscribe(allocation_topic(allocation_id)) as change:
        while True:
            preempt = bool(master.trials.allocation(allocation_id)["preempt"])
            left = deadline - time.monotonic()
            if preempt or left <= 0 or master.changes.closing:
                return JSONResponse({"preempt": preempt})
            await change.wait(left)


def acknowledge_preemption(call: Call) -> Json:
    call.master.trials.acknowledge_preemption(call.path["allocation"])
    return {}


def pending_preemption(call: Call) -> Json:
    call.master.trials.request_preemption(call.path["allocation"])
    return {}


def ready(call: Call) -> Json:
    call.master.trials.mark_ready(call.path["allocation"])
    return {}


def daemon(call: Call) -> Json:
    """Only multi-container trials have daemons to mark; a single one is its own chief."""
    call.master.trials.allocation(call.path["allocation"])
    return {}


def start_run(call: Call) -> Json:
    """A trial says where it will save: that must be the experiment's own storage, where the master finds it again."""
    trial = call.master.trials.get(call.required("runId", int))
    config = loads(call.master.experiments.get(trial["experiment_id"])["config_json"])
    own, given = config["checkpoint_storage"], call.body.get("checkpointStorage") or {}
    if any(given.get(key, own[key]) != own[key] for key in ("type", "host_path", "storage_path")):
        raise UnsupportedError(f"checkpoint storage other than the experiment's: {given.get('host_path')!r}")
    return {"storageId": None}


def report_metrics(call: Call) -> Json:
    report = call.body.get("metrics") or {}
    run_id = report.get("trialRunId")
    trial_id = call.master.trials.get(call.id())["id"]
    call.master.metrics.report(
        trial_id,
        run_id=run_id if isinstance(run_id, int) else 0,
        group=call.required("group"),
        steps=int(report.get("stepsCompleted") or 0),
        metrics=report.get("metrics") or {},
        report_time=report.get("reportTime"),
    )
    return {}


def report_progress(call: Call) -> Json:
    progress = call.body.get("progress")
    if not isinstance(progress, int | float) or not 0 <= progress <= 1:
        raise InvalidArgumentError(f"progress: {progress!r} must be a number from 0 to 1")
    call.master.trials.update(call.id(), progress=progress)
    return {}


def runner_metadata(call: Call) -> Json:
    call.master.trials.update(call.id(), runner_state=call.required("state"))
    return {}


def early_exit(call: Call) -> Json:
    if call.required("reason") not in EARLY_EXITS:
        raise InvalidArgumentError(f"reason: {call.body['reason']!r} is not one of {', '.join(sorted(EARLY_EXITS))}")
    call.master.trials.report_early_exit(call.id(), call.body["reason"])
    return {}


def report_checkpoint(call: Call) -> Json:
    allocation_id = call.body.get("allocationId") or call.user.allocation_id
    if not allocation_id:
        raise InvalidArgumentError("allocationId is required: only a trial reports checkpoints")
    call.master.checkpoints.report(call.master.trials.allocation(allocation_id), call.body)
    return {}


def set_metadata(call: Call) -> Json:
    metadata = call.required("metadata", dict)
    call.master.trials.update(call.id(), metadata_json=dumps(metadata))
    return {"metadata": metadata}


def submit_logs(call: Call) -> Json:
    by_task: dict[str, list[Any]] = {}
    for entry in call.required("logs", list):
        by_task.setdefault(str(entry.get("taskId")), []).append(entry)
    for task_id, entries in by_task.items():
        trial = call.master.trials.get_by_task(task_id)
        allocation_id = entries[0].get("allocationId") or call.user.allocation_id or ""
        call.master.logs.append_entries(
            trial["id"], allocation_id, "", [{**one, "log": (one.get("log") or "").rstrip("\n")} for one in entries]
        )
    return {}


ENDPOINTS: list[Endpoint] = [
    ("GET", "/api/v1/tasks/{taskId}/context_directory", context_directory),
    ("GET", "/api/v1/allocations/{allocation}", allocation),
    ("POST", "/api/v1/allocations/{allocation}/acceleratorData", accelerator_data),
    ("GET", "/api/v1/allocations/{allocation}/resources/{resources}/rendezvous", rendezvous),
    ("POST", "/api/v1/allocations/{allocation}/resources/{resources}/daemon", daemon),
    ("GET", "/api/v1/allocations/{allocation}/signals/preemption", preemption),
    ("POST", "/api/v1/allocations/{allocation}/signals/ack_preemption", acknowledge_preemption),
    ("POST", "/api/v1/allocations/{allocation}/signals/pending_preemption", pending_preemption),
    ("POST", "/api/v1/allocations/{allocation}/ready", ready),
    ("POST", "/api/v1/runs/start", start_run),
    ("POST", "/api/v1/runs/{id}/metadata", set_metadata),
    ("POST", "/api/v1/trials/{id}/metrics", report_metrics),
    ("POST", "/api/v1/trials/{id}/progress", report_progress),
    ("POST", "/api/v1/trials/{id}/runner/metadata", runner_metadata),
    ("POST", "/api/v1/trials/{id}/early_exit", early_exit),
    ("POST", "/api/v1/checkpoints", report_checkpoint),
    ("POST", "/api/v1/task/logs", submit_logs),
]
