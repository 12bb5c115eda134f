"""The calls that make, change, inspect and list pipelines."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from minipdk.common.ports import HOST
from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import NotFoundError, PachydermError, UnsupportedError
from minipdk.services.pachyderm.pfs.model import DEFAULT_PROJECT
from minipdk.services.pachyderm.pps import crons, messages
from minipdk.services.pachyderm.pps.api.requests import Calls, listed_projects, pipeline_key
from minipdk.services.pachyderm.pps.messages import job_state, pipeline_state
from minipdk.services.pachyderm.pps.model import Key
from minipdk.services.pachyderm.pps.spec import parsing
from minipdk.services.pachyderm.required_fields import require

UNHEALTHY = frozenset({job_state("JOB_KILLED"), job_state("JOB_FAILURE"), job_state("JOB_UNRUNNABLE")})
COUNTERS = {"FAILURE": "failed", "CRASHING": "failed", "PAUSED": "paused"}
"""The counters of a summary by the state of a pipeline; every other state counts as active."""


class PipelineCalls(Calls):
    # Creating

    def create_pipeline(self, request: wire.pps.CreatePipelineRequest, _context: object) -> wire.Empty:
        self._create(parsing.to_json(request), request, dry_run=request.dry_run)
        return wire.Empty()

    def create_pipeline_v2(
        self, request: wire.pps.CreatePipelineV2Request, _context: object
    ) -> wire.pps.CreatePipelineV2Response:
        effective = self._create(request.create_pipeline_request_json, request, dry_run=request.dry_run)
        return wire.pps.CreatePipelineV2Response(effective_create_pipeline_request_json=effective)

    def _create(
        self,
        user_json: str,
        options: wire.pps.CreatePipelineRequest | wire.pps.CreatePipelineV2Request,
        *,
        dry_run: bool,
    ) -> str:
        return self._pps.pipelines.create(user_json, update=options.update, reprocess=options.reprocess, dry_run=dry_run)

    # Creating inside a client's transaction: a CreatePipelineTransaction is kept of the call until the transaction runs it

    def queued_create_pipeline(self, request: wire.pps.CreatePipelineRequest) -> wire.pps.CreatePipelineTransaction:
        return self._queued(parsing.to_json(request), request)

    def queued_create_pipeline_v2(self, request: wire.pps.CreatePipelineV2Request) -> wire.pps.CreatePipelineTransaction:
        return self._queued(request.create_pipeline_request_json, request)

    def _queued(
        self, user_json: str, options: wire.pps.CreatePipelineRequest | wire.pps.CreatePipelineV2Request
    ) -> wire.pps.CreatePipelineTransaction:
        effective = self._create(user_json, options, dry_run=True)
        queued = wire.pps.CreatePipelineTransaction(user_json=user_json, effective_json=effective)
        queued.create_pipeline_request.CopyFrom(parsing.to_request(json.loads(effective)))
        queued.create_pipeline_request.update = options.update
        queued.create_pipeline_request.reprocess = options.reprocess
        return queued

    def create_queued_pipeline(self, queued: wire.pps.CreatePipelineTransaction, _context: object) -> wire.Empty:
        if not queued.HasField("create_pipeline_request"):
            raise PachydermError("nil CreatePipelineRequest in CreatePipelineTransaction")
        request = queued.create_pipeline_request
        self._create(queued.user_json or parsing.to_json(request), request, dry_run=False)
        return wire.Empty()

    # Changing

    def rerun_pipeline(self, request: wire.pps.RerunPipelineRequest, _context: object) -> wire.Empty:
        self._pps.pipelines.rerun(pipeline_key(request.pipeline), reprocess=request.reprocess)
        return wire.Empty()

    def run_pipeline(self, _request: wire.pps.RunPipelineRequest, _context: object) -> wire.Empty:
        """pachd 2.x kept the call without its effect; rerun_pipeline took its place."""
        raise UnsupportedError("RunPipeline (use rerun_pipeline)")

    def run_cron(self, request: wire.pps.RunCronRequest, _context: object) -> wire.Empty:
        cron_inputs = crons.cron_inputs(self._pps.pipelines.get(pipeline_key(request.pipeline)))
        if not cron_inputs:
            raise PachydermError("pipeline doesn't have a cron input")
        now = time.time_ns()
        for cron_input in cron_inputs:
            crons.tick(self._pps.pfs, cron_input, now)
        return wire.Empty()

    def start_pipeline(self, request: wire.pps.StartPipelineRequest, _context: object) -> wire.Empty:
        self._pps.pipelines.start(pipeline_key(request.pipeline))
        return wire.Empty()

    def stop_pipeline(self, request: wire.pps.StopPipelineRequest, _context: object) -> wire.Empty:
        try:
            self._pps.pipelines.stop(pipeline_key(request.pipeline))
        except NotFoundError:
            if request.must_exist:
                raise
        return wire.Empty()

    def delete_pipeline(self, request: wire.pps.DeletePipelineRequest, _context: object) -> wire.Empty:
        if request.all:
            self._pps.pipelines.delete_all({DEFAULT_PROJECT}, keep_repo=request.keep_repo, force=request.force)
            return wire.Empty()
        require(request, "pipeline")
        key = pipeline_key(request.pipeline)
        try:
            self._pps.pipelines.delete(key, keep_repo=request.keep_repo, force=request.force)
        except NotFoundError as error:
            if request.must_exist:
                raise NotFoundError(f"error stopping pipeline {key}: {error}") from None
        return wire.Empty()

    def delete_pipelines(
        self, request: wire.pps.DeletePipelinesRequest, _context: object
    ) -> wire.pps.DeletePipelinesResponse:
        projects = None if request.all else {project.name or DEFAULT_PROJECT for project in request.projects}
        deleted = self._pps.pipelines.delete_all(projects, keep_repo=request.keep_repo, force=request.force)
        return wire.pps.DeletePipelinesResponse(pipelines=deleted)

    def delete_all(self, _request: wire.Empty, _context: object) -> wire.Empty:
        self._pps.pipelines.delete_all(None, keep_repo=False, force=True)
        self._pps.secrets.delete_all()
        return wire.Empty()

    # Inspecting and listing

    def inspect_pipeline(self, request: wire.pps.InspectPipelineRequest, _context: object) -> wire.pps.PipelineInfo:
        require(request, "pipeline")
        info = self._pps.pipelines.with_last_job(self._pps.pipelines.version(pipeline_key(request.pipeline)))
        if not request.details:
            info.ClearField("details")
            return info
        if (service := messages.service_of(info.details)) is not None:
            service.ip = HOST
        info.details.workers_requested = info.parallelism
        if info.state == pipeline_state("PIPELINE_RUNNING"):
            info.details.workers_available = info.parallelism
        return info

    def list_pipeline(self, request: wire.pps.ListPipelineRequest, _context: object) -> Iterator[wire.pps.PipelineInfo]:
        projects = listed_projects(request)
        key = Key.of(request.pipeline) if request.pipeline.name else None
        matches = (
            info
            for info in self._pps.pipelines.list(key, request.history)
            if not projects or info.pipeline.project.name in projects
        )
        if commit_set := request.commit_set.id:
            matches = (then for info in matches if (then := self._pps.pipelines.at(info, commit_set)) is not None)
        page = request.page
        if page.page_size < 0 or page.page_index < 0:
            raise PachydermError("page size and page index must not be negative")
        start = page.page_index * page.page_size
        yield from list(matches)[start : start + page.page_size if page.page_size else None]

    def pipelines_summary(
        self, request: wire.pps.PipelinesSummaryRequest, _context: object
    ) -> wire.pps.PipelinesSummaryResponse:
        projects = {picker.name or DEFAULT_PROJECT for picker in request.projects}
        summaries: dict[str, wire.pps.PipelinesSummary] = {}
        for info in self._pps.pipelines.list():
            project = info.pipeline.project.name
            if projects and project not in projects:
                continue
            summary = summaries.setdefault(project, wire.pps.PipelinesSummary(project=info.pipeline.project))
            state = wire.pps.PipelineState.Name(info.state).removeprefix("PIPELINE_")
            counter = f"{COUNTERS.get(state, 'active')}_pipelines"
            setattr(summary, counter, getattr(summary, counter) + 1)
            summary.unhealthy_pipelines += info.last_job_state in UNHEALTHY
        return wire.pps.PipelinesSummaryResponse(summaries=summaries.values())

    def check_status(self, request: wire.pps.CheckStatusRequest, _context: object) -> Iterator[wire.pps.CheckStatusResponse]:
        """The pipelines whose workers have been up for longer than their maximum_expected_uptime, each with an alert."""
        project = request.project.name
        for info in self._pps.pipelines.list():
            started = messages.nanoseconds(info.details.workers_started_at)
            expected = messages.nanoseconds(info.details.maximum_expected_uptime)
            over = time.time_ns() - started - expected
            if (project and info.pipeline.project.name != project) or not (started and expected and over > 0):
                continue
            since = datetime.fromtimestamp(started / messages.NANOSECONDS, UTC)
            uptime = timedelta(seconds=over // messages.NANOSECONDS)
            alert = f"{Key.of(info.pipeline)}: Started running at {since}, exceeded maximum uptime by {uptime}"
            yield wire.pps.CheckStatusResponse(project=request.project, pipeline=info.pipeline, alerts=[alert])
