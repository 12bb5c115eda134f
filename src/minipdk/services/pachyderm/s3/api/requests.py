"""The bucket, key and parameters of a request, and the refusal of parameters and headers that cannot be honoured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.requests import Request

from minipdk.services.pachyderm.s3 import checksums, signatures_v2
from minipdk.services.pachyderm.s3.errors import S3Error, not_implemented
from minipdk.services.pachyderm.s3.payload import Body, Payload
from minipdk.services.pachyderm.s3.signatures import Seed

# Headers of a write that say nothing about the object, or that are honoured. Metadata, x-amz-meta-*, and _WITHOUT_EFFECT are
# accepted and not kept, as at the vendor's: PFS has no place for them, and some clients always send them.
_KNOWN = frozenset(
    {
        "x-amz-content-sha256", "x-amz-copy-source", "x-amz-copy-source-if-match", "x-amz-copy-source-if-modified-since",
        "x-amz-copy-source-if-none-match", "x-amz-copy-source-if-unmodified-since", "x-amz-copy-source-range", "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-metadata-directive", "x-amz-mp-object-size", "x-amz-security-token", "x-amz-trailer", "x-amz-user-agent",
    }
)  # fmt: skip
_OF_SIGNATURE = frozenset({"x-amz-algorithm", "x-amz-credential", "x-amz-expires", "x-amz-signature", "x-amz-signedheaders"})
_WITHOUT_EFFECT = ("x-amz-acl", "x-amz-grant-", "x-amz-server-side-encryption", "x-amz-storage-class", "x-amz-tagging")
_KNOWN_PREFIXES = ("x-amz-meta-", "x-amz-sdk-", checksums.PREFIX, *_WITHOUT_EFFECT)
_IGNORED = frozenset({"x-id", "content-type", "content-md5", *signatures_v2.PARAMETERS})


@dataclass(frozen=True)
class Call:
    """One request. ``query``: its parameters except for the signature's. ``key`` is "" for a bucket."""

    request: Request
    bucket: str
    key: str
    query: Mapping[str, str]
    body: Body
    seed: Seed

    def payload(self, *, checksums_of_body: bool = True) -> Payload:
        return Payload(self.body, self.request, self.seed, checksums_of_body=checksums_of_body)

    def header(self, name: str) -> str:
        return str(self.request.headers.get(name, ""))

    @property
    def subresource(self) -> str:
        """The aspect of the bucket or object: the name of a parameter, or "" for the whole."""
        return next((name for name in ("uploadId", "uploads", "delete") if name in self.query), next(iter(self.query), ""))


def make_call(request: Request, body: Body, seed: Seed) -> Call:
    raw = request.scope["raw_path"].partition(b"?")[0].decode("latin-1")
    bucket, _, key = unquote(raw.removeprefix("/")).partition("/")
    query = {
        name: value
        for name, value in request.query_params.items()
        if name not in _IGNORED and not name.lower().startswith("x-amz-")
    }
    return Call(request, bucket, key, query, body, seed)


def allow(query: Mapping[str, str], *names: str) -> None:
    """Raises NotImplemented for a parameter that is not one of ``names``."""
    for name in query:
        if name not in names:
            raise not_implemented(f"?{name}")


def check_write_headers(request: Request) -> None:
    """Raises NotImplemented for a header that asks for something that PFS cannot keep.

    In a presigned URL such headers may be parameters.
    """
    parameters = {name.lower(): value for name, value in request.query_params.items()}
    for name, value in {**{name: parameters[name] for name in parameters.keys() - _OF_SIGNATURE}, **request.headers}.items():
        known = not name.startswith("x-amz-") or name in _KNOWN or name.startswith(_KNOWN_PREFIXES)
        if not known:
            raise not_implemented(f"{name}: {value}")


def copy_source(header: str) -> tuple[str, str, str]:
    """(bucket, key, version or "") of x-amz-copy-source."""
    path, _, query = header.partition("?")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    if bucket.startswith("arn:"):
        raise not_implemented("an ARN in x-amz-copy-source")
    name, _, version = query.partition("=")
    if not key or (query and name != "versionId"):
        raise S3Error(400, "InvalidArgument", f"x-amz-copy-source is {header!r}: it must be bucket/key[?versionId=...]")
    return bucket, key, version
