"""Calls about branches."""

from __future__ import annotations

from collections.abc import Iterator

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.pfs.api.base import Calls
from minipdk.services.pachyderm.pfs.messages import (
    branch_from,
    branch_info_message,
    optional_commit,
    picked_branch,
    repo_from,
    trigger_from,
)
from minipdk.services.pachyderm.required_fields import require


class BranchCalls(Calls):
    def create_branch(self, request: wire.pfs.CreateBranchRequest, _context: object) -> wire.Empty:
        specs = request.branch_propagation_specs
        self._pfs.create_branch(
            branch_from(request.branch),
            [branch_from(branch) for branch in request.provenance],
            optional_commit(request, "head"),
            trigger=trigger_from(request.trigger) if request.HasField("trigger") else None,
            never=[branch_from(spec.branch) for spec in specs if spec.propagation_spec.never],
        )
        return wire.Empty()

    def inspect_branch(self, request: wire.pfs.InspectBranchRequest, _context: object) -> wire.pfs.BranchInfo:
        require(request, "branch")
        return branch_info_message(self._pfs.inspect_branch(branch_from(request.branch)))

    def list_branch(self, request: wire.pfs.ListBranchRequest, _context: object) -> Iterator[wire.pfs.BranchInfo]:
        repo = repo_from(request.repo) if request.repo.name else None
        return map(branch_info_message, self._pfs.branches.all(repo, reverse=request.reverse))

    def delete_branch(self, request: wire.pfs.DeleteBranchRequest, _context: object) -> wire.Empty:
        require(request, "branch")
        self._pfs.delete_branch(branch_from(request.branch), force=request.force)
        return wire.Empty()

    def walk_branch_provenance(
        self, request: wire.pfs.WalkBranchProvenanceRequest, _context: object
    ) -> Iterator[wire.pfs.BranchInfo]:
        return self._walk(request, downstream=False)

    def walk_branch_subvenance(
        self, request: wire.pfs.WalkBranchSubvenanceRequest, _context: object
    ) -> Iterator[wire.pfs.BranchInfo]:
        return self._walk(request, downstream=True)

    def _walk(
        self, request: wire.pfs.WalkBranchProvenanceRequest | wire.pfs.WalkBranchSubvenanceRequest, *, downstream: bool
    ) -> Iterator[wire.pfs.BranchInfo]:
        for picker in request.start:
            infos = self._pfs.branches.provenance(
                picked_branch(picker), downstream=downstream, depth=request.max_depth, limit=request.max_branches
            )
            yield from map(branch_info_message, infos)
