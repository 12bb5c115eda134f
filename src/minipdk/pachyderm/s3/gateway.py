"""The S3 protocol over HTTP: one request, one XML or binary answer."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from minipdk.home import Home
from minipdk.pachyderm.errors import PachydermError
from minipdk.pachyderm.pfs import Pfs
from minipdk.pachyderm.pfs.trees import Entry
from minipdk.pachyderm.s3 import answers
from minipdk.pachyderm.s3.calls import Call, allow, check_write_headers, make_call
from minipdk.pachyderm.s3.errors import S3Error, not_implemented
from minipdk.pachyderm.s3.multipart import Uploads
from minipdk.pachyderm.s3.multipart_calls import MultipartCalls
from minipdk.pachyderm.s3.payload import Body
from minipdk.pachyderm.s3.signatures import Seed, Signed, verify
from minipdk.pachyderm.s3.write_calls import WriteCalls
from minipdk.pachyderm.s3.writing import BucketWriter

logger = logging.getLogger(__name__)

Handler = Callable[[Call], Response]

_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_LIST_PARAMETERS = frozenset(
    {
        "list-type", "prefix", "delimiter", "marker", "max-keys", "encoding-type",
        "continuation-token", "start-after", "fetch-owner",
    }
)  # fmt: skip


def application(home: Home, pfs: Pfs) -> Starlette:
    """The gateway as an ASGI application."""
    gateway = Gateway(home.session_token, pfs)
    return Starlette(routes=[Route("/{path:path}", gateway.answer, methods=_METHODS)])


class Gateway:
    def __init__(self, token: str, pfs: Pfs) -> None:
        self._token = token
        self._buckets = BucketWriter(pfs)
        uploads = Uploads(pfs, self._buckets)
        write, multipart = WriteCalls(self._buckets, uploads), MultipartCalls(self._buckets, uploads)
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

    def answer(self, request: Request) -> Response:
        """Runs in a thread of Starlette's pool."""
        request_id = uuid.uuid4().hex[:16].upper()
        body = Body(request)
        try:
            response = self._dispatch(make_call(request, body, self._verify(request)))
        except S3Error as error:
            response = answers.error(error, request.url.path, request_id)
        except PachydermError as error:
            response = answers.error(S3Error(400, "InvalidRequest", str(error)), request.url.path, request_id)
        except Exception as error:
            logger.exception("%s %s failed", request.method, request.url.path)
            failure = S3Error(500, "InternalError", f"{type(error).__name__}: {error}")
            response = answers.error(failure, request.url.path, request_id)
        response.headers["x-amz-request-id"] = request_id
        if not body.drain():
            response.headers["Connection"] = "close"  # what is left of the body must not pass for the next request
        return response

    def _verify(self, request: Request) -> Seed:
        headers = {name.lower(): value for name, value in request.headers.items()}
        raw_path: bytes = request.scope["raw_path"].partition(b"?")[0]
        return verify(Signed(request.method, raw_path, request.url.query, headers), self._token)

    def _dispatch(self, call: Call) -> Response:
        method = call.request.method
        if not call.bucket:
            if method != "GET":
                raise not_implemented(f"{method} /")
            return answers.buckets(self._buckets.all())
        if method not in ("GET", "HEAD"):
            check_write_headers(call.request.headers)
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
        return answers.versioning()

    def _list(self, call: Call) -> Response:
        allow(call.query, *_LIST_PARAMETERS)
        page = answers.Page.parse(call.bucket, call.query)
        tree = self._buckets.open(call.bucket)
        listing = self._buckets.page(tree, page.prefix, page.delimiter, page.after, page.limit)
        return answers.listing(page, listing, tree.committed)

    def _object(self, call: Call) -> Response:
        allow(call.query, "versionId", *(name for name in call.query if name.lower().startswith("response-")))
        tree = self._buckets.open(call.bucket, call.query.get("versionId", ""))
        entry = self._buckets.object(tree, call.key)
        headers = answers.object_headers(entry, tree)
        if (unmet := _unmet(call.request, headers["ETag"])) is not None:
            if unmet == 304:
                return Response(status_code=304, headers=headers)
            raise S3Error(412, "PreconditionFailed", "the object's ETag is not the one asked for")
        return self._content(call.request, entry, headers)

    def _content(self, request: Request, entry: Entry, headers: dict[str, str]) -> Response:
        first, size = _range(request.headers.get("range", ""), entry.size)
        status = 200
        if _RANGE.fullmatch(request.headers.get("range", "")):
            status = 206
            headers["Content-Range"] = f"bytes {first}-{first + size - 1}/{entry.size}"
        headers["Content-Length"] = str(size)
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        return StreamingResponse(self._buckets.read(entry, first, size), status_code=status, headers=headers)


def _unmet(request: Request, etag: str) -> int | None:
    """The status to answer when a conditional header is not met."""

    def named(header: str) -> bool:
        tags = [tag.strip() for tag in request.headers[header].split(",")]
        return "*" in tags or etag in tags or etag.strip('"') in tags

    if "if-match" in request.headers and not named("if-match"):
        return 412
    if "if-none-match" in request.headers and named("if-none-match"):
        return 304
    return None


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
