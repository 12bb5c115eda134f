"""Jobs over HTTP: submit, list, look at and end them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from minipdk.services.neuro import messages
from minipdk.services.neuro.api.http import document, route
from minipdk.services.neuro.errors import InvalidArgumentError, UnsupportedError
from minipdk.services.neuro.jobs import presets
from minipdk.services.neuro.jobs.jobs import Filter, Jobs
from minipdk.services.neuro.model import Status
from minipdk.services.neuro.names import Addresses

PATH = "/api/v1/jobs"
NDJSON = "application/x-ndjson"
_LIMIT = re.compile(r"[1-9][0-9]{0,8}")
KNOWN = ("being_dropped", "logs_removed", "materialized")
"""Queries about jobs of which the platform has forgotten parts, which this one forgets as a whole."""


class JobsApi:
    def __init__(self, jobs: Jobs, addresses: Addresses) -> None:
        self._jobs, self._addresses = jobs, addresses

    def routes(self) -> list[Route]:
        return [
            route(PATH, self._submit, "POST"),
            route(PATH, self._list, "GET"),
            route(PATH + "/{id}", self._get, "GET"),
            route(PATH + "/{id}", self._cancel, "DELETE"),
            route(PATH + "/{id}/max_run_time_minutes", self._extend, "PUT"),
        ]

    async def _submit(self, request: Request) -> Response:
        if "from_preset" not in request.query_params:
            raise UnsupportedError("a job without a preset")
        body, user = await document(request), request.state.user
        job = await run_in_threadpool(self._jobs.submit, body, user, presets.presets())
        self._jobs.changed(job.id)
        return JSONResponse(messages.job(job, self._addresses), 202)

    async def _list(self, request: Request) -> Response:
        jobs = await run_in_threadpool(self._jobs.search, _filter(request.query_params))
        described = [messages.job(job, self._addresses) for job in jobs]
        if NDJSON in request.headers.get("accept", ""):
            return Response("".join(json.dumps(job) + "\n" for job in described), media_type=NDJSON)
        return JSONResponse({"jobs": described})

    async def _get(self, request: Request) -> Response:
        job = await run_in_threadpool(self._jobs.get, request.path_params["id"])
        return JSONResponse(messages.job(job, self._addresses))

    async def _cancel(self, request: Request) -> Response:
        job_id = request.path_params["id"]
        await run_in_threadpool(self._jobs.cancel, job_id)
        self._jobs.changed(job_id)
        return Response(status_code=204)

    async def _extend(self, request: Request) -> Response:
        minutes = (await document(request)).get("additional_max_run_time_minutes")
        if not isinstance(minutes, int) or isinstance(minutes, bool) or minutes < 1:
            raise InvalidArgumentError("additional_max_run_time_minutes must be a number of minutes")
        job_id = request.path_params["id"]
        await run_in_threadpool(self._jobs.extend, job_id, minutes)
        self._jobs.changed(job_id)
        return Response(status_code=201)


def _filter(query: QueryParams) -> Filter:
    """Raises InvalidArgumentError."""
    statuses = frozenset(query.getlist("status"))
    if unknown := statuses - set(Status) - {"suspended", "unknown"}:
        raise InvalidArgumentError(f"status {sorted(unknown)[0]!r} does not exist: choose one of {', '.join(Status)}")
    for name in KNOWN:
        if query.get(name, "false").lower() == "true":
            return Filter(clusters=frozenset({""}))
    return Filter(
        statuses=statuses,
        name=query.get("name", ""),
        owners=frozenset(query.getlist("owner")),
        tags=frozenset(query.getlist("tag")),
        since=_time(query, "since"),
        until=_time(query, "until"),
        clusters=frozenset(query.getlist("cluster_name")),
        organizations=frozenset(query.getlist("org_name")),
        projects=frozenset(query.getlist("project_name")),
        reverse=query.get("reverse", "").lower() in ("1", "true", "yes"),
        limit=_limit(query),
    )


def _time(query: QueryParams, name: str) -> datetime | None:
    return None if name not in query else time_of(name, query[name])


def time_of(name: str, text: str) -> datetime:
    """The time that a client gives in RFC 3339. Raises InvalidArgumentError."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgumentError(f"{name} {text!r} must be a time like 2026-01-02T03:04:05Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _limit(query: QueryParams) -> int | None:
    text = query.get("limit")
    if text is None:
        return None
    if not _LIMIT.fullmatch(text):
        raise InvalidArgumentError(f"limit {text!r} must be a positive number")
    return int(text)
