"""Defaults for pipeline specs, of the cluster and of each project: kept verbatim, and applied again on request."""

from __future__ import annotations

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import InvalidRequestError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pps.model import Key, StoredDefaults
from minipdk.services.pachyderm.pps.pipelines import Pipelines
from minipdk.services.pachyderm.pps.spec import parsing
from minipdk.services.pachyderm.pps.store import CLUSTER, Store


class Defaults:
    """Gets and sets defaults; ``project`` "" is the cluster's."""

    def __init__(self, store: Store, pfs: Pfs, pipelines: Pipelines) -> None:
        self._store, self._pfs, self._pipelines = store, pfs, pipelines

    def get(self, project: str = CLUSTER) -> StoredDefaults:
        """The defaults as they were set. Raises NotFoundError for a missing project."""
        if project:
            self._pfs.inspect_project(project)
        return self._store.defaults(project)

    def set(self, json: str, project: str, *, regenerate: bool, reprocess: bool, dry_run: bool) -> list[wire.pps.Pipeline]:
        """Set defaults; with ``regenerate`` pipelines whose effective spec changes are updated. Returns these pipelines."""
        if project:
            self._pfs.inspect_project(project)
        self._validate(json, "project_defaults_json" if project else "cluster_defaults_json")
        with self._pfs.transaction(rehearsal=dry_run) as txn:
            self._store.set_defaults(StoredDefaults(json, txn.now, txn.author), project)
            affected = self._affected(project) if regenerate else []
            if not dry_run:
                for info in affected:
                    self._pipelines.create(info.user_spec_json, update=True, reprocess=reprocess, dry_run=False)
        return [info.pipeline for info in affected]

    @staticmethod
    def _validate(json: str, field: str) -> None:
        try:
            layer = parsing.canonical(parsing.parse_object(json, field), parsing.DEFAULTS)
            parsing.to_request(parsing.merged(parsing.BUILT_IN_DEFAULTS, layer).get("createPipelineRequest", {}))
        except InvalidRequestError as error:
            raise InvalidRequestError(f"invalid {field}: {error}") from None

    def _affected(self, project: str) -> list[wire.pps.PipelineInfo]:
        """The pipelines whose effective spec differs from the one that the defaults make now."""
        pipelines = (info for info in self._pipelines.list() if project in (CLUSTER, Key.of(info.pipeline).project))
        return [info for info in pipelines if self._is_outdated(info)]

    def _is_outdated(self, info: wire.pps.PipelineInfo) -> bool:
        effective, _ = self._pipelines.effective_spec(info.user_spec_json)
        return effective != parsing.parse_object(info.effective_spec_json, "the effective spec")
