"""Pipelines that are created inside a client's transaction: what is kept of the call until it is run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pps.spec import parsing as spec

if TYPE_CHECKING:
    from minipdk.services.pachyderm.pps import Pps


class QueuedCalls:
    """Turns the calls that create pipelines into CreatePipelineTransactions, and runs these."""

    def __init__(self, pps: Pps) -> None:
        self._pps = pps

    def queued_create_pipeline(self, request: Any) -> Any:
        return self._queued(spec.to_json(request), request)

    def queued_create_pipeline_v2(self, request: Any) -> Any:
        return self._queued(request.create_pipeline_request_json, request)

    def _queued(self, user_json: str, request: Any) -> Any:
        effective = self._pps.pipelines.create(user_json, update=request.update, reprocess=request.reprocess, dry_run=True)
        queued = wire.pps.CreatePipelineTransaction(user_json=user_json, effective_json=effective)
        queued.create_pipeline_request.CopyFrom(spec.to_request(json.loads(effective)))
        queued.create_pipeline_request.update = request.update
        queued.create_pipeline_request.reprocess = request.reprocess
        return queued

    def create_queued_pipeline(self, queued: Any, _context: Any) -> Any:
        if not queued.HasField("create_pipeline_request"):
            raise PachydermError("nil CreatePipelineRequest in CreatePipelineTransaction")
        request = queued.create_pipeline_request
        self._pps.pipelines.create(
            queued.user_json or spec.to_json(request), update=request.update, reprocess=request.reprocess, dry_run=False
        )
        return wire.Empty()
