"""Calls about buckets: list them and their objects, create and remove them, versioning."""

from __future__ import annotations

from starlette.responses import Response

from minipdk.services.pachyderm.s3 import messages
from minipdk.services.pachyderm.s3.api.requests import Call, allow
from minipdk.services.pachyderm.s3.buckets import Buckets
from minipdk.services.pachyderm.s3.errors import not_implemented
from minipdk.services.pachyderm.s3.uploads import Uploads

_LIST_PARAMETERS = frozenset(
    {
        "list-type", "prefix", "delimiter", "marker", "max-keys", "encoding-type",
        "continuation-token", "start-after", "fetch-owner",
    }
)  # fmt: skip


class BucketCalls:
    def __init__(self, buckets: Buckets, uploads: Uploads) -> None:
        self._buckets = buckets
        self._uploads = uploads

    def list_buckets(self, call: Call) -> Response:
        allow(call.query, "prefix", "max-buckets", "continuation-token")
        return messages.buckets(self._buckets.all(), call.query)

    def head(self, call: Call) -> Response:
        self._buckets.commit(call.bucket)
        return Response()

    def list_objects(self, call: Call) -> Response:
        allow(call.query, *_LIST_PARAMETERS)
        page = messages.Page.parse(call.bucket, call.query)
        tree = self._buckets.open(call.bucket)
        listing = self._buckets.page(tree, page.place, page.delimiter, page.after, page.limit)
        return messages.listing(page, listing, tree.committed)

    def location(self, call: Call) -> Response:
        self._buckets.commit(call.bucket)
        return messages.location()

    def versioning(self, call: Call) -> Response:
        self._buckets.commit(call.bucket)
        return messages.versioning(enabled=self._buckets.versioned)

    def set_versioning(self, call: Call) -> Response:
        """Every commit is kept, so versioning is on and cannot be turned off."""
        allow(call.query, "versioning")
        status = messages.versioning_status(call.payload().document())
        self._buckets.commit(call.bucket)
        if status != "Enabled" or not self._buckets.versioned:
            raise not_implemented(f"versioning that is {status or 'not set'}")
        return Response()

    def create(self, call: Call) -> Response:
        allow(call.query)
        messages.check_location(call.payload().document())
        self._buckets.create(call.bucket)
        return Response(headers={"Location": f"/{call.bucket}"})

    def remove(self, call: Call) -> Response:
        allow(call.query)
        self._uploads.abort_all(self._buckets.remove(call.bucket))
        return Response(status_code=204)
