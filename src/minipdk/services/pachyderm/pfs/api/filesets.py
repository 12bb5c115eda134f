"""The calls about file sets: those of PFS, and the storage service's, which knows no commits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from hashlib import blake2b
from itertools import groupby
from operator import and_
from typing import Any

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import InvalidRequestError, PachydermError
from minipdk.services.pachyderm.pfs import paths
from minipdk.services.pachyderm.pfs.api.base import Calls
from minipdk.services.pachyderm.pfs.api.modify_file import read_changes
from minipdk.services.pachyderm.pfs.content import ContentWriter
from minipdk.services.pachyderm.pfs.facade import Pfs
from minipdk.services.pachyderm.pfs.files.filesets import DEFAULT_SECONDS, fileset_commit
from minipdk.services.pachyderm.pfs.messages import commit_from, range_from
from minipdk.services.pachyderm.pfs.model import EVERYTHING, Change, Copy, Delete, Entry, Part, Put


class FileSetCalls(Calls):
    """pfs_v2.API's part."""

    def create_file_set(self, requests: Iterator[Any], _context: object) -> Any:
        writer = self._pfs.files.writer()
        fileset = _created(self._pfs, writer, read_changes(requests, writer))
        return wire.pfs.CreateFileSetResponse(file_set_id=fileset)

    def get_file_set(self, request: Any, _context: object) -> Any:
        only_changes = request.type == wire.pfs.GetFileSetRequestFileSetType.Value("DIFF")
        fileset = self._pfs.files.commit_fileset(commit_from(request.commit), only_changes=only_changes)
        return wire.pfs.CreateFileSetResponse(file_set_id=fileset)

    def add_file_set(self, request: Any, _context: object) -> Any:
        self._pfs.files.add_fileset(commit_from(request.commit), _id(request.file_set_id))
        return wire.Empty()

    def renew_file_set(self, request: Any, _context: object) -> Any:
        self._pfs.files.renew_fileset(_id(request.file_set_id), request.ttl_seconds)
        return wire.Empty()

    def compose_file_set(self, request: Any, _context: object) -> Any:
        """``compact`` asks for what is always done: a file set is one layer."""
        fileset = _composed(self._pfs, request.file_set_ids, request.ttl_seconds)
        return wire.pfs.CreateFileSetResponse(file_set_id=fileset)

    def shard_file_set(self, request: Any, _context: object) -> Any:
        found = self._pfs.files.shards(_id(request.file_set_id), request.num_files, request.size_bytes)
        return wire.pfs.ShardFileSetResponse(shards=[wire.pfs.PathRange(lower=one.lower, upper=one.upper) for one in found])


class StorageServicer:
    """storage.Fileset. ``url`` tells where a client can have the bytes of a part over HTTP."""

    def __init__(self, pfs: Pfs, url: Callable[[Part], str]) -> None:
        self._pfs, self._url = pfs, url

    def create_fileset(self, requests: Iterator[Any], _context: object) -> Any:
        writer = self._pfs.files.writer()
        fileset = _created(self._pfs, writer, _modifications(requests, writer))
        return wire.storage.CreateFilesetResponse(fileset_id=fileset)

    def read_fileset(self, request: Any, _context: object) -> Iterator[Any]:
        for entry in self._filtered(request):
            pieces = iter(()) if request.empty_files else self._pfs.files.read_entry(entry)
            first = next(pieces, b"")
            yield wire.storage.ReadFilesetResponse(path=entry.path, data=wire.BytesValue(value=first))
            for piece in pieces:
                yield wire.storage.ReadFilesetResponse(path=entry.path, data=wire.BytesValue(value=piece))

    def read_fileset_cdr(self, request: Any, _context: object) -> Iterator[Any]:
        """For each file, the references to its parts, with which a client puts it together itself."""
        for entry in self._filtered(request):
            parts = () if request.empty_files else entry.parts
            whole = wire.cdr.Concat(refs=[self._reference(part) for part in parts])
            yield wire.storage.ReadFilesetCdrResponse(path=entry.path, ref=wire.cdr.Ref(concat=whole))

    def _reference(self, part: Part) -> Any:
        """The part's URL, and the hash that its bytes must have."""
        digest = blake2b(digest_size=32)
        for piece in self._pfs.files.read_parts((part,)):
            digest.update(piece)
        content = wire.cdr.ContentHash(
            inner=wire.cdr.Ref(http=wire.cdr.Http(url=self._url(part))),
            algo=wire.cdr.HashAlgo.Value("BLAKE2b_256"),
            hash=digest.digest(),
        )
        return wire.cdr.Ref(content_hash=content)

    def _filtered(self, request: Any) -> Iterator[Entry]:
        ranges = [range_from(one.path_range) for one in request.filters if one.HasField("path_range")]
        texts = [one.path_regex for one in request.filters if one.HasField("path_regex")]
        try:
            patterns = [re.compile(text) for text in texts]
        except re.error as error:
            raise InvalidRequestError(f"error parsing regexp: {error.msg}: `{error.pattern!s}`") from None
        for entry in self._pfs.files.fileset_files(_id(request.fileset_id), reduce(and_, ranges, EVERYTHING)):
            if all(pattern.search(entry.path) for pattern in patterns):
                yield entry

    def renew_fileset(self, request: Any, _context: object) -> Any:
        self._pfs.files.renew_fileset(_id(request.fileset_id), request.ttl_seconds)
        return wire.Empty()

    def compose_fileset(self, request: Any, _context: object) -> Any:
        fileset = _composed(self._pfs, request.fileset_ids, request.ttl_seconds)
        return wire.storage.ComposeFilesetResponse(fileset_id=fileset)

    def shard_fileset(self, request: Any, _context: object) -> Any:
        found = self._pfs.files.shards(_id(request.fileset_id), request.num_files, request.size_bytes)
        shards = [wire.storage.PathRange(lower=one.lower, upper=one.upper) for one in found]
        return wire.storage.ShardFilesetResponse(shards=shards)


def _id(fileset: str) -> str:
    """A file set's id without the suffix that some clients keep behind a dot."""
    return fileset.partition(".")[0]


def _created(pfs: Pfs, writer: ContentWriter, changes: Iterable[Change]) -> str:
    kept = list(changes)
    with pfs.transaction():
        writer.flush()
        return pfs.files.create_fileset(kept, DEFAULT_SECONDS)


def _composed(pfs: Pfs, filesets: Iterable[str], seconds: int) -> str:
    """``seconds`` 0: for ever."""
    if seconds < 0:
        raise PachydermError(f"ttl ({seconds}) must not be negative")
    return pfs.files.compose_filesets([_id(one) for one in filesets], seconds)


def _modifications(requests: Iterable[Any], writer: ContentWriter) -> Iterator[Change]:
    """The changes that a stream of the storage service asks for; messages in a row that append to one file are one."""
    for (kind, path), same in groupby(requests, _modified):
        if kind == "append_file":
            yield Put(paths.clean_for_write(path), writer.put(one.append_file.data.value for one in same))
        elif kind == "delete_file":
            yield Delete(path)
        elif kind == "copy_file":
            for one in same:
                copy = one.copy_file
                yield Copy(paths.clean_for_write(copy.dst or copy.src), fileset_commit(_id(copy.fileset_id)), copy.src)
        else:
            raise PachydermError("unrecognized message type")


def _modified(request: Any) -> tuple[str | None, str]:
    kind = request.WhichOneof("modification")
    return kind, "" if kind in (None, "copy_file") else getattr(request, kind).path
