"""Calls about multipart uploads."""

from __future__ import annotations

import re

from starlette.responses import Response

from minipdk.services.pachyderm.s3 import checksums, messages
from minipdk.services.pachyderm.s3.api.requests import Call, allow, copy_source
from minipdk.services.pachyderm.s3.buckets import Buckets
from minipdk.services.pachyderm.s3.conditions import write_condition
from minipdk.services.pachyderm.s3.errors import S3Error
from minipdk.services.pachyderm.s3.messages import whole_number
from minipdk.services.pachyderm.s3.model import StatedObject, Upload
from minipdk.services.pachyderm.s3.uploads import LAST_PART, Uploads

_MOST = 1000
_SIZE = "x-amz-mp-object-size"
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")
_BEYOND_ALL_IDS = "g"  # ids are hex digits


class UploadCalls:
    def __init__(self, buckets: Buckets, uploads: Uploads) -> None:
        self._buckets = buckets
        self._uploads = uploads

    def create(self, call: Call) -> Response:
        allow(call.query, "uploads")
        algorithm = call.header("x-amz-checksum-algorithm").lower()
        if algorithm:
            checksums.new(algorithm)
        return messages.created_upload(call.bucket, self._uploads.create(call.bucket, call.key, algorithm))

    def put_part(self, call: Call) -> Response:
        allow(call.query, "uploadId", "partNumber")
        upload = self._upload(call)
        number = _part_number(call)
        if call.header("x-amz-copy-source"):
            return self._copy_part(call, upload, number)
        writer = self._buckets.writer()
        payload = call.payload()
        if upload.algorithm and upload.algorithm not in payload.stated_algorithms:
            raise S3Error(400, "InvalidRequest", f"the upload announced {upload.algorithm.upper()}, and the part has none")
        content = writer.put(payload.read())
        part = self._uploads.put_part(upload, number, content, writer, payload.checksums)
        sums = {checksums.PREFIX + name: value for name, value in part.checksums.items()}
        return Response(headers={"ETag": messages.etag(part.etag), **sums})

    def _copy_part(self, call: Call, upload: Upload, number: int) -> Response:
        bucket, key, version = copy_source(call.header("x-amz-copy-source"))
        tree = self._buckets.open(bucket, version)
        entry = self._buckets.object(tree, key)
        messages.object_state(entry, tree).check_source(call.request.headers)
        first, size = _copied_range(call.header("x-amz-copy-source-range"), entry.size)
        writer = self._buckets.writer()
        content = self._buckets.parts_of(tree, entry, first, size, writer)
        return messages.copied_part(self._uploads.put_part(upload, number, content, writer, {}), tree.commit.id)

    def complete(self, call: Call) -> Response:
        allow(call.query, "uploadId")
        only_if = write_condition(call.request.headers)
        upload = self._upload(call)
        chosen = messages.chosen_parts(call.payload(checksums_of_body=False).document())
        headers = call.request.headers
        size = whole_number(headers, _SIZE, 0) if _SIZE in headers else None
        stated = StatedObject(checksums.in_headers(headers), size)
        written = self._uploads.complete(call.bucket, upload, chosen, stated, only_if)
        return messages.completed_upload(call.bucket, call.key, written)

    def abort(self, call: Call) -> Response:
        allow(call.query, "uploadId")
        self._uploads.abort(self._upload(call))
        return Response(status_code=204)

    def list_parts(self, call: Call) -> Response:
        allow(call.query, "uploadId", "max-parts", "part-number-marker")
        upload = self._upload(call)
        limit = min(whole_number(call.query, "max-parts", _MOST), _MOST)
        after = whole_number(call.query, "part-number-marker", 0)
        parts = self._uploads.parts(upload, after, limit + 1)
        return messages.parts_page(call.bucket, upload, parts, after, limit)

    def list_uploads(self, call: Call) -> Response:
        allow(call.query, "uploads", "max-uploads", "key-marker", "upload-id-marker", "prefix", "encoding-type")
        query = call.query
        limit = min(whole_number(query, "max-uploads", _MOST), _MOST)
        key = query.get("key-marker", "")
        # Without an upload's id, the client has seen all uploads of the marker's key.
        upload_id = query.get("upload-id-marker") or (_BEYOND_ALL_IDS if key else "")
        uploads = self._uploads.pending(call.bucket, query.get("prefix", ""), (key, upload_id), limit + 1)
        return messages.uploads_page(call.bucket, uploads, query, limit)

    def _upload(self, call: Call) -> Upload:
        return self._uploads.find(call.bucket, call.key, call.query["uploadId"])


def _part_number(call: Call) -> int:
    number = whole_number(call.query, "partNumber", 0)
    if not 1 <= number <= LAST_PART:
        raise S3Error(400, "InvalidArgument", f"Part number must be an integer between 1 and {LAST_PART}, inclusive")
    return number


def _copied_range(header: str, size: int) -> tuple[int, int]:
    """(first byte, number of bytes) of x-amz-copy-source-range, which unlike Range must be inside the object."""
    if not header:
        return 0, size
    match = _RANGE.fullmatch(header)
    if match is None or not int(match[1]) <= int(match[2]) < size:
        raise S3Error(400, "InvalidArgument", f"Range {header!r} is not valid for a source of {size} bytes")
    return int(match[1]), int(match[2]) - int(match[1]) + 1
