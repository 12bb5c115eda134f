"""The checksums that S3 clients send with an upload, as headers or as trailers.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Iterable, Mapping
from typing import Protocol

from minipdk.services.pachyderm.s3.errors import S3Error, not_implemented

PREFIX = "x-amz-checksum-"
_NOT_VALUES = frozenset({PREFIX + "algorithm", PREFIX + "type", PREFIX + "mode"})


class Checksum(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4)


def new(algorithm: str) -> Checksum:
    """A checksum by its name in S3, in any case. Raises NotImplemented for one that minipdk lacks."""
    name = algorithm.lower()
    if name == "crc32":
        return _Crc32()
    if name == "crc32c":
        import google_crc32c

        checksum: Checksum = google_crc32c.Checksum()  # type: ignore[no-untyped-call]  # its types are not complete
        return checksum
    if name in ("sha1", "sha256"):
        return hashlib.new(name, usedforsecurity=False)
    raise not_implemented(f"the checksum algorithm {algorithm} (send CRC32, CRC32C, SHA1 or SHA256)")


def in_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The checksums that a request's headers state: algorithm in lower case -> base64."""
    return {
        name.removeprefix(PREFIX): value
        for name, value in headers.items()
        if name.startswith(PREFIX) and name not in _NOT_VALUES
    }


def decoded(text: str, header: str, size: int) -> bytes:
    """The bytes of a digest in base64. Raises InvalidDigest unless there are ``size`` of them."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != size:
        raise S3Error(400, "InvalidDigest", f"{header} is {text!r}: it must be {size} bytes in base64")
    return value


def composite(algorithm: str, digests: Iterable[str]) -> str:
    """The checksum of the parts' checksums, as S3 writes it: base64, a dash and the number of parts."""
    checksum, count = new(algorithm), 0
    for digest in digests:
        checksum.update(base64.b64decode(digest))
        count += 1
    return f"{base64.b64encode(checksum.digest()).decode()}-{count}"
