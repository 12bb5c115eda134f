"""The calls about defaults for pipeline specs."""

from __future__ import annotations

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.pfs.model import DEFAULT_PROJECT
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.api.requests import Calls


class DefaultsCalls(Calls):
    def get_cluster_defaults(
        self, _request: wire.pps.GetClusterDefaultsRequest, _context: object
    ) -> wire.pps.GetClusterDefaultsResponse:
        return wire.pps.GetClusterDefaultsResponse(cluster_defaults_json=self._pps.defaults.get().json)

    def set_cluster_defaults(
        self, request: wire.pps.SetClusterDefaultsRequest, _context: object
    ) -> wire.pps.SetClusterDefaultsResponse:
        affected = self._pps.defaults.set(
            request.cluster_defaults_json,
            "",
            regenerate=request.regenerate,
            reprocess=request.reprocess,
            dry_run=request.dry_run,
        )
        return wire.pps.SetClusterDefaultsResponse(affected_pipelines=affected)

    def get_project_defaults(
        self, request: wire.pps.GetProjectDefaultsRequest, _context: object
    ) -> wire.pps.GetProjectDefaultsResponse:
        defaults = self._pps.defaults.get(request.project.name or DEFAULT_PROJECT)
        response = wire.pps.GetProjectDefaultsResponse(project_defaults_json=defaults.json, created_by=defaults.created_by)
        if defaults.created:
            messages.set_time(response.created_at, defaults.created)
        return response

    def set_project_defaults(
        self, request: wire.pps.SetProjectDefaultsRequest, _context: object
    ) -> wire.pps.SetProjectDefaultsResponse:
        affected = self._pps.defaults.set(
            request.project_defaults_json,
            request.project.name or DEFAULT_PROJECT,
            regenerate=request.regenerate,
            reprocess=request.reprocess,
            dry_run=request.dry_run,
        )
        return wire.pps.SetProjectDefaultsResponse(affected_pipelines=affected)
