"""Defaults for pipeline specs, of the cluster and of each project: kept verbatim, and applied again when asked to."""

from __future__ import annotations

from typing import Any

from minipdk.services.pachyderm.errors import InvalidRequestError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pps.pipelines import Pipelines
from minipdk.services.pachyderm.pps.spec import parsing as spec
from minipdk.services.pachyderm.pps.store import CLUSTER, Key, Store


class Defaults:
    """Gets and sets defaults; ``project`` "" is the cluster's."""

    def __init__(self, store: Store, pfs: Pfs, pipelines: Pipelines) -> None:
        self._store, self._pfs, self._pipelines = store, pfs, pipelines

    def get(self, project: str = CLUSTER) -> tuple[str, int]:
        """The JSON as it was set, and when (ns since 1970; 0: never)."""
        if project:
            self._pfs.inspect_project(project)
        return self._store.defaults(project)

    def set(self, json: str, project: str, *, regenerate: bool, reprocess: bool, dry_run: bool) -> list[Any]:
        """Set defaults; with ``regenerate`` pipelines whose effective spec changes are updated. Returns those pipelines."""
        if project:
            self._pfs.inspect_project(project)
        field = "project_defaults_json" if project else "cluster_defaults_json"
        self._validate(json, field)
        with self._pfs.transaction() as txn:
            before, since = self._store.defaults(project)
            self._store.set_defaults(json, txn.now, project)
            affected = self._affected(project) if regenerate else []
            if dry_run:
                self._store.set_defaults(before, since, project)
                return [info.pipeline for info in affected]
            for info in affected:
                self._pipelines.create(info.user_spec_json, update=True, reprocess=reprocess, dry_run=False)
        return [info.pipeline for info in affected]

    @staticmethod
    def _validate(json: str, field: str) -> None:
        try:
            layer = spec.canonical(spec.parse_object(json, field), spec.DEFAULTS)
            spec.to_request(spec.merged(spec.BUILT_IN_DEFAULTS, layer).get("createPipelineRequest", {}))
        except InvalidRequestError as error:
            raise InvalidRequestError(f"invalid {field}: {error}") from None

    def _affected(self, project: str) -> list[Any]:
        """The pipelines whose effective spec is not what the defaults make of it now."""
        found = []
        for info in self._pipelines.list():
            if project in (CLUSTER, Key.of(info.pipeline).project):
                effective, _ = self._pipelines.effective_spec(info.user_spec_json)
                if effective != spec.parse_object(info.effective_spec_json, "the effective spec"):
                    found.append(info)
        return found
