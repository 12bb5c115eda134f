"""The job queue and the tasks: experiments and trials as the scheduler sees them."""

from __future__ import annotations

import sqlite3

from minipdk.services.determined import messages, states
from minipdk.services.determined.api.http import Call, Endpoint, Json, paginate
from minipdk.services.determined.errors import InvalidArgumentError, NotFoundError, UnsupportedError
from minipdk.services.determined.logs import AGENT
from minipdk.services.determined.master import Master
from minipdk.services.determined.store.schema import loads


def jobs(call: Call) -> Json:
    listed = [_job(call.master, row, ahead) for ahead, row in enumerate(_live(call.master))]
    if pool := call.one("resourcePool"):
        listed = [job for job in listed if job["resourcePool"] == pool]
    if wanted := call.many("states"):
        listed = [job for job in listed if job["summary"]["state"] in wanted]
    if call.one("orderBy") == "ORDER_BY_DESC":
        listed.reverse()
    page, pagination = paginate(listed, call)
    return {"jobs": page, "pagination": pagination}


def jobs_v2(call: Call) -> Json:
    listed = jobs(call)
    return {"jobs": [{"full": job} for job in listed["jobs"]], "pagination": listed["pagination"]}


def statistics(call: Call) -> Json:
    scheduler = call.master.scheduler
    queued = [row["resource_pool"] for row in scheduler.queue()]
    running = [call.master.experiments.get(one.experiment_id)["resource_pool"] for one in list(scheduler.running.values())]
    pools = call.many("resourcePools") or call.master.home.identity.resource_pools
    return {
        "results": [
            {"resourcePool": pool, "stats": {"queuedCount": queued.count(pool), "scheduledCount": running.count(pool)}}
            for pool in pools
        ]
    }


def update(call: Call) -> Json:
    """Change priorities. Other ways to reorder the queue are not supported."""
    for one in call.required("updates", list):
        rows = call.master.database.connection()
        found = rows.execute("SELECT id FROM experiments WHERE job_id = ?", (one.get("jobId"),)).fetchone()
        if not found:
            raise NotFoundError(f"job {one.get('jobId')!r} not found")
        for field in ("aheadOf", "behindOf", "weight", "resourcePool"):
            if one.get(field):
                raise UnsupportedError(f"job queue update {field}")
        priority = one.get("priority")
        if not isinstance(priority, int) or not 1 <= priority <= 99:
            raise InvalidArgumentError(f"priority: {priority!r} must be a number from 1 to 99")
        call.master.experiments.update(found["id"], {"priority": priority})
    call.master.scheduler.wake()
    return {}


def tasks(call: Call) -> Json:
    summaries = {}
    for allocation_id, running in list(call.master.scheduler.running.items()):
        allocation = call.master.trials.allocation(allocation_id)
        experiment = call.master.experiments.get(running.experiment_id)
        summaries[allocation_id] = {
            "allocationId": allocation_id,
            "taskId": allocation["task_id"],
            "name": f"Trial {running.trial_id} (Experiment {running.experiment_id})",
            "registeredTime": allocation["start_time"],
            "resourcePool": experiment["resource_pool"],
            "slotsNeeded": len(running.slots),
            "schedulerType": "priority",
            "priority": experiment["priority"],
            "resources": [
                {
                    "resourcesId": allocation["container_id"],
                    "resourcesType": "docker-container",
                    "allocationId": allocation_id,
                    "containerId": allocation["container_id"],
                    "agentDevices": {AGENT: {"devices": [{"id": slot, "type": "TYPE_CPU"} for slot in running.slots]}},
                }
            ],
        }
    return {"allocationIdToSummary": summaries}


def task(call: Call) -> Json:
    trial = call.master.trials.get_by_task(call.path["taskId"])
    return {
        "task": {
            "taskId": trial["task_id"],
            "taskType": "TASK_TYPE_TRIAL",
            "startTime": trial["start_time"],
            "endTime": trial["end_time"],
            "allocations": [messages.allocation(row) for row in call.master.trials.allocations(trial["id"])],
        }
    }


def active_tasks(_: Call) -> Json:
    return {"commands": 0, "notebooks": 0, "shells": 0, "tensorboards": 0}


def _live(master: Master) -> list[sqlite3.Row]:
    """The experiments that have not ended: those that run first, then the queue's order."""
    live = [row for row in master.experiments.all() if row["state"] not in states.TERMINAL]
    running = {one.experiment_id for one in master.scheduler.running.values()}
    return sorted(live, key=lambda row: (row["id"] not in running, row["priority"], row["id"]))


def _job(master: Master, row: sqlite3.Row, ahead: int) -> Json:
    running = [one for one in master.scheduler.running.values() if one.experiment_id == row["id"]]
    config = loads(row["config_json"])
    message = messages.experiment(master, row)
    state = "STATE_SCHEDULED" if running else "STATE_QUEUED"
    return {
        "jobId": row["job_id"],
        "entityId": str(row["id"]),
        "type": "TYPE_EXPERIMENT",
        "name": row["name"],
        "username": row["username"],
        "userId": row["user_id"],
        "resourcePool": row["resource_pool"],
        "submissionTime": row["start_time"],
        "isPreemptible": True,
        "requestedSlots": config["resources"]["slots_per_trial"] * row["num_trials"],
        "allocatedSlots": sum(len(one.slots) for one in running),
        "priority": row["priority"],
        "weight": config["resources"]["weight"],
        "progress": message["progress"],
        "workspaceId": row["workspace_id"],
        "summary": {"state": state, "jobsAhead": ahead},
    }


ENDPOINTS: list[Endpoint] = [
    ("GET", "/api/v1/job-queues", jobs),
    ("POST", "/api/v1/job-queues", update),
    ("GET", "/api/v1/job-queues-v2", jobs_v2),
    ("GET", "/api/v1/job-queues/stats", statistics),
    ("GET", "/api/v1/tasks", tasks),
    ("GET", "/api/v1/tasks/count", active_tasks),
    ("GET", "/api/v1/tasks/{taskId}", task),
]
