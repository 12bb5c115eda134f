"""Calls of pfs_v2.API about file sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs.api.base import Calls
from minipdk.services.pachyderm.pfs.api.modify_file import Modification, read_changes
from minipdk.services.pachyderm.pfs.content import ContentWriter
from minipdk.services.pachyderm.pfs.facade import Pfs
from minipdk.services.pachyderm.pfs.files.filesets import DEFAULT_SECONDS
from minipdk.services.pachyderm.pfs.messages import commit_from, fileset_from
from minipdk.services.pachyderm.pfs.model import Change


class FileSetCalls(Calls):
    def create_file_set(self, requests: Iterator[Modification], _context: object) -> wire.pfs.CreateFileSetResponse:
        writer = self._pfs.files.writer()
        fileset = create_fileset(self._pfs, writer, read_changes(requests, writer))
        return wire.pfs.CreateFileSetResponse(file_set_id=fileset)

    def get_file_set(self, request: wire.pfs.GetFileSetRequest, _context: object) -> wire.pfs.CreateFileSetResponse:
        only_changes = request.type == wire.pfs.GetFileSetRequestFileSetType.Value("DIFF")
        fileset = self._pfs.files.commit_fileset(commit_from(request.commit), only_changes=only_changes)
        return wire.pfs.CreateFileSetResponse(file_set_id=fileset)

    def add_file_set(self, request: wire.pfs.AddFileSetRequest, _context: object) -> wire.Empty:
        self._pfs.files.add_fileset(commit_from(request.commit), fileset_from(request.file_set_id))
        return wire.Empty()

    def renew_file_set(self, request: wire.pfs.RenewFileSetRequest, _context: object) -> wire.Empty:
        self._pfs.files.renew_fileset(fileset_from(request.file_set_id), request.ttl_seconds)
        return wire.Empty()

    def compose_file_set(self, request: wire.pfs.ComposeFileSetRequest, _context: object) -> wire.pfs.CreateFileSetResponse:
        """``compact`` changes nothing, because a file set is always one layer."""
        fileset = compose_filesets(self._pfs, request.file_set_ids, request.ttl_seconds)
        return wire.pfs.CreateFileSetResponse(file_set_id=fileset)

    def shard_file_set(self, request: wire.pfs.ShardFileSetRequest, _context: object) -> wire.pfs.ShardFileSetResponse:
        ranges = self._pfs.files.shards(fileset_from(request.file_set_id), request.num_files, request.size_bytes)
        shards = [wire.pfs.PathRange(lower=shard.lower, upper=shard.upper) for shard in ranges]
        return wire.pfs.ShardFileSetResponse(shards=shards)


def create_fileset(pfs: Pfs, writer: ContentWriter, changes: Iterable[Change]) -> str:
    """A file set for the default time; ``changes`` write to ``writer``."""
    read = list(changes)
    with pfs.transaction():
        writer.flush()
        return pfs.files.create_fileset(read, DEFAULT_SECONDS)


def compose_filesets(pfs: Pfs, filesets: Iterable[str], seconds: int) -> str:
    """``seconds`` 0: until it is deleted."""
    if seconds < 0:
        raise PachydermError(f"ttl ({seconds}) must not be negative")
    return pfs.files.compose_filesets([fileset_from(fileset) for fileset in filesets], seconds)
