"""Multipart uploads: parts wait in file sets of their own until they are put together, or given up.

An upload and its parts are rows beside PFS's, so a part is durable once it is acknowledged, nobody sees it in a repo, and
completing an upload, the commit included, is one transaction. No byte is copied: the object is the list of its parts.
"""

from __future__ import annotations

import copy
import itertools
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pfs.content import ContentWriter
from minipdk.services.pachyderm.pfs.model import Parts, Put, file_hash
from minipdk.services.pachyderm.s3 import checksums
from minipdk.services.pachyderm.s3.buckets import Bucket
from minipdk.services.pachyderm.s3.errors import S3Error
from minipdk.services.pachyderm.s3.writing import BucketWriter, Condition, Written

LAST_PART = 10_000
SMALLEST_PART = 5 << 20
_FILE = "/part"


@dataclass(frozen=True)
class Upload:
    """``algorithm``: the checksum that the client announced, in lower case, or "". ``created`` in ns since 1970."""

    id: str
    key: str
    algorithm: str
    created: int


@dataclass(frozen=True)
class StoredPart:
    """``checksums``: those the client sent and that were right, by algorithm, in base64. ``size`` in bytes."""

    number: int
    size: int
    etag: str
    checksums: Mapping[str, str]
    created: int
    fileset: str


@dataclass(frozen=True)
class ChosenPart:
    """A part as a client names it when it completes an upload."""

    number: int
    etag: str
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stated:
    """What a client says of the object that the parts make: checksums by algorithm, in base64, and its size in bytes."""

    checksums: Mapping[str, str]
    size: int | None


class Uploads:
    def __init__(self, pfs: Pfs, buckets: BucketWriter) -> None:
        self._pfs = pfs
        self._buckets = buckets

    def seen_by(self, buckets: BucketWriter) -> Uploads:
        """The same uploads, to buckets that have other names."""
        other = copy.copy(self)
        other._buckets = buckets
        return other

    def create(self, bucket_name: str, key: str, algorithm: str) -> str:
        """Begin an upload: its id."""
        bucket = self._buckets.check_writable(bucket_name, key)
        with self._pfs.transaction() as txn:
            upload_id = uuid.uuid4().hex
            self._write(
                "INSERT INTO s3_uploads VALUES (?, ?, ?, ?, ?)", upload_id, bucket.full_name, key, algorithm, txn.now
            )
            return upload_id

    def find(self, bucket_name: str, key: str, upload_id: str) -> Upload:
        """Raises NoSuchUpload."""
        rows = self._read(
            "SELECT * FROM s3_uploads WHERE id = ? AND bucket = ? AND key = ?",
            upload_id,
            self._buckets.parse(bucket_name).full_name,
            key,
        )
        if not rows:
            raise S3Error(
                404,
                "NoSuchUpload",
                f"The upload {upload_id} of {key} to {bucket_name} does not exist: it may have been aborted or completed.",
            )
        return Upload(rows[0]["id"], rows[0]["key"], rows[0]["algorithm"], rows[0]["created"])

    def put_part(
        self, upload: Upload, number: int, content: Parts, writer: ContentWriter, sums: Mapping[str, str]
    ) -> StoredPart:
        """Keep a part, in place of an older one of its number. Small contents pend in ``writer`` until then."""
        with self._pfs.transaction() as txn:
            writer.flush()
            if not self._read("SELECT 1 FROM s3_uploads WHERE id = ?", upload.id):
                raise S3Error(404, "NoSuchUpload", f"The upload {upload.id} was aborted or completed meanwhile")
            self._forget("upload = ? AND number = ?", upload.id, number)
            fileset = self._pfs.files.create_fileset([Put(_FILE, content)])
            kept = self._pfs.files.fileset_parts(fileset, _FILE)
            stored = StoredPart(number, sum(part.size for part in kept), file_hash(kept).hex(), dict(sums), txn.now, fileset)
            self._write(
                "INSERT INTO s3_parts VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(upload.id, number, fileset, stored.size, stored.etag, json.dumps(stored.checksums), txn.now),
            )
        return stored

    def parts(self, upload: Upload, after: int = 0, limit: int = LAST_PART) -> list[StoredPart]:
        """The parts with numbers beyond ``after``, in order."""
        rows = self._read(
            "SELECT * FROM s3_parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?", upload.id, after, limit
        )
        return [
            StoredPart(row["number"], row["size"], row["etag"], json.loads(row["checksums"]), row["created"], row["fileset"])
            for row in rows
        ]

    def pending(self, bucket_name: str, prefix: str, after: tuple[str, str], limit: int) -> list[Upload]:
        """The uploads to a bucket beyond the key and upload id ``after``, in order of both."""
        self._buckets.commit(bucket_name)
        rows = self._read(
            "SELECT * FROM s3_uploads WHERE bucket = ? AND substr(key, 1, ?) = ? AND (key, id) > (?, ?)"
            " ORDER BY key, id LIMIT ?",
            *(self._buckets.parse(bucket_name).full_name, len(prefix), prefix, *after, limit),
        )
        return [Upload(row["id"], row["key"], row["algorithm"], row["created"]) for row in rows]

    def abort(self, upload: Upload) -> None:
        with self._pfs.transaction():
            self._forget("upload = ?", upload.id)
            self._write("DELETE FROM s3_uploads WHERE id = ?", upload.id)

    def abort_all(self, bucket: Bucket) -> None:
        """Give up the uploads to a bucket that is gone."""
        with self._pfs.transaction():
            for row in self._read("SELECT * FROM s3_uploads WHERE bucket = ?", bucket.full_name):
                self.abort(Upload(row["id"], row["key"], row["algorithm"], row["created"]))

    def complete(
        self,
        bucket_name: str,
        upload: Upload,
        chosen: Sequence[ChosenPart],
        stated: Stated,
        condition: Condition,
    ) -> Written:
        """Make the object of the chosen parts, and forget the upload."""
        found = _matched(chosen, {part.number: part for part in self.parts(upload)})
        total = sum(part.size for part in found)
        if stated.size not in (None, total):
            raise S3Error(400, "InvalidRequest", f"the parts have {total} bytes, and x-amz-mp-object-size is {stated.size}")
        content = tuple(part for one in found for part in self._pfs.files.fileset_parts(one.fileset, _FILE))
        for algorithm, value in stated.checksums.items():
            self._check(algorithm, value, found, content)
        with self._pfs.transaction():
            if not _fileset_ids(found) <= _fileset_ids(self.parts(upload)):
                raise S3Error(409, "OperationAborted", f"parts of the upload {upload.id} changed meanwhile: try again")
            written = self._buckets.put(bucket_name, upload.key, content, self._buckets.writer(), condition)
            self.abort(upload)
        return written

    def _check(self, algorithm: str, value: str, found: Sequence[StoredPart], content: Parts) -> None:
        """Compare an object's checksum with what a client says it is: that of its bytes, or of its parts' checksums."""
        checksum = checksums.new(algorithm)
        if "-" in value:
            digests = [one.checksums.get(algorithm) for one in found]
            right = value == checksums.composite(algorithm, [one for one in digests if one]) and all(digests)
        else:
            for chunk in self._pfs.state.content.read(content):
                checksum.update(chunk)
            digest = checksum.digest()
            right = checksums.decoded(value, checksums.PREFIX + algorithm, len(digest)) == digest
        if not right:
            raise S3Error(400, "BadDigest", f"The {algorithm.upper()} you specified did not match that of the parts.")

    def _forget(self, where: str, *values: object) -> None:
        """Delete parts and their file sets."""
        for row in self._read(f"SELECT fileset FROM s3_parts WHERE {where}", *values):  # noqa: S608 (conditions of this module)
            self._pfs.files.delete_fileset(row["fileset"])
        self._write(f"DELETE FROM s3_parts WHERE {where}", *values)  # noqa: S608

    def _read(self, query: str, *values: object) -> list[Any]:
        return self._pfs.db.connection().execute(query, values).fetchall()

    def _write(self, query: str, *values: object) -> None:
        self._pfs.db.connection().execute(query, values)


