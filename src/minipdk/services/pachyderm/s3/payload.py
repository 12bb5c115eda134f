"""The body of a request, checked against its headers and trailers.

A body is read once, piece by piece, and every check is made before the iteration ends. A mismatch is raised from the last
`next`, so the code that stores the pieces discards them.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator

import anyio.from_thread
from starlette.requests import Request

from minipdk.services.pachyderm.s3 import checksums
from minipdk.services.pachyderm.s3.chunked import ENCODINGS, ChunkedReader
from minipdk.services.pachyderm.s3.errors import S3Error, not_implemented
from minipdk.services.pachyderm.s3.signatures import Seed

_PIECE = 1 << 20
_UNREAD = 64 << 20  # of a refused body this much is read, because most clients send all of it before they read the answer
_LARGEST_DOCUMENT = 8 << 20
_CHUNKED = "aws-chunked"


class Body:
    """The bytes of a request as they arrive, for a thread of the pool. ``exhausted``: nothing is left to read."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._first = b""
        self.exhausted = request.method in ("GET", "HEAD")

    async def begin(self) -> None:
        """Wait for the first bytes. A client that waits for permission to send them must first be seen to be allowed to."""
        if "expect" not in self._request.headers:
            self._first = await self._gather(1)

    def pieces(self) -> Iterator[bytes]:
        if self._first:
            first, self._first = self._first, b""
            yield first
        while not self.exhausted:
            if piece := anyio.from_thread.run(self._gather):
                yield piece

    async def _gather(self, least: int = _PIECE) -> bytes:
        """The next MiB or so (``least``), without going back to the thread for each packet."""
        pieces: list[bytes] = []
        size = 0
        while size < least and not self.exhausted:
            message = await self._request.receive()
            if message["type"] == "http.disconnect":
                raise S3Error(400, "IncompleteBody", "the client went away before the body had ended")
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            self.exhausted = not message.get("more_body", False)
        return b"".join(pieces)

    def drain(self) -> None:
        """Read the rest, if it is small, so that the connection can serve another request."""
        if "expect" in self._request.headers:
            return  # the client waits for permission to send it, and will not get it
        size = 0
        with contextlib.suppress(S3Error):
            for piece in self.pieces():
                size += len(piece)
                if size > _UNREAD:
                    return


class Payload:
    """A request's body. ``checksums`` are the ones that the client stated, known once `read` is exhausted.

    Without ``checksums_of_body`` the checksums in the headers do not refer to the body.
    """

    def __init__(self, body: Body, request: Request, seed: Seed, *, checksums_of_body: bool = True) -> None:
        headers = dict(request.headers)
        self._pieces = body.pieces()
        self._stated = headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        self._chunks = ChunkedReader(self._pieces, self._stated, seed) if self._stated in ENCODINGS else None
        self._size = _size(headers, chunked=self._chunks is not None)
        self._content_md5 = headers.get("content-md5")
        self._trailer = headers.get("x-amz-trailer", "").strip().lower() if self._chunks else ""
        self.checksums = checksums.in_headers(headers) if checksums_of_body else {}
        announced = headers.get("x-amz-sdk-checksum-algorithm", "").lower()
        if checksums_of_body and announced and announced not in self.stated_algorithms:
            raise S3Error(
                400,
                "InvalidRequest",
                "x-amz-sdk-checksum-algorithm specified, but no x-amz-checksum-* or x-amz-trailer header",
            )
        if self._chunks is None and self._stated.startswith("STREAMING-"):
            raise not_implemented(f"x-amz-content-sha256: {self._stated}")
        if self._chunks is None and _CHUNKED in headers.get("content-encoding", ""):
            raise S3Error(400, "InvalidRequest", f"content-encoding {_CHUNKED} needs x-amz-content-sha256 to name its kind")

    @property
    def stated_algorithms(self) -> list[str]:
        """The names of the checksums that come with the body, or after it."""
        return [*self.checksums, *([self._trailer.removeprefix(checksums.PREFIX)] if self._trailer else [])]

    def read(self) -> Iterator[bytes]:
        """The bytes. Raises S3Error at their end if they do not match the statements."""
        sums = {name: checksums.new(name) for name in self.stated_algorithms}
        md5 = hashlib.md5(usedforsecurity=False) if self._content_md5 is not None else None
        sha256 = hashlib.sha256() if not self._chunks and self._stated != "UNSIGNED-PAYLOAD" else None
        digests = [digest for digest in (md5, sha256, *sums.values()) if digest is not None]
        size = 0
        for piece in self._chunks.read() if self._chunks else self._pieces:
            size += len(piece)
            for digest in digests:
                digest.update(piece)
            yield piece
        if self._size is not None and size != self._size:
            raise S3Error(400, "IncompleteBody", f"the body has {size} bytes, and the headers say {self._size}")
        if md5 is not None and checksums.decoded(self._content_md5 or "", "Content-MD5", md5.digest_size) != md5.digest():
            raise S3Error(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
        if sha256 is not None and sha256.hexdigest() != self._stated:
            raise S3Error(
                400,
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
        self._check_sums(sums)

    def _check_sums(self, sums: dict[str, checksums.Checksum]) -> None:
        if self._trailer and self._chunks:
            if self._trailer not in self._chunks.trailers:
                raise S3Error(400, "InvalidRequest", f"the body ends without the trailer {self._trailer}")
            self.checksums[self._trailer.removeprefix(checksums.PREFIX)] = self._chunks.trailers[self._trailer]
        for name, checksum in sums.items():
            digest = checksum.digest()
            if checksums.decoded(self.checksums[name], checksums.PREFIX + name, len(digest)) != digest:
                raise S3Error(
                    400,
                    "BadDigest",
                    f"The {name.upper()} you specified did not match the calculated checksum, "
                    f"which is {base64.b64encode(digest).decode()}.",
                )

    def document(self) -> bytes:
        """The whole of a small body."""
        pieces: list[bytes] = []
        size = 0
        for piece in self.read():
            size += len(piece)
            if size > _LARGEST_DOCUMENT:
                raise S3Error(400, "MaxMessageLengthExceeded", f"the document has more than {_LARGEST_DOCUMENT} bytes")
            pieces.append(piece)
        return b"".join(pieces)


def _size(headers: dict[str, str], *, chunked: bool) -> int | None:
    """The number of bytes of the decoded body; None if it is known only at the end."""
    name = "x-amz-decoded-content-length" if chunked else "content-length"
    if name not in headers:
        if "transfer-encoding" in headers and not chunked:
            return None
        if chunked or "content-length" not in headers:
            raise S3Error(411, "MissingContentLength", f"You must provide the {name} HTTP header.")
    if not headers[name].isdecimal():
        raise S3Error(400, "InvalidArgument", f"{name} is {headers[name]!r}: it must be a number of bytes")
    return int(headers[name])
