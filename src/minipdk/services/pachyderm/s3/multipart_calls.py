"""Requests about multipart uploads."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from starlette.responses import Response

from minipdk.services.pachyderm.s3 import checksums
from minipdk.services.pachyderm.s3.answers import state_of
from minipdk.services.pachyderm.s3.calls import Call, allow, condition, copy_source
from minipdk.services.pachyderm.s3.documents import (
    NAMESPACE,
    add,
    add_owner,
    etag,
    fields,
    iso,
    malformed,
    parse,
    quoted,
    whole_number,
    xml,
)
from minipdk.services.pachyderm.s3.errors import S3Error
from minipdk.services.pachyderm.s3.multipart import LAST_PART, ChosenPart, Stated, StoredPart, Upload, Uploads
from minipdk.services.pachyderm.s3.writing import BucketWriter

_MOST = 1000
_SIZE = "x-amz-mp-object-size"
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")
_CHECKSUM_FIELDS = {f"Checksum{name}": name.lower() for name in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")}


class MultipartCalls:
    def __init__(self, buckets: BucketWriter, uploads: Uploads) -> None:
        self._buckets = buckets
        self._uploads = uploads

    def create(self, call: Call) -> Response:
        allow(call.query, "uploads")
        algorithm = call.header("x-amz-checksum-algorithm").lower()
        if algorithm:
            checksums.new(algorithm)
        upload_id = self._uploads.create(call.bucket, call.key, algorithm)
        root = ElementTree.Element("InitiateMultipartUploadResult", xmlns=NAMESPACE)
        add(root, Bucket=call.bucket, Key=call.key, UploadId=upload_id)
        response = xml(root)
        if algorithm:
            response.headers["x-amz-checksum-algorithm"] = algorithm.upper()
        return response

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
        return Response(headers={"ETag": etag(part.etag), **sums})

    def _copy_part(self, call: Call, upload: Upload, number: int) -> Response:
        bucket, key, version = copy_source(call.header("x-amz-copy-source"))
        tree = self._buckets.open(bucket, version)
        entry = self._buckets.object(tree, key)
        state_of(entry, tree).check_source(call.request.headers)
        first, size = _copied_range(call.header("x-amz-copy-source-range"), entry.size)
        writer = self._buckets.writer()
        content = self._buckets.part_of(entry, first, size, writer)
        part = self._uploads.put_part(upload, number, content, writer, {})
        root = ElementTree.Element("CopyPartResult", xmlns=NAMESPACE)
        add(root, LastModified=iso(part.created), ETag=etag(part.etag))
        response = xml(root)
        response.headers["x-amz-copy-source-version-id"] = tree.commit.id
        return response

    def complete(self, call: Call) -> Response:
        allow(call.query, "uploadId")
        only_if = condition(call.request.headers)
        upload = self._upload(call)
        chosen = _chosen_parts(call)
        headers = call.request.headers
        size = whole_number(headers, _SIZE, 0) if _SIZE in headers else None
        stated = Stated(checksums.in_headers(headers), size)
        written = self._uploads.complete(call.bucket, upload, chosen, stated, only_if)
        root = ElementTree.Element("CompleteMultipartUploadResult", xmlns=NAMESPACE)
        add(root, Location=f"/{call.bucket}/{call.key}", Bucket=call.bucket, Key=call.key)
        add(root, ETag=etag(written.entry.hash.hex()))
        response = xml(root)
        response.headers["x-amz-version-id"] = written.tree.commit.id
        return response

    def abort(self, call: Call) -> Response:
        allow(call.query, "uploadId")
        self._uploads.abort(self._upload(call))
        return Response(status_code=204)

    def list_parts(self, call: Call) -> Response:
        allow(call.query, "uploadId", "max-parts", "part-number-marker")
        upload = self._upload(call)
        limit = min(whole_number(call.query, "max-parts", _MOST), _MOST)
        after = whole_number(call.query, "part-number-marker", 0)
        found = self._uploads.parts(upload, after, limit + 1)
        page = found[:limit]
        root = ElementTree.Element("ListPartsResult", xmlns=NAMESPACE)
        add(root, Bucket=call.bucket, Key=call.key, UploadId=upload.id)
        add_owner(root, "Initiator")
        add_owner(root)
        add(root, StorageClass="STANDARD", PartNumberMarker=str(after), MaxParts=str(limit))
        add(root, NextPartNumberMarker=str(page[-1].number if page else after))
        add(root, IsTruncated="true" if limit and len(found) > limit else "false")
        if upload.algorithm:
            add(root, ChecksumAlgorithm=upload.algorithm.upper())
        for part in page:
            _add_part(root, part)
        return xml(root)

    def list_uploads(self, call: Call) -> Response:
        allow(call.query, "uploads", "max-uploads", "key-marker", "upload-id-marker", "prefix", "encoding-type")
        query = call.query
        limit = min(whole_number(query, "max-uploads", _MOST), _MOST)
        key = query.get("key-marker", "")
        # Without an upload's id, all uploads of the marker's key have been seen: no id comes after this one.
        upload_id = query.get("upload-id-marker") or ("g" if key else "")
        found = self._uploads.pending(call.bucket, query.get("prefix", ""), (key, upload_id), limit + 1)
        page = found[:limit]
        root = ElementTree.Element("ListMultipartUploadsResult", xmlns=NAMESPACE)
        text = quoted if "encoding-type" in query else str
        add(root, Bucket=call.bucket, KeyMarker=text(key), UploadIdMarker=query.get("upload-id-marker", ""))
        add(root, Prefix=text(query.get("prefix", "")), MaxUploads=str(limit))
        truncated = bool(limit) and len(found) > limit
        add(root, IsTruncated="true" if truncated else "false")
        if "encoding-type" in query:
            add(root, EncodingType="url")
        if truncated:
            add(root, NextKeyMarker=text(page[-1].key), NextUploadIdMarker=page[-1].id)
        for upload in page:
            holder = ElementTree.SubElement(root, "Upload")
            add(holder, Key=text(upload.key), UploadId=upload.id, StorageClass="STANDARD", Initiated=iso(upload.created))
            add_owner(holder, "Initiator")
            add_owner(holder)
        return xml(root)

    def _upload(self, call: Call) -> Upload:
        return self._uploads.find(call.bucket, call.key, call.query["uploadId"])


def _part_number(call: Call) -> int:
    number = whole_number(call.query, "partNumber", 0)
    if not 1 <= number <= LAST_PART:
        raise S3Error(400, "InvalidArgument", f"Part number must be an integer between 1 and {LAST_PART}, inclusive")
    return number


def _copied_range(header: str, size: int) -> tuple[int, int]:
    """(first byte, how many) of x-amz-copy-source-range, which unlike Range must lie in the object."""
    if not header:
        return 0, size
    found = _RANGE.fullmatch(header)
    if found is None or not int(found[1]) <= int(found[2]) < size:
        raise S3Error(400, "InvalidArgument", f"Range {header!r} is not valid for a source of {size} bytes")
    return int(found[1]), int(found[2]) - int(found[1]) + 1


def _chosen_parts(call: Call) -> list[ChosenPart]:
    root = parse(call.payload(checksums_of_body=False).document(), "CompleteMultipartUpload")
    fields(root, "Part")
    chosen = []
    for element in root:
        found = fields(element, "PartNumber", "ETag", *_CHECKSUM_FIELDS)
        if not found.get("PartNumber", "").isdecimal() or "ETag" not in found:
            raise malformed("each Part needs a PartNumber and an ETag")
        sums = {_CHECKSUM_FIELDS[name]: value for name, value in found.items() if name in _CHECKSUM_FIELDS}
        chosen.append(ChosenPart(int(found["PartNumber"]), found["ETag"].strip('"'), sums))
    return chosen


def _add_part(root: ElementTree.Element, part: StoredPart) -> None:
    holder = ElementTree.SubElement(root, "Part")
    add(holder, PartNumber=str(part.number), LastModified=iso(part.created), ETag=etag(part.etag), Size=str(part.size))
    for name, algorithm in _CHECKSUM_FIELDS.items():
        if algorithm in part.checksums:
            add(holder, **{name: part.checksums[algorithm]})
