"""The calls that look after what is stored: fsck, checks of contents, and the cache."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.pfs.api.base import Calls
from minipdk.services.pachyderm.pfs.messages import commit_from


class UpkeepCalls(Calls):
    def fsck(self, request: Any, _context: object) -> Iterator[Any]:
        """Unlike the vendor's, this one mends what it can when asked to, and looks at the bytes of files."""
        fsck = self._pfs.fsck
        outputs = list(fsck.outputs()) if request.zombie_all else []
        if request.HasField("zombie_target") and request.zombie_target.ByteSize():
            outputs = [commit_from(request.zombie_target)]
        for found in chain(fsck.check(fix=request.fix), *map(fsck.stale_files, outputs)):
            yield wire.pfs.FsckResponse(fix=found.fix, error=found.error)

    def check_storage(self, request: Any, _context: object) -> Any:
        count = self._pfs.fsck.check_contents(request.chunk_begin, request.chunk_end, read=request.read_chunk_data)
        return wire.pfs.CheckStorageResponse(chunk_object_count=count)

    def put_cache(self, request: Any, _context: object) -> Any:
        self._pfs.cache.put(request.key, request.value.SerializeToString(), request.file_set_ids, request.tag)
        return wire.Empty()

    def get_cache(self, request: Any, _context: object) -> Any:
        response = wire.pfs.GetCacheResponse()
        response.value.ParseFromString(self._pfs.cache.get(request.key))
        return response

    def clear_cache(self, request: Any, _context: object) -> Any:
        self._pfs.cache.clear(request.tag_prefix)
        return wire.Empty()
