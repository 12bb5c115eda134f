"""The aws-chunked encoding: a body in chunks, each with its own signature if they are signed, and trailers after the last.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and sigv4-streaming-trailers.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

from minipdk.services.pachyderm.s3.errors import S3Error
from minipdk.services.pachyderm.s3.signatures import ALGORITHM, Seed, sign

SIGNED = f"STREAMING-{ALGORITHM}-PAYLOAD"
SIGNED_WITH_TRAILER = SIGNED + "-TRAILER"
UNSIGNED_WITH_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
ENCODINGS = frozenset({SIGNED, SIGNED_WITH_TRAILER, UNSIGNED_WITH_TRAILER})
_EMPTY = hashlib.sha256().hexdigest()
_LONGEST_LINE = 4096
_MOST_TRAILERS = 16


class ChunkedReader:
    """Decodes a body. Its ``trailers`` (names in lower case) are known once `read` is exhausted.

    A chunk's bytes are handed out before its signature can be checked: the caller must discard them unless `read` ends
    without an error.
    """

    def __init__(self, source: Iterator[bytes], encoding: str, seed: Seed) -> None:
        self._input = _Input(source)
        self._seed = seed
        self._signed = encoding != UNSIGNED_WITH_TRAILER
        self._has_trailer = encoding != SIGNED
        self._previous = seed.signature
        self.trailers: dict[str, str] = {}

    def read(self) -> Iterator[bytes]:
        """The decoded bytes."""
        while True:
            size, signature = self._chunk_header()
            digest = hashlib.sha256()
            for piece in self._input.exactly(size):
                digest.update(piece)
                yield piece
            if self._signed:
                self._check(signature, "-PAYLOAD", _EMPTY, digest.hexdigest())
            if not size:
                break
            if self._input.line():
                raise _malformed("a chunk is longer than it says")
        self._read_trailers()

    def _chunk_header(self) -> tuple[int, str]:
        """The size of the next chunk, and its signature."""
        text, _, extension = self._input.line().partition(";")
        signature = extension.removeprefix("chunk-signature=")
        try:
            size = int(text, 16)
        except ValueError:
            raise _malformed(f"{text[:40]!r} is no size of a chunk") from None
        if size < 0:
            raise _malformed(f"{text[:40]!r} is no size of a chunk")
        return size, signature

    def _read_trailers(self) -> None:
        """The lines after the last chunk, up to an empty line or the end."""
        signature = ""
        while line := self._input.line(may_end=True):
            name, colon, value = line.partition(":")
            if not colon or len(self.trailers) == _MOST_TRAILERS:
                raise _malformed(f"{line[:40]!r} is no trailer")
            if name.strip().lower() == "x-amz-trailer-signature":
                signature = value.strip()
            else:
                self.trailers[name.strip().lower()] = value.strip()
        if self.trailers and not self._has_trailer:
            raise _malformed("there is a trailer, and x-amz-content-sha256 says there is none")
        if self._signed and self._has_trailer:
            canonical = "".join(f"{name}:{value}\n" for name, value in sorted(self.trailers.items()))
            self._check(signature, "-TRAILER", hashlib.sha256(canonical.encode()).hexdigest())

    def _check(self, signature: str, kind: str, *digests: str) -> None:
        seed = self._seed
        expected = sign(seed.key, seed.date, seed.scope, ALGORITHM + kind, self._previous, *digests)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise S3Error(403, "SignatureDoesNotMatch", "the signature of a chunk of the body does not match the chunk")
        self._previous = expected


class _Input:
    """A stream of bytes, read by the line and by the piece."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        self._buffer = b""

    def line(self, *, may_end: bool = False) -> str:
        """The text up to the next CRLF; up to the end if ``may_end``."""
        while b"\r\n" not in self._buffer:
            if len(self._buffer) > _LONGEST_LINE:
                raise _malformed(f"a line is longer than {_LONGEST_LINE} bytes")
            if not (more := next(self._source, b"")):
                if may_end:
                    break
                raise S3Error(400, "IncompleteBody", "the body ends before its last chunk")
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line.decode("latin-1")

    def exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self._buffer or next(self._source, b"")
            if not piece:
                raise S3Error(400, "IncompleteBody", "the body ends in the middle of a chunk")
            self._buffer = piece[size:]
            piece = piece[:size]
            size -= len(piece)
            yield piece


def _malformed(why: str) -> S3Error:
    return S3Error(400, "InvalidRequest", f"the body is not aws-chunked as its headers say: {why}")
