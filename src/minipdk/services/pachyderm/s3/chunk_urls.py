"""The chunks that files are made of, over HTTP: what the storage service's references (CDRs) point at.

On a real cluster they are presigned URLs of the object store behind pachd. Here the gateway hands the chunks out itself, to
whoever holds a URL that pachd signed, until it expires.
"""

from __future__ import annotations

import hmac
import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from minipdk.common.home import Home
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pfs.model import Part
from minipdk.services.pachyderm.s3 import answers
from minipdk.services.pachyderm.s3.errors import S3Error

SECONDS = 1800  # as long as a file set can be made to live at once
_PREFIX = ".chunks"  # of no bucket: a branch has a name


class ChunkUrls:
    def __init__(self, home: Home, pfs: Pfs) -> None:
        self._endpoint, self._secret, self._pfs = home.url("s3"), home.token, pfs
        self.route = Route(f"/{_PREFIX}/{{digest}}/{{size}}/{{expires}}/{{signature}}", self._answer, methods=["GET"])

    def url(self, part: Part) -> str:
        """Where the bytes of ``part`` can be had for the next `SECONDS`, as long as something is made of them."""
        signed = (part.digest.hex(), str(part.size), str(int(time.time()) + SECONDS))
        return "/".join((self._endpoint, _PREFIX, *signed, self._signature(*signed)))

    def _signature(self, digest: str, size: str, expires: str) -> str:
        return hmac.digest(self._secret.encode(), f"chunk {digest} {size} {expires}".encode(), "sha256").hex()

    def _answer(self, request: Request) -> Response:
        asked = request.path_params
        try:
            return Response(self._bytes(**asked), media_type="binary/octet-stream")
        except S3Error as error:
            return answers.error(error, request.url.path, "")

    def _bytes(self, digest: str, size: str, expires: str, signature: str) -> bytes:
        if not hmac.compare_digest(self._signature(digest, size, expires).encode(), signature.encode()):
            raise S3Error(403, "SignatureDoesNotMatch", "this is no URL that pachd has given")
        if int(expires) < time.time():
            raise S3Error(403, "AccessDenied", "Request has expired")
        try:
            return b"".join(self._pfs.files.read_parts((Part(bytes.fromhex(digest), int(size)),)))
        except OSError:
            raise S3Error(404, "NoSuchKey", "nothing is made of this chunk any more") from None
