"""The call that a request makes: by its method, its bucket or object, and its parameters."""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.responses import Response

from minipdk.services.pachyderm.s3.api.buckets import BucketCalls
from minipdk.services.pachyderm.s3.api.objects import ObjectCalls
from minipdk.services.pachyderm.s3.api.requests import Call, check_write_headers
from minipdk.services.pachyderm.s3.api.uploads import UploadCalls
from minipdk.services.pachyderm.s3.buckets import Buckets
from minipdk.services.pachyderm.s3.errors import S3Error, not_implemented
from minipdk.services.pachyderm.s3.uploads import Uploads

Handler = Callable[[Call], Response]

_BUCKET_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,255}")


class Dispatcher:
    """Answers the calls on some buckets."""

    def __init__(self, buckets: Buckets, uploads: Uploads) -> None:
        self._buckets, self._objects = BucketCalls(buckets, uploads), ObjectCalls(buckets)
        upload_calls = UploadCalls(buckets, uploads)
        self._bucket_calls: dict[tuple[str, str], Handler] = {
            ("HEAD", ""): self._buckets.head,
            ("GET", "location"): self._buckets.location,
            ("GET", "versioning"): self._buckets.versioning,
            ("GET", "uploads"): upload_calls.list_uploads,
            ("PUT", ""): self._buckets.create,
            ("PUT", "versioning"): self._buckets.set_versioning,
            ("POST", "delete"): self._objects.delete_many,
            ("DELETE", ""): self._buckets.remove,
        }
        self._object_calls: dict[tuple[str, str], Handler] = {
            ("GET", "uploadId"): upload_calls.list_parts,
            ("PUT", ""): self._objects.put,
            ("PUT", "uploadId"): upload_calls.put_part,
            ("POST", "uploads"): upload_calls.create,
            ("POST", "uploadId"): upload_calls.complete,
            ("DELETE", ""): self._objects.delete,
            ("DELETE", "uploadId"): upload_calls.abort,
        }

    def answer(self, call: Call) -> Response:
        method = call.request.method
        if not call.bucket:
            if method != "GET":
                raise not_implemented(f"{method} /")
            return self._buckets.list_buckets(call)
        if not _BUCKET_NAME.fullmatch(call.bucket):
            raise S3Error(400, "InvalidBucketName", f"{call.bucket!r}: The specified bucket is not valid.")
        if method not in ("GET", "HEAD"):
            check_write_headers(call.request)
        handler = (self._object_calls if call.key else self._bucket_calls).get((method, call.subresource))
        if handler is not None:
            return handler(call)
        if method in ("GET", "HEAD"):
            return self._objects.get(call) if call.key else self._buckets.list_objects(call)
        subject = f"?{call.subresource}" if call.subresource else "of an object" if call.key else "of a bucket"
        raise not_implemented(f"{method} {subject}")