def _fileset_ids(parts: Sequence[StoredPart]) -> set[str]:
    return {part.fileset for part in parts}


def _matched(chosen: Sequence[ChosenPart], stored: Mapping[int, StoredPart]) -> list[StoredPart]:
    """The stored parts that a client chose. An ETag that is no hash of PFS is passed over, as the vendor does: clients
    may send an MD5 that they made themselves."""
    if not chosen:
        raise S3Error(400, "MalformedXML", "You must specify at least one part")
    if any(one.number >= following.number for one, following in itertools.pairwise(chosen)):
        raise S3Error(400, "InvalidPartOrder", "The list of parts was not in ascending order. Order them by part number.")
    return list(_checked(chosen, stored))


def _checked(chosen: Sequence[ChosenPart], stored: Mapping[int, StoredPart]) -> Iterator[StoredPart]:
    for one in chosen:
        part = stored.get(one.number)
        if part is None:
            raise S3Error(400, "InvalidPart", f"part {one.number} was not uploaded")
        if len(one.etag) == len(part.etag) and one.etag != part.etag:
            raise S3Error(400, "InvalidPart", f"part {one.number} has the ETag {part.etag}, not {one.etag}")
        for algorithm, value in one.checksums.items():
            if part.checksums.get(algorithm) != value:
                raise S3Error(400, "InvalidPart", f"part {one.number} has not the {algorithm.upper()} {value}")
        if one is not chosen[-1] and part.size < SMALLEST_PART:
            raise S3Error(
                400,
                "EntityTooSmall",
                f"part {one.number} has {part.size} bytes: all but the last have {SMALLEST_PART} or more",
            )
        yield part
