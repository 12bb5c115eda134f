"""Multipart uploads: parts wait in separate file sets until they are put together, or the upload is aborted.

An upload and its parts are rows in PFS's database, so a part is durable once it is acknowledged, and it is in no repo before
the upload is completed. That is one transaction, including the commit. No byte is copied: the object is a list of its parts.
"""

from __future__ import annotations

import copy
import itertools
import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence

from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pfs.content import ContentWriter
from minipdk.services.pachyderm.pfs.model import Parts, Put, file_hash
from minipdk.services.pachyderm.s3 import checksums, store
from minipdk.services.pachyderm.s3.buckets import Buckets
from minipdk.services.pachyderm.s3.conditions import WriteCondition
from minipdk.services.pachyderm.s3.errors import S3Error
from minipdk.services.pachyderm.s3.model import Bucket, ChosenPart, StatedObject, StoredPart, Upload, Written

LAST_PART = 10_000
SMALLEST_PART = 5 << 20
_FILE = "/part"


class Uploads:
    def __init__(self, pfs: Pfs, buckets: Buckets) -> None:
        self._pfs = pfs
        self._buckets = buckets

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._pfs.db.connection()

    def seen_by(self, buckets: Buckets) -> Uploads:
        """The same uploads, to buckets that have other names."""
        other = copy.copy(self)
        other._buckets = buckets
        return other

    def create(self, bucket_name: str, key: str, algorithm: str) -> Upload:
        bucket = self._buckets.check_writable(bucket_name, key)
        with self._pfs.transaction() as txn:
            upload = Upload(uuid.uuid4().hex, bucket.full_name, key, algorithm, txn.now)
            store.insert_upload(self._connection, upload)
            return upload

    def find(self, bucket_name: str, key: str, upload_id: str) -> Upload:
        """Raises NoSuchUpload."""
        full_name = self._buckets.parse(bucket_name).full_name
        upload = store.find_upload(self._connection, upload_id)
        if upload is None or (upload.bucket, upload.key) != (full_name, key):
            raise S3Error(
                404,
                "NoSuchUpload",
                f"The upload {upload_id} of {key} to {bucket_name} does not exist: it may have been aborted or completed.",
            )
        return upload

    def put_part(
        self, upload: Upload, number: int, content: Parts, writer: ContentWriter, sums: Mapping[str, str]
    ) -> StoredPart:
        """Store a part, replacing one of the same number. Small contents may be pending in ``writer`` until then."""
        with self._pfs.transaction() as txn:
            writer.flush()
            if store.find_upload(self._connection, upload.id) is None:
                raise S3Error(404, "NoSuchUpload", f"The upload {upload.id} was aborted or completed meanwhile")
            self._delete_parts(upload, number)
            fileset = self._pfs.files.create_fileset([Put(_FILE, content)])
            kept = self._pfs.files.fileset_parts(fileset, _FILE)
            part = StoredPart(number, sum(part.size for part in kept), file_hash(kept).hex(), dict(sums), txn.now, fileset)
            store.insert_part(self._connection, upload.id, part)
        return part

    def parts(self, upload: Upload, after: int = 0, limit: int = LAST_PART) -> list[StoredPart]:
        """The parts with numbers beyond ``after``, in order."""
        return store.parts(self._connection, upload.id, after, limit)

    def pending(self, bucket_name: str, prefix: str, after: tuple[str, str], limit: int) -> list[Upload]:
        """The uploads to a bucket beyond the key and upload id ``after``, in order of both."""
        self._buckets.commit(bucket_name)
        full_name = self._buckets.parse(bucket_name).full_name
        return store.page_of_uploads(self._connection, full_name, prefix, after, limit)

    def abort(self, upload: Upload) -> None:
        with self._pfs.transaction():
            self._delete_parts(upload)
            store.delete_upload(self._connection, upload.id)

    def abort_all(self, bucket: Bucket) -> None:
        """Abort the uploads to a bucket that was removed."""
        with self._pfs.transaction():
            for upload in store.uploads_to(self._connection, bucket.full_name):
                self.abort(upload)

    def complete(
        self,
        bucket_name: str,
        upload: Upload,
        chosen: Sequence[ChosenPart],
        stated: StatedObject,
        condition: WriteCondition,
    ) -> Written:
        """Make the object of the chosen parts, and delete the upload."""
        parts = _matched(chosen, {part.number: part for part in self.parts(upload)})
        total = sum(part.size for part in parts)
        if stated.size not in (None, total):
            raise S3Error(400, "InvalidRequest", f"the parts have {total} bytes, and x-amz-mp-object-size is {stated.size}")
        content = tuple(piece for part in parts for piece in self._pfs.files.fileset_parts(part.fileset, _FILE))
        for algorithm, value in stated.checksums.items():
            self._check(algorithm, value, parts, content)
        with self._pfs.transaction():
            if not _filesets(parts) <= _filesets(self.parts(upload)):
                raise S3Error(409, "OperationAborted", f"parts of the upload {upload.id} changed meanwhile: try again")
            written = self._buckets.put(bucket_name, upload.key, content, self._buckets.writer(), condition)
            self.abort(upload)
        return written

    def _check(self, algorithm: str, value: str, parts: Sequence[StoredPart], content: Parts) -> None:
        """Check an object's checksum as the client states it: of its bytes, or of the checksums of its parts."""
        checksum = checksums.new(algorithm)
        if "-" in value:
            digests = [part.checksums.get(algorithm) for part in parts]
            is_right = value == checksums.composite(algorithm, filter(None, digests)) and all(digests)
        else:
            for chunk in self._pfs.files.read_parts(content):
                checksum.update(chunk)
            digest = checksum.digest()
            is_right = checksums.decoded(value, checksums.PREFIX + algorithm, len(digest)) == digest
        if not is_right:
            raise S3Error(400, "BadDigest", f"The {algorithm.upper()} you specified did not match that of the parts.")

    def _delete_parts(self, upload: Upload, number: int | None = None) -> None:
        """Delete one part, or all, with their file sets."""
        for fileset in store.delete_parts(self._connection, upload.id, number):
            self._pfs.files.delete_fileset(fileset)


