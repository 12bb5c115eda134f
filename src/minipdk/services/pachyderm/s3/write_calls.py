"""Requests that change objects and buckets."""

from __future__ import annotations

from xml.etree import ElementTree

from starlette.responses import Response

from minipdk.services.pachyderm.pfs.model import Entry
from minipdk.services.pachyderm.s3.answers import state_of
from minipdk.services.pachyderm.s3.calls import Call, allow, condition, copy_source
from minipdk.services.pachyderm.s3.documents import NAMESPACE, add, etag, fields, iso, malformed, xml
from minipdk.services.pachyderm.s3.documents import parse as parse_xml
from minipdk.services.pachyderm.s3.errors import S3Error, not_implemented
from minipdk.services.pachyderm.s3.multipart import Uploads
from minipdk.services.pachyderm.s3.writing import BucketWriter, Written

_MOST_KEYS = 1000


class WriteCalls:
    def __init__(self, buckets: BucketWriter, uploads: Uploads) -> None:
        self._buckets = buckets
        self._uploads = uploads

    # Objects

    def put(self, call: Call) -> Response:
        allow(call.query)
        if call.header("x-amz-copy-source"):
            return self._copy(call)
        only_if = condition(call.request.headers)
        self._buckets.check_writable(call.bucket, call.key)
        writer = self._buckets.writer()
        parts = writer.put(call.payload().read())
        return Response(headers=written_headers(self._buckets.put(call.bucket, call.key, parts, writer, only_if)))

    def _copy(self, call: Call) -> Response:
        only_if = condition(call.request.headers)
        directive = call.header("x-amz-metadata-directive") or "COPY"
        if directive not in ("COPY", "REPLACE"):
            raise S3Error(400, "InvalidArgument", f"x-amz-metadata-directive is {directive!r}: it must be COPY or REPLACE")
        bucket, key, version = copy_source(call.header("x-amz-copy-source"))
        same = (self._buckets.parse(bucket).full_name, key) == (self._buckets.parse(call.bucket).full_name, call.key)
        if same and not version and directive == "COPY":
            raise S3Error(
                400, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself"
            )
        tree = self._buckets.open(bucket, version)
        entry = self._buckets.object(tree, key)
        state_of(entry, tree).check_source(call.request.headers)
        writer = self._buckets.writer()
        written = self._buckets.put(call.bucket, call.key, writer.keep(entry.parts), writer, only_if)
        response = copied("CopyObjectResult", written.entry, written.tree.committed)
        response.headers["x-amz-copy-source-version-id"] = tree.commit.id
        response.headers["x-amz-version-id"] = written.tree.commit.id
        return response

    def delete(self, call: Call) -> Response:
        allow(call.query)  # a version is a commit, and those never change
        self._buckets.delete(call.bucket, [call.key])
        return Response(status_code=204)

    def delete_many(self, call: Call) -> Response:
        allow(call.query, "delete")
        root = parse_xml(call.payload().document(), "Delete")
        quiet = fields(root, "Object", "Quiet").get("Quiet", "false") == "true"
        keys = [fields(found, "Key").get("Key", "") for found in root.findall("Object")]
        if not 1 <= len(keys) <= _MOST_KEYS or not all(keys):
            raise malformed(f"it names {len(keys)} keys: from 1 to {_MOST_KEYS} may be deleted at once, each by its name")
        self._buckets.delete(call.bucket, keys)
        answer = ElementTree.Element("DeleteResult", xmlns=NAMESPACE)
        for key in () if quiet else keys:
            add(ElementTree.SubElement(answer, "Deleted"), Key=key)
        return xml(answer)

    # Buckets

    def create_bucket(self, call: Call) -> Response:
        """Where the bucket is to be is not asked: all are at one place."""
        allow(call.query)
        if document := call.payload().document():
            fields(parse_xml(document, "CreateBucketConfiguration"), "LocationConstraint")
        self._buckets.create(call.bucket)
        return Response(headers={"Location": f"/{call.bucket}"})

    def delete_bucket(self, call: Call) -> Response:
        allow(call.query)
        self._uploads.abort_all(self._buckets.remove(call.bucket))
        return Response(status_code=204)

    def set_versioning(self, call: Call) -> Response:
        """Every commit is kept, so versioning is on and cannot be turned off."""
        allow(call.query, "versioning")
        status = fields(parse_xml(call.payload().document(), "VersioningConfiguration"), "Status").get("Status", "")
        self._buckets.commit(call.bucket)
        if status != "Enabled" or not self._buckets.versioned:
            raise not_implemented(f"versioning that is {status or 'not set'}")
        return Response()


def written_headers(written: Written) -> dict[str, str]:
    return {"ETag": etag(written.entry.hash.hex()), "x-amz-version-id": written.tree.commit.id}


def copied(root_name: str, entry: Entry, committed: int) -> Response:
    root = ElementTree.Element(root_name, xmlns=NAMESPACE)
    add(root, LastModified=iso(committed), ETag=etag(entry.hash.hex()))
    return xml(root)
