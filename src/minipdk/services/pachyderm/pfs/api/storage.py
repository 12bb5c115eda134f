"""storage.Fileset: file sets without commits, and references to their parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from hashlib import blake2b
from itertools import groupby
from operator import and_

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import InvalidRequestError, PachydermError
from minipdk.services.pachyderm.pfs import paths
from minipdk.services.pachyderm.pfs.api.filesets import compose_filesets, create_fileset
from minipdk.services.pachyderm.pfs.content import ContentWriter
from minipdk.services.pachyderm.pfs.facade import Pfs
from minipdk.services.pachyderm.pfs.files.filesets import fileset_commit
from minipdk.services.pachyderm.pfs.messages import fileset_from, range_from
from minipdk.services.pachyderm.pfs.model import EVERYTHING, Change, Copy, Delete, Entry, Part, Put

_Read = wire.storage.ReadFilesetRequest


class StorageServicer:
    """``url`` returns an address from which a client can get the bytes of a part over HTTP."""

    def __init__(self, pfs: Pfs, url: Callable[[Part], str]) -> None:
        self._pfs, self._url = pfs, url

    def create_fileset(
        self, requests: Iterator[wire.storage.CreateFilesetRequest], _context: object
    ) -> wire.storage.CreateFilesetResponse:
        writer = self._pfs.files.writer()
        fileset = create_fileset(self._pfs, writer, _read_changes(requests, writer))
        return wire.storage.CreateFilesetResponse(fileset_id=fileset)

    def read_fileset(self, request: _Read, _context: object) -> Iterator[wire.storage.ReadFilesetResponse]:
        commit = fileset_commit(request.fileset_id)
        for entry in self._filtered(request):
            pieces = iter(()) if request.empty_files else self._pfs.files.read_entry(commit, entry)
            first = next(pieces, b"")
            yield wire.storage.ReadFilesetResponse(path=entry.path, data=wire.BytesValue(value=first))
            for piece in pieces:
                yield wire.storage.ReadFilesetResponse(path=entry.path, data=wire.BytesValue(value=piece))

    def read_fileset_cdr(self, request: _Read, _context: object) -> Iterator[wire.storage.ReadFilesetCdrResponse]:
        """For each file, the references to its parts, from which a client assembles it itself."""
        for entry in self._filtered(request):
            parts = () if request.empty_files else entry.parts
            whole = wire.cdr.Concat(refs=[self._reference(part) for part in parts])
            yield wire.storage.ReadFilesetCdrResponse(path=entry.path, ref=wire.cdr.Ref(concat=whole))

    def _reference(self, part: Part) -> wire.cdr.Ref:
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

    def _filtered(self, request: _Read) -> Iterator[Entry]:
        """The files that pass all of the request's filters."""
        ranges = [range_from(item.path_range) for item in request.filters if item.HasField("path_range")]
        texts = [item.path_regex for item in request.filters if item.HasField("path_regex")]
        try:
            patterns = [re.compile(text) for text in texts]
        except re.error as error:
            raise InvalidRequestError(f"error parsing regexp: {error.msg}: `{error.pattern!s}`") from None
        for entry in self._pfs.files.fileset_files(fileset_from(request.fileset_id), reduce(and_, ranges, EVERYTHING)):
            if all(pattern.search(entry.path) for pattern in patterns):
                yield entry

    def renew_fileset(self, request: wire.storage.RenewFilesetRequest, _context: object) -> wire.Empty:
        self._pfs.files.renew_fileset(fileset_from(request.fileset_id), request.ttl_seconds)
        return wire.Empty()

    def compose_fileset(
        self, request: wire.storage.ComposeFilesetRequest, _context: object
    ) -> wire.storage.ComposeFilesetResponse:
        fileset = compose_filesets(self._pfs, request.fileset_ids, request.ttl_seconds)
        return wire.storage.ComposeFilesetResponse(fileset_id=fileset)

    def shard_fileset(
        self, request: wire.storage.ShardFilesetRequest, _context: object
    ) -> wire.storage.ShardFilesetResponse:
        ranges = self._pfs.files.shards(fileset_from(request.fileset_id), request.num_files, request.size_bytes)
        shards = [wire.storage.PathRange(lower=shard.lower, upper=shard.upper) for shard in ranges]
        return wire.storage.ShardFilesetResponse(shards=shards)


def _read_changes(requests: Iterable[wire.storage.CreateFilesetRequest], writer: ContentWriter) -> Iterator[Change]:
    """The changes that a stream requests; consecutive messages that append to one file are one change."""
    for (kind, path), messages in groupby(requests, _kind_and_path):
        if kind == "append_file":
            yield Put(paths.clean_for_write(path), writer.put(message.append_file.data.value for message in messages))
        elif kind == "delete_file":
            yield Delete(paths.clean_for_delete(path))
        elif kind == "copy_file":
            for message in messages:
                copy = message.copy_file
                source = fileset_commit(fileset_from(copy.fileset_id))
                yield Copy(paths.clean(copy.dst or copy.src), source, copy.src)
        else:
            raise PachydermError("unrecognized message type")


def _kind_and_path(request: wire.storage.CreateFilesetRequest) -> tuple[str | None, str]:
    kind = request.WhichOneof("modification")
    if kind == "append_file":
        return kind, request.append_file.path
    return kind, request.delete_file.path if kind == "delete_file" else ""
