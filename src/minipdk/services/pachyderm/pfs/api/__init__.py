"""What the pfs_v2.API service answers: a thin layer between the protocol's messages and `Pfs`."""

from __future__ import annotations

from minipdk.services.pachyderm.pfs.api.branches import BranchCalls
from minipdk.services.pachyderm.pfs.api.commits import CommitCalls
from minipdk.services.pachyderm.pfs.api.files import FileCalls
from minipdk.services.pachyderm.pfs.api.filesets import FileSetCalls, StorageServicer
from minipdk.services.pachyderm.pfs.api.maintenance import UpkeepCalls
from minipdk.services.pachyderm.pfs.api.repos import RepoCalls


class PfsServicer(RepoCalls, BranchCalls, CommitCalls, FileCalls, FileSetCalls, UpkeepCalls):
    """Every call of pfs_v2.API that minipdk supports."""


__all__ = ["PfsServicer", "StorageServicer"]
