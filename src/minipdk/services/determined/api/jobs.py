"""The job queue and the tasks: experiments and trials as the scheduler sees them."""

from __future__ import annotations

from dataclasses import replace

from starlette.datastructures import QueryParams

from minipdk.common.home import Identity
from minipdk.services.determined import messages
from minipdk.services.determined.api.filters import states
from minipdk.services.determined.api.http import Call, Endpoint, Handler, paginate
from minipdk.services.determined.errors import InvalidArgumentError, UnsupportedError
from minipdk.services.determined.experiments import Experiments
from minipdk.services.determined.model import Json
from minipdk.services.determined.resource_manager.jobs import Jobs
from minipdk.services.determined.resource_manager.scheduler import Scheduler
from minipdk.services.determined.trials import Trials

DEFAULT_LIMIT = 100
"""The jobs of a page for which the client gives no limit."""


def list_jobs(call: Call, jobs: Jobs) -> Json:
    listed = [messages.job(job) for job in jobs.all()]
    if pool := call.text("resourcePool"):
        listed = [job for job in listed if job["resourcePool"] == pool]
    if selected := states(call, "jobv1.State"):
        listed = [job for job in listed if job["summary"]["state"] in selected]
    if call.descending:
        listed.reverse()
    if not call.number("limit"):
        call = replace(call, query=QueryParams({**call.query, "limit": DEFAULT_LIMIT}))
    page, pagination = paginate(listed, call)
    return {"jobs": page, "pagination": pagination}


def list_jobs_v2(call: Call, jobs: Jobs) -> Json:
    listed = list_jobs(call, jobs)
    return {"jobs": [{"full": job} for job in listed["jobs"]], "pagination": listed["pagination"]}


def statistics(call: Call, jobs: Jobs, identity: Identity) -> Json:
    queued, running = jobs.queued_in(), jobs.running_in()
    pools = call.texts("resourcePools") or identity.resource_pools
    return {
        "results": [
            {"resourcePool": pool, "stats": {"queuedCount": queued.count(pool), "scheduledCount": running.count(pool)}}
            for pool in pools
        ]
    }


def update(call: Call, jobs: Jobs, experiments: Experiments, scheduler: Scheduler) -> Json:
    """Change priorities. Other ways to reorder the queue are not supported."""
    for change in call.required("updates", list):
        experiment = experiments.get_by_job(change.get("jobId"))
        for field in ("aheadOf", "behindOf", "weight", "resourcePool"):
            if change.get(field):
                raise UnsupportedError(f"job queue update {field}")
        priority = change.get("priority")
        if not isinstance(priority, int) or not 1 <= priority <= 99:
            raise InvalidArgumentError(f"priority: {priority!r} must be a number from 1 to 99")
        jobs.set_priority(experiment, priority)
    scheduler.wake()
    return {}


def list_tasks(_: Call, jobs: Jobs) -> Json:
    return {
        "allocationIdToSummary": {
            allocation.id: messages.allocation_summary(allocation, experiment) for allocation, experiment in jobs.running()
        }
    }


def get_task(call: Call, trials: Trials) -> Json:
    trial = trials.get_by_task(call.path["taskId"])
    return {"task": messages.task(trial, call.path["taskId"], trials.allocations(trial.id))}


def count_tasks(_: Call) -> Json:
    return {"commands": 0, "notebooks": 0, "shells": 0, "tensorboards": 0}


def _none_of(noun: str) -> Handler:
    """Commands, notebooks, shells and TensorBoards cannot be made here, so there is none to list."""

    def list_none(call: Call) -> Json:
        _, pagination = paginate([], call)
        return {noun: [], "pagination": pagination}

    return list_none


ENDPOINTS: list[Endpoint] = [
    ("GET", "/api/v1/job-queues", list_jobs),
    ("POST", "/api/v1/job-queues", update),
    ("GET", "/api/v1/job-queues-v2", list_jobs_v2),
    ("GET", "/api/v1/job-queues/stats", statistics),
    ("GET", "/api/v1/tasks", list_tasks),
    ("GET", "/api/v1/tasks/count", count_tasks),
    ("GET", "/api/v1/tasks/{taskId}", get_task),
    *[("GET", f"/api/v1/{noun}", _none_of(noun)) for noun in ("commands", "notebooks", "shells", "tensorboards")],
]