def _filesets(parts: Sequence[StoredPart]) -> set[str]:
    return {part.fileset for part in parts}


def _matched(chosen: Sequence[ChosenPart], stored: Mapping[int, StoredPart]) -> list[StoredPart]:
    """The stored parts that a client chose.

    Like the vendor, ignores an ETag that is no hash of PFS: clients may send an MD5 that they computed themselves.
    """
    if not chosen:
        raise S3Error(400, "MalformedXML", "You must specify at least one part")
    if any(part.number >= following.number for part, following in itertools.pairwise(chosen)):
        raise S3Error(400, "InvalidPartOrder", "The list of parts was not in ascending order. Order them by part number.")
    return list(_checked(chosen, stored))


def _checked(chosen: Sequence[ChosenPart], stored: Mapping[int, StoredPart]) -> Iterator[StoredPart]:
    for choice in chosen:
        part = stored.get(choice.number)
        if part is None:
            raise S3Error(400, "InvalidPart", f"part {choice.number} was not uploaded")
        if len(choice.etag) == len(part.etag) and choice.etag != part.etag:
            raise S3Error(400, "InvalidPart", f"part {choice.number} has the ETag {part.etag}, not {choice.etag}")
        for algorithm, value in choice.checksums.items():
            if part.checksums.get(algorithm) != value:
                raise S3Error(400, "InvalidPart", f"part {choice.number} has not the {algorithm.upper()} {value}")
        if choice is not chosen[-1] and part.size < SMALLEST_PART:
            raise S3Error(
                400,
                "EntityTooSmall",
                f"part {choice.number} has {part.size} bytes: all but the last have {SMALLEST_PART} or more",
            )
        yield part
