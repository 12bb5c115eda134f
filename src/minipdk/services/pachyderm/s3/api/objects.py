"""Calls about objects: get, put, copy and delete."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from minipdk.services.pachyderm.pfs.model import Entry, Tree
from minipdk.services.pachyderm.s3 import content_types, messages, ranges
from minipdk.services.pachyderm.s3.api.requests import Call, allow, copy_source
from minipdk.services.pachyderm.s3.buckets import Buckets, without_slash
from minipdk.services.pachyderm.s3.conditions import write_condition
from minipdk.services.pachyderm.s3.errors import S3Error
from minipdk.services.pachyderm.s3.ranges import Range, UnsatisfiableRangeError

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
        headers = messages.object_headers(entry, tree) | {"Content-Type": self._type(tree, entry)}
        state = messages.object_state(entry, tree)
        if state.is_other(call.request.headers):
            return _plain(412, f"the object's ETag is {state.digest}: it is not the one asked for")
        if state.is_known(call.request.headers):
            return Response(status_code=304, headers=headers)
        headers |= _overrides(call)
        requested = call.header("range") if state.takes_range(call.request.headers) else ""
        try:
            selected = ranges.parse(requested, entry.size)
        except UnsatisfiableRangeError as error:
            return _plain(416, str(error), {"Content-Range": f"bytes */{entry.size}"})
        return self._content(call.request, tree, entry, headers, selected)

    def _type(self, tree: Tree, entry: Entry) -> str:
        if kind := content_types.by_name(entry.path):
            return kind
        start = b"".join(self._buckets.read(tree, entry, 0, min(entry.size, content_types.SNIFFED)))
        return content_types.by_content(start)

    def _content(
        self, request: Request, tree: Tree, entry: Entry, headers: dict[str, str], selected: Sequence[Range]
    ) -> Response:
        """The whole object, or some ranges of it: several are parts of one answer."""
        if len(selected) > 1:
            return self._several(request, tree, entry, headers, selected)
        chosen = selected[0] if selected else Range(0, entry.size)
        if selected:
            headers["Content-Range"] = chosen.header(entry.size)
        headers["Content-Length"] = str(chosen.size)
        status = 206 if selected else 200
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        content = self._buckets.read(tree, entry, chosen.first, chosen.size)
        return StreamingResponse(content, status_code=status, headers=headers)

    def _several(
        self, request: Request, tree: Tree, entry: Entry, headers: dict[str, str], selected: Sequence[Range]
    ) -> Response:
        boundary = secrets.token_hex(30)
        heads = [
            f"--{boundary}\r\nContent-Range: {part.header(entry.size)}\r\nContent-Type: {headers['Content-Type']}\r\n\r\n"
            for part in selected
        ]
        end = f"--{boundary}--\r\n"
        headers["Content-Length"] = str(
            sum(len(head) + part.size + 2 for head, part in zip(heads, selected, strict=True)) + len(end)
        )
        headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
        if request.method == "HEAD":
            return Response(status_code=206, headers=headers)

        def body() -> Iterator[bytes]:
            for head, part in zip(heads, selected, strict=True):
                yield head.encode()
                yield from self._buckets.read(tree, entry, part.first, part.size)
                yield b"\r\n"
            yield end.encode()

        return StreamingResponse(body(), status_code=206, headers=headers)

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
        names = ((bucket, key), (call.bucket, call.key))
        source, target = ((self._buckets.parse(name).full_name, without_slash(which)) for name, which in names)
        if source == target and not version and directive == "COPY":
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
        if failures := self._buckets.delete(call.bucket, [call.key]):
            raise failures[call.key]
        return Response(status_code=204)

    def delete_many(self, call: Call) -> Response:
        allow(call.query, "delete")
        keys, quiet = messages.keys_to_delete(call.payload().document())
        failures = self._buckets.delete(call.bucket, keys)
        return messages.deleted(() if quiet else [key for key in keys if key not in failures], failures)


def _overrides(call: Call) -> dict[str, str]:
    """The headers that the client wants the response to have."""
    chosen = {header: call.query[name] for name, header in _OVERRIDES.items() if name in call.query}
    for header, value in chosen.items():
        if not (value.isascii() and value.isprintable()):
            raise S3Error(400, "InvalidArgument", f"{value!r} cannot be the {header} of the answer")
    return chosen


def _plain(status: int, why: str, headers: Mapping[str, str] | None = None) -> Response:
    """A failure of HTTP, not of S3: as at the vendor's, without S3's document."""
    return Response(f"{why}\n", status, headers, media_type="text/plain")
