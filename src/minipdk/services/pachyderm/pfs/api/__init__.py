"""pfs_v2.API and storage.Fileset: a thin layer between the protocol's messages and `Pfs`, one module per noun."""

from __future__ import annotations

from minipdk.services.pachyderm.pfs.api.branches import BranchCalls
from minipdk.services.pachyderm.pfs.api.commits import CommitCalls
from minipdk.services.pachyderm.pfs.api.files import FileCalls
from minipdk.services.pachyderm.pfs.api.filesets import FileSetCalls
from minipdk.services.pachyderm.pfs.api.maintenance import MaintenanceCalls
from minipdk.services.pachyderm.pfs.api.repos import RepoCalls
from minipdk.services.pachyderm.pfs.api.storage import StorageServicer


class PfsServicer(RepoCalls, BranchCalls, CommitCalls, FileCalls, FileSetCalls, MaintenanceCalls):
    """Every call of pfs_v2.API that minipdk supports."""


__all__ = ["PfsServicer", "StorageServicer"]
