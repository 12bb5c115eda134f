"""The calls about branches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.pfs.api.base import Calls, require
from minipdk.services.pachyderm.pfs.messages import (
    branch_from,
    branch_info_message,
    optional_commit,
    picked_branch,
    repo_from,
    trigger_from,
)


class BranchCalls(Calls):
    def create_branch(self, request: Any, _context: object) -> Any:
        self._pfs.create_branch(
            branch_from(request.branch),
            [branch_from(one) for one in request.provenance],
            optional_commit(request, "head"),
            trigger=trigger_from(request.trigger) if request.HasField("trigger") else None,
            never=[branch_from(one.branch) for one in request.branch_propagation_specs if one.propagation_spec.never],
        )
        return wire.Empty()

    def inspect_branch(self, request: Any, _context: object) -> Any:
        require(request, "branch")
        return branch_info_message(self._pfs.inspect_branch(branch_from(request.branch)))

    def list_branch(self, request: Any, _context: object) -> Iterator[Any]:
        repo = repo_from(request.repo) if request.repo.name else None
        return map(branch_info_message, self._pfs.branches.all(repo, reverse=request.reverse))

    def delete_branch(self, request: Any, _context: object) -> Any:
        require(request, "branch")
        self._pfs.delete_branch(branch_from(request.branch), force=request.force)
        return wire.Empty()

    def walk_branch_provenance(self, request: Any, _context: object) -> Iterator[Any]:
        return self._walk(request, downstream=False)

    def walk_branch_subvenance(self, request: Any, _context: object) -> Iterator[Any]:
        return self._walk(request, downstream=True)

    def _walk(self, request: Any, *, downstream: bool) -> Iterator[Any]:
        for picker in request.start:
            infos = self._pfs.branches.provenance(
                picked_branch(picker), downstream=downstream, depth=request.max_depth, limit=request.max_branches
            )
            yield from map(branch_info_message, infos)
