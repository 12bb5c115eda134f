"""Calls about the stored data as a whole: fsck, checks of contents, and the cache."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.pfs.api.base import Calls
from minipdk.services.pachyderm.pfs.messages import commit_from


class MaintenanceCalls(Calls):
    def fsck(self, request: wire.pfs.FsckRequest, _context: object) -> Iterator[wire.pfs.FsckResponse]:
        """Unlike the vendor's, ``fix`` repairs everything that can be repaired, and the bytes of files are checked."""
        fsck = self._pfs.fsck
        outputs = list(fsck.outputs()) if request.zombie_all else []
        if request.HasField("zombie_target") and request.zombie_target.ByteSize():
            outputs = [commit_from(request.zombie_target)]
        for finding in chain(fsck.check(fix=request.fix), *map(fsck.stale_files, outputs)):
            yield wire.pfs.FsckResponse(fix=finding.fix, error=finding.error)

    def check_storage(self, request: wire.pfs.CheckStorageRequest, _context: object) -> wire.pfs.CheckStorageResponse:
        count = self._pfs.fsck.check_contents(request.chunk_begin, request.chunk_end, read=request.read_chunk_data)
        return wire.pfs.CheckStorageResponse(chunk_object_count=count)

    def put_cache(self, request: wire.pfs.PutCacheRequest, _context: object) -> wire.Empty:
        self._pfs.cache.put(request.key, request.value.SerializeToString(), request.file_set_ids, request.tag)
        return wire.Empty()

    def get_cache(self, request: wire.pfs.GetCacheRequest, _context: object) -> wire.pfs.GetCacheResponse:
        response = wire.pfs.GetCacheResponse()
        response.value.ParseFromString(self._pfs.cache.get(request.key))
        return response

    def clear_cache(self, request: wire.pfs.ClearCacheRequest, _context: object) -> wire.Empty:
        self._pfs.cache.clear(request.tag_prefix)
        return wire.Empty()
