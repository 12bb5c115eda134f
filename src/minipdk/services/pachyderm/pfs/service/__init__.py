"""What the pfs_v2.API service answers: a thin layer between the protocol's messages and `Pfs`."""

from __future__ import annotations

from minipdk.services.pachyderm.pfs.service.branches import BranchCalls
from minipdk.services.pachyderm.pfs.service.commits import CommitCalls
from minipdk.services.pachyderm.pfs.service.files import FileCalls
from minipdk.services.pachyderm.pfs.service.filesets import FileSetCalls, StorageServicer
from minipdk.services.pachyderm.pfs.service.repos import RepoCalls
from minipdk.services.pachyderm.pfs.service.upkeep import UpkeepCalls


class PfsServicer(RepoCalls, BranchCalls, CommitCalls, FileCalls, FileSetCalls, UpkeepCalls):
    """Every call of pfs_v2.API that minipdk supports."""


__all__ = ["PfsServicer", "StorageServicer"]
