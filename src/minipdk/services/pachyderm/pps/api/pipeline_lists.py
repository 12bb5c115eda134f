"""The calls that look at pipelines, as the protocol has them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from minipdk.common.ports import HOST
from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.api.requests import allowed, required
from minipdk.services.pachyderm.pps.messages import enum
from minipdk.services.pachyderm.pps.store import Key
from minipdk.services.pachyderm.pps.worker import service_ports

if TYPE_CHECKING:
    from minipdk.services.pachyderm.pps import Pps

ANCESTRY = re.compile(r"(?P<name>[^.^~]*)(?:[\^~](?P<back>\d{1,9})|(?P<carets>\^+|~+)|\.(?P<future>\d{1,9}))?")


class PipelineLists:
    """Inspecting and listing pipelines."""

    def __init__(self, pps: Pps) -> None:
        self._pps = pps

    def inspect_pipeline(self, request: Any, _context: Any) -> Any:
        info = self._pps.pipelines.with_last_job(self._version(required(request.pipeline)))
        if not request.details:
            info.ClearField("details")
            return info
        if (service := service_ports.service_of(info.details)) is not None:
            service.ip = HOST
        info.details.workers_requested = info.parallelism
        if info.state == enum("PipelineState", "PIPELINE_RUNNING"):
            info.details.workers_available = info.parallelism
        return info

    def _version(self, key: Key) -> Any:
        """The version that a name in ancestry format means: ``edges^2`` is two before the newest."""
        found = ANCESTRY.fullmatch(key.pipeline)
        if found is None:
            raise PachydermError(f'invalid ancestry syntax "{key.pipeline}": write "name^2" or "name^^"')
        if found["future"] and int(found["future"]):
            raise PachydermError("cannot inspect future pipelines")
        key = Key(key.project, found["name"])
        newest = self._pps.pipelines.get(key)
        back = int(found["back"] or 0) + len(found["carets"] or "")
        if back >= newest.version:
            raise PachydermError(f'pipeline "{key}" has only {newest.version} versions, not enough to find ancestor {back}')
        return self._pps.pipelines.get(key, newest.version - back)

    def list_pipeline(self, request: Any, _context: Any) -> Iterator[Any]:
        projects = allowed(request)
        key = Key.of(request.pipeline) if request.pipeline.name else None
        found = (
            info
            for info in self._pps.pipelines.list(key, request.history)
            if not projects or info.pipeline.project.name in projects
        )
        if commit_set := request.commit_set.id:
            found = (then for info in found if (then := self._pps.pipelines.at(info, commit_set)) is not None)
        page = request.page
        if page.page_size < 0 or page.page_index < 0:
            raise PachydermError("page size and page index must not be negative")
        start = page.page_index * page.page_size
        yield from list(found)[start : start + page.page_size if page.page_size else None]

    def pipelines_summary(self, request: Any, _context: Any) -> Any:
        wanted = {picker.name or "default" for picker in request.projects}
        unhealthy = {enum("JobState", f"JOB_{state}") for state in ("KILLED", "FAILURE", "UNRUNNABLE")}
        counters = {"FAILURE": "failed", "CRASHING": "failed", "PAUSED": "paused"}
        summaries: dict[str, Any] = {}
        for info in self._pps.pipelines.list():
            project = info.pipeline.project.name
            if wanted and project not in wanted:
                continue
            summary = summaries.setdefault(project, wire.pps.PipelinesSummary(project=info.pipeline.project))
            state = wire.pps.PipelineState.Name(info.state).removeprefix("PIPELINE_")
            counter = f"{counters.get(state, 'active')}_pipelines"
            setattr(summary, counter, getattr(summary, counter) + 1)
            summary.unhealthy_pipelines += info.last_job_state in unhealthy
        return wire.pps.PipelinesSummaryResponse(summaries=summaries.values())

    def check_status(self, request: Any, _context: Any) -> Iterator[Any]:
        """The pipelines whose workers have been up for longer than their maximum_expected_uptime, each with an alert."""
        project = request.project.name
        for info in self._pps.pipelines.list():
            started = messages.nanoseconds(info.details.workers_started_at)
            expected = messages.nanoseconds(info.details.maximum_expected_uptime)
            over = time.time_ns() - started - expected
            if (project and info.pipeline.project.name != project) or not (started and expected and over > 0):
                continue
            since = datetime.fromtimestamp(started / messages.NANOSECONDS, UTC)
            alert = f"{Key.of(info.pipeline)}: Started running at {since}, exceeded maximum uptime by {_seconds(over)}"
            yield wire.pps.CheckStatusResponse(project=request.project, pipeline=info.pipeline, alerts=[alert])


def _seconds(nanoseconds: int) -> timedelta:
    return timedelta(seconds=nanoseconds // messages.NANOSECONDS)
