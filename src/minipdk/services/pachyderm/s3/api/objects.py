"""Calls about objects: get, put, copy and delete."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from minipdk.services.pachyderm.pfs.model import Entry
from minipdk.services.pachyderm.s3 import messages
from minipdk.services.pachyderm.s3.api.requests import Call, allow, copy_source
from minipdk.services.pachyderm.s3.buckets import Buckets
from minipdk.services.pachyderm.s3.conditions import write_condition
from minipdk.services.pachyderm.s3.errors import S3Error

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_OVERRIDES = {
    f"response-{name.lower()}": name
    for name in (
        "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires",
    )
}  # fmt: skip
"""The parameters with which a client chooses headers of the response."""


class ObjectCalls:
    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets

    def get(self, call: Call) -> Response:
        """GET and HEAD."""
        allow(call.query, "versionId", *_OVERRIDES)
        tree = self._buckets.open(call.bucket, call.query.get("versionId", ""))
        entry = self._buckets.object(tree, call.key)
        headers = messages.object_headers(entry, tree)
        state = messages.object_state(entry, tree)
        if state.is_other(call.request.headers):
            raise S3Error(412, "PreconditionFailed", f"the object's ETag is {state.digest}: it is not the one asked for")
        if state.is_known(call.request.headers):
            return Response(status_code=304, headers=headers)
        headers |= _overrides(call)
        requested = call.header("range") if state.takes_range(call.request.headers) else ""
        return self._content(call.request, entry, headers, requested)

    def _content(self, request: Request, entry: Entry, headers: dict[str, str], requested: str) -> Response:
        first, size = _range(requested, entry.size)
        status = 200
        if _RANGE.fullmatch(requested):
            status = 206
            headers["Content-Range"] = f"bytes {first}-{first + size - 1}/{entry.size}"
        headers["Content-Length"] = str(size)
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        return StreamingResponse(self._buckets.read(entry, first, size), status_code=status, headers=headers)

    def put(self, call: Call) -> Response:
        allow(call.query)
        if call.header("x-amz-copy-source"):
            return self._copy(call)
        only_if = write_condition(call.request.headers)
        self._buckets.check_writable(call.bucket, call.key)
        writer = self._buckets.writer()
        parts = writer.put(call.payload().read())
        written = self._buckets.put(call.bucket, call.key, parts, writer, only_if)
        return Response(headers=messages.written_headers(written))

    def _copy(self, call: Call) -> Response:
        only_if = write_condition(call.request.headers)
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
        messages.object_state(entry, tree).check_source(call.request.headers)
        writer = self._buckets.writer()
        written = self._buckets.put(call.bucket, call.key, writer.keep(entry.parts), writer, only_if)
        return messages.copied_object(written, tree.commit.id)

    def delete(self, call: Call) -> Response:
        allow(call.query)  # a version is a commit, and those never change
        self._buckets.delete(call.bucket, [call.key])
        return Response(status_code=204)

    def delete_many(self, call: Call) -> Response:
        allow(call.query, "delete")
        keys, quiet = messages.keys_to_delete(call.payload().document())
        self._buckets.delete(call.bucket, keys)
        return messages.deleted(() if quiet else keys)


def _overrides(call: Call) -> dict[str, str]:
    """The headers that the client wants the response to have."""
    chosen = {header: call.query[name] for name, header in _OVERRIDES.items() if name in call.query}
    for header, value in chosen.items():
        if not (value.isascii() and value.isprintable()):
            raise S3Error(400, "InvalidArgument", f"{value!r} cannot be the {header} of the answer")
    return chosen


def _range(header: str, size: int) -> tuple[int, int]:
    """(first byte, number of bytes) of a Range header; everything if it has a form that S3 ignores."""
    match = _RANGE.fullmatch(header)
    if match is None or not (match[1] or match[2]):
        return 0, size
    if not match[1]:
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(int(match[2]), size - 1) if match[2] else size - 1
    if first > last:
        raise S3Error(416, "InvalidRange", f"the object has {size} bytes, so {header} is not in it")
    return first, last - first + 1
