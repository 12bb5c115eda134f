"""Which of S3's calls a request makes, and the calls that read."""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from minipdk.services.pachyderm.pfs.model import Entry
from minipdk.services.pachyderm.s3 import answers
from minipdk.services.pachyderm.s3.calls import Call, allow, check_write_headers
from minipdk.services.pachyderm.s3.errors import S3Error, not_implemented
from minipdk.services.pachyderm.s3.multipart import Uploads
from minipdk.services.pachyderm.s3.multipart_calls import MultipartCalls
from minipdk.services.pachyderm.s3.write_calls import WriteCalls
from minipdk.services.pachyderm.s3.writing import BucketWriter

Handler = Callable[[Call], Response]

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_OVERRIDES = {
    f"response-{name.lower()}": name
    for name in (
        "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires",
    )
}  # fmt: skip
"""The parameters with which a client chooses headers of the answer."""
_LIST_PARAMETERS = frozenset(
    {
        "list-type", "prefix", "delimiter", "marker", "max-keys", "encoding-type",
        "continuation-token", "start-after", "fetch-owner",
    }
)  # fmt: skip


class Dispatcher:
    """Answers the calls on some buckets."""

    def __init__(self, buckets: BucketWriter, uploads: Uploads) -> None:
        self._buckets = buckets
        write, multipart = WriteCalls(buckets, uploads), MultipartCalls(buckets, uploads)
        self._bucket_calls: dict[tuple[str, str], Handler] = {
            ("HEAD", ""): self._head_bucket,
            ("GET", "location"): self._location,
            ("GET", "versioning"): self._versioning,
            ("GET", "uploads"): multipart.list_uploads,
            ("PUT", ""): write.create_bucket,
            ("PUT", "versioning"): write.set_versioning,
            ("POST", "delete"): write.delete_many,
            ("DELETE", ""): write.delete_bucket,
        }
        self._object_calls: dict[tuple[str, str], Handler] = {
            ("GET", "uploadId"): multipart.list_parts,
            ("PUT", ""): write.put,
            ("PUT", "uploadId"): multipart.put_part,
            ("POST", "uploads"): multipart.create,
            ("POST", "uploadId"): multipart.complete,
            ("DELETE", ""): write.delete,
            ("DELETE", "uploadId"): multipart.abort,
        }

    def answer(self, call: Call) -> Response:
        method = call.request.method
        if not call.bucket:
            if method != "GET":
                raise not_implemented(f"{method} /")
            allow(call.query, "prefix", "max-buckets", "continuation-token")
            return answers.buckets(self._buckets.all(), call.query)
        if method not in ("GET", "HEAD"):
            check_write_headers(call.request)
        handler = (self._object_calls if call.key else self._bucket_calls).get((method, call.subresource))
        if handler is not None:
            return handler(call)
        if method in ("GET", "HEAD"):
            return self._object(call) if call.key else self._list(call)
        what = f"?{call.subresource}" if call.subresource else "of an object" if call.key else "of a bucket"
        raise not_implemented(f"{method} {what}")

    def _head_bucket(self, call: Call) -> Response:
        self._buckets.commit(call.bucket)
        return Response()

    def _location(self, call: Call) -> Response:
        self._buckets.commit(call.bucket)
        return answers.location()

    def _versioning(self, call: Call) -> Response:
        self._buckets.commit(call.bucket)
        return answers.versioning(enabled=self._buckets.versioned)

    def _list(self, call: Call) -> Response:
        allow(call.query, *_LIST_PARAMETERS)
        page = answers.Page.parse(call.bucket, call.query)
        tree = self._buckets.open(call.bucket)
        listing = self._buckets.page(tree, page.prefix, page.delimiter, page.after, page.limit)
        return answers.listing(page, listing, tree.committed)

    def _object(self, call: Call) -> Response:
        allow(call.query, "versionId", *_OVERRIDES)
        tree = self._buckets.open(call.bucket, call.query.get("versionId", ""))
        entry = self._buckets.object(tree, call.key)
        headers = answers.object_headers(entry, tree)
        state = answers.state_of(entry, tree)
        if state.is_other(call.request.headers):
            raise S3Error(412, "PreconditionFailed", f"the object's ETag is {state.digest}: it is not the one asked for")
        if state.is_known(call.request.headers):
            return Response(status_code=304, headers=headers)
        headers |= _overrides(call)
        asked = call.header("range") if state.takes_range(call.request.headers) else ""
        return self._content(call.request, entry, headers, asked)

    def _content(self, request: Request, entry: Entry, headers: dict[str, str], asked: str) -> Response:
        first, size = _range(asked, entry.size)
        status = 200
        if _RANGE.fullmatch(asked):
            status = 206
            headers["Content-Range"] = f"bytes {first}-{first + size - 1}/{entry.size}"
        headers["Content-Length"] = str(size)
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        return StreamingResponse(self._buckets.read(entry, first, size), status_code=status, headers=headers)


def _overrides(call: Call) -> dict[str, str]:
    """The headers that a client wants the answer to have."""
    chosen = {header: call.query[name] for name, header in _OVERRIDES.items() if name in call.query}
    for header, value in chosen.items():
        if not (value.isascii() and value.isprintable()):
            raise S3Error(400, "InvalidArgument", f"{value!r} cannot be the {header} of the answer")
    return chosen


def _range(header: str, size: int) -> tuple[int, int]:
    """(first byte, how many) of a Range header; everything if it is none that S3 honours."""
    found = _RANGE.fullmatch(header)
    if found is None or not (found[1] or found[2]):
        return 0, size
    if not found[1]:
        first, last = max(0, size - int(found[2])), size - 1
    else:
        first, last = int(found[1]), min(int(found[2]), size - 1) if found[2] else size - 1
    if first > last:
        raise S3Error(416, "InvalidRange", f"the object has {size} bytes, so {header} is not in it")
    return first, last - first + 1
