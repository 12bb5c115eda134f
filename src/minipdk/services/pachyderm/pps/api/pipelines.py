"""The calls that make and change pipelines, defaults and secrets, as the protocol has them."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import InvalidRequestError, NotFoundError, PachydermError, UnsupportedError
from minipdk.services.pachyderm.pps import crons, messages
from minipdk.services.pachyderm.pps.api.requests import required
from minipdk.services.pachyderm.pps.spec import parsing as spec
from minipdk.services.pachyderm.pps.store import Key

if TYPE_CHECKING:
    from minipdk.services.pachyderm.pps import Pps


class PipelineCalls:
    """Pipelines, defaults and secrets."""

    def __init__(self, pps: Pps) -> None:
        self._pps = pps

    # Creating and changing

    def create_pipeline(self, request: Any, _context: Any) -> Any:
        self._pps.pipelines.create(
            spec.to_json(request), update=request.update, reprocess=request.reprocess, dry_run=request.dry_run
        )
        return wire.Empty()

    def create_pipeline_v2(self, request: Any, _context: Any) -> Any:
        effective = self._pps.pipelines.create(
            request.create_pipeline_request_json,
            update=request.update,
            reprocess=request.reprocess,
            dry_run=request.dry_run,
        )
        return wire.pps.CreatePipelineV2Response(effective_create_pipeline_request_json=effective)

    def rerun_pipeline(self, request: Any, _context: Any) -> Any:
        self._pps.pipelines.rerun(required(request.pipeline), reprocess=request.reprocess)
        return wire.Empty()

    def run_pipeline(self, _request: Any, _context: Any) -> Any:
        """As in pachd 2.x, which kept the call and dropped what it did; rerun_pipeline took its place."""
        raise UnsupportedError("RunPipeline (use rerun_pipeline)")

    def run_cron(self, request: Any, _context: Any) -> Any:
        cron_inputs = crons.cron_inputs(self._pps.pipelines.get(required(request.pipeline)))
        if not cron_inputs:
            raise PachydermError("pipeline doesn't have a cron input")
        now = time.time_ns()
        for one in cron_inputs:
            crons.tick(self._pps.pfs, one, now)
        return wire.Empty()

    def start_pipeline(self, request: Any, _context: Any) -> Any:
        self._pps.pipelines.start(required(request.pipeline))
        return wire.Empty()

    def stop_pipeline(self, request: Any, _context: Any) -> Any:
        try:
            self._pps.pipelines.stop(required(request.pipeline))
        except NotFoundError:
            if request.must_exist:
                raise
        return wire.Empty()

    def delete_pipeline(self, request: Any, _context: Any) -> Any:
        if request.all:
            self._delete_all({"default"}, keep_repo=request.keep_repo, force=request.force)
            return wire.Empty()
        try:
            self._pps.pipelines.delete(required(request.pipeline), keep_repo=request.keep_repo, force=request.force)
        except NotFoundError as error:
            if request.must_exist:
                raise NotFoundError(f"error stopping pipeline {Key.of(request.pipeline)}: {error}") from None
        return wire.Empty()

    def delete_pipelines(self, request: Any, _context: Any) -> Any:
        projects = None if request.all else {project.name or "default" for project in request.projects}
        deleted = self._delete_all(projects, keep_repo=request.keep_repo, force=request.force)
        return wire.pps.DeletePipelinesResponse(pipelines=deleted)

    def delete_all(self, _request: Any, _context: Any) -> Any:
        self._delete_all(None, keep_repo=False, force=True)
        self._pps.secrets.delete_all()
        return wire.Empty()

    def _delete_all(self, projects: set[str] | None, *, keep_repo: bool, force: bool) -> list[Any]:
        """Delete the pipelines of these projects (None: of all), downstream ones first."""
        with self._pps.pfs.transaction():
            found = [
                info for info in self._pps.pipelines.list() if projects is None or info.pipeline.project.name in projects
            ]
            found.sort(key=self._pps.pipelines.depth, reverse=True)
            for info in found:
                self._pps.pipelines.delete(Key.of(info.pipeline), keep_repo=keep_repo, force=force)
        return [info.pipeline for info in found]

    # Defaults

    def get_cluster_defaults(self, _request: Any, _context: Any) -> Any:
        return wire.pps.GetClusterDefaultsResponse(cluster_defaults_json=self._pps.defaults.get()[0])

    def set_cluster_defaults(self, request: Any, _context: Any) -> Any:
        affected = self._pps.defaults.set(
            request.cluster_defaults_json,
            "",
            regenerate=request.regenerate,
            reprocess=request.reprocess,
            dry_run=request.dry_run,
        )
        return wire.pps.SetClusterDefaultsResponse(affected_pipelines=affected)

    def get_project_defaults(self, request: Any, _context: Any) -> Any:
        json, created = self._pps.defaults.get(request.project.name or "default")
        response = wire.pps.GetProjectDefaultsResponse(project_defaults_json=json)
        if created:
            messages.set_time(response.created_at, created)
        return response

    def set_project_defaults(self, request: Any, _context: Any) -> Any:
        affected = self._pps.defaults.set(
            request.project_defaults_json,
            request.project.name or "default",
            regenerate=request.regenerate,
            reprocess=request.reprocess,
            dry_run=request.dry_run,
        )
        return wire.pps.SetProjectDefaultsResponse(affected_pipelines=affected)

    # Secrets

    def create_secret(self, request: Any, _context: Any) -> Any:
        self._pps.secrets.create(request.file)
        return wire.Empty()

    def delete_secret(self, request: Any, _context: Any) -> Any:
        self._pps.secrets.delete(_secret_name(request))
        return wire.Empty()

    def inspect_secret(self, request: Any, _context: Any) -> Any:
        return _secret_info(self._pps.secrets.inspect(_secret_name(request)))

    def list_secret(self, _request: Any, _context: Any) -> Any:
        return wire.pps.SecretInfos(secret_info=[_secret_info(one) for one in self._pps.secrets.list()])


def _secret_name(request: Any) -> str:
    name = str(request.secret.name)
    if not name:
        raise InvalidRequestError("validate request: a secret's name must be given")
    return name


def _secret_info(secret: dict[str, Any]) -> Any:
    metadata = secret["metadata"]
    info = wire.pps.SecretInfo(secret=wire.pps.Secret(name=metadata["name"]), type=secret.get("type", "Opaque"))
    if created := metadata.get("creationTimestamp"):
        info.creation_timestamp.FromDatetime(datetime.fromisoformat(created))
    return info
