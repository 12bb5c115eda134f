"""The chunks of files over HTTP: the targets of the storage service's references (CDRs).

On a real cluster they are presigned URLs of the object store behind pachd. Here the gateway serves the chunks itself, to any
client with a URL that pachd signed, until it expires.
"""

from __future__ import annotations

import hmac
import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from minipdk.common.home import Home
from minipdk.services.pachyderm.errors import DataLossError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pfs.content import MISSING
from minipdk.services.pachyderm.pfs.model import Part
from minipdk.services.pachyderm.s3 import messages
from minipdk.services.pachyderm.s3.errors import S3Error

SECONDS = 1800  # the longest time for which a file set can be renewed
PREFIX = ".chunks"  # no bucket's name, because a branch has a name


class ChunkUrls:
    def __init__(self, home: Home, pfs: Pfs) -> None:
        self._endpoint, self._secret, self._pfs = home.url("s3"), home.token, pfs
        self.route = Route(f"/{PREFIX}/{{digest}}/{{size}}/{{expires}}/{{signature}}", self._answer, methods=["GET"])

    def url(self, part: Part) -> str:
        """The address of the bytes of ``part`` for the next `SECONDS`, while some file has the part."""
        signed = (part.digest.hex(), str(part.size), str(int(time.time()) + SECONDS))
        return "/".join((self._endpoint, PREFIX, *signed, self._signature(*signed)))

    def _signature(self, digest: str, size: str, expires: str) -> str:
        return hmac.digest(self._secret.encode(), f"chunk {digest} {size} {expires}".encode(), "sha256").hex()

    def _answer(self, request: Request) -> Response:
        try:
            return Response(self._bytes(**request.path_params), media_type="binary/octet-stream")
        except S3Error as error:
            return messages.error(error, request.url.path, "")

    def _bytes(self, digest: str, size: str, expires: str, signature: str) -> bytes:
        if not hmac.compare_digest(self._signature(digest, size, expires).encode(), signature.encode()):
            raise S3Error(403, "SignatureDoesNotMatch", "this is no URL that pachd has given")
        if int(expires) < time.time():
            raise S3Error(403, "AccessDenied", "Request has expired")
        try:
            return b"".join(self._pfs.files.read_parts((Part(bytes.fromhex(digest), int(size)),)))
        except DataLossError as error:
            if error.fault == MISSING:
                raise S3Error(404, "NoSuchKey", "nothing is made of this chunk any more") from None
            raise S3Error(500, "InternalError", str(error)) from error
