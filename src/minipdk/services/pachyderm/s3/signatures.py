"""AWS Signature Version 4, checked on every request: in the Authorization header or in a presigned URL.

Both halves of the credentials are the cluster's token, because pachd takes a session token for both. If authentication is
off they may be any text, if both are the same, and a request need not be signed at all.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from minipdk.services.pachyderm.s3.errors import S3Error

ALGORITHM = "AWS4-HMAC-SHA256"
_HEADER = re.compile(r"AWS4-HMAC-SHA256 +Credential=([^,]+), *SignedHeaders=([^,]+), *Signature=([0-9a-f]+)")
SKEW = timedelta(minutes=15)


@dataclass(frozen=True)
class Signed:
    """The parts of a request that its signature covers. Header names are in lower case."""

    method: str
    raw_path: bytes
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Seed:
    """The start of the chain that signs the chunks of a body: the key, and the request's own signature as the first link."""

    key: bytes
    date: str
    scope: str
    signature: str


NO_SEED = Seed(b"", "", "", "")
"""For a request whose signature cannot cover its body."""


@dataclass(frozen=True)
class _Claim:
    """The request's statements about its signature."""

    access_key: str
    scope: str
    signed_headers: str
    signature: str
    date: str
    payload_hash: str


def verify(request: Signed, token: str) -> Seed:
    """Raises S3Error unless the request is signed with the cluster's token, and recently.

    Without a ``token`` it may be unsigned, or signed with a secret key that is its access key.
    """
    query = parse_qsl(request.query, keep_blank_values=True)
    presigned = dict(query)
    if "authorization" in request.headers:
        claim = _from_header(request)
        _check_time(claim.date, SKEW)
    elif "X-Amz-Signature" in presigned:
        claim = _from_query(presigned)
        _check_time(claim.date, _lifetime(presigned))
        query = [pair for pair in query if pair[0] != "X-Amz-Signature"]
    elif not token:
        return NO_SEED
    else:
        raise S3Error(403, "AccessDenied", "sign the request: the cluster's token is access key and secret key")
    key = signing_key(claim.scope, secret_of(claim.access_key, token))
    expected = sign(key, claim.date, claim.scope, ALGORITHM, _canonical_hash(request, query, claim))
    check_signature(expected, claim.signature, token)
    return Seed(key, claim.date, claim.scope, claim.signature)


def access_key_of(request: Signed) -> str:
    """The access key that a request names, in either version of the signature; "" if it is not signed."""
    authorization = request.headers.get("authorization", "").strip()
    if match := _HEADER.fullmatch(authorization):
        return match[1].partition("/")[0]
    if authorization:
        return authorization.partition(" ")[2].rpartition(":")[0].strip()
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    return query.get("X-Amz-Credential", "").partition("/")[0] or query.get("AWSAccessKeyId", "")


def secret_of(access_key: str, token: str) -> str:
    """The secret key that goes with an access key. Raises InvalidAccessKeyId."""
    if token and not hmac.compare_digest(access_key.encode(), token.encode()):
        raise S3Error(403, "InvalidAccessKeyId", "the access key is not this cluster's token (see `minipdk env`)")
    return access_key


def check_signature(expected: str, signature: str, token: str) -> None:
    """Raises SignatureDoesNotMatch."""
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        secret = "this cluster's token" if token else "the access key"
        raise S3Error(403, "SignatureDoesNotMatch", f"the signature was not made with {secret} as secret key")


def sign(key: bytes, date: str, scope: str, kind: str, *lines: str) -> str:
    """The signature of a request or of a chunk: ``lines`` follow its kind, date and scope."""
    return hmac.new(key, "\n".join([kind, date, scope, *lines]).encode(), "sha256").hexdigest()


def _from_header(request: Signed) -> _Claim:
    match = _HEADER.fullmatch(request.headers["authorization"].strip())
    if match is None:
        raise S3Error(400, "AuthorizationHeaderMalformed", f"sign requests with {ALGORITHM} (signature version s3v4)")
    access_key, _, scope = match[1].partition("/")
    date = request.headers.get("x-amz-date", "")
    payload = request.headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
    return _Claim(access_key, scope, match[2], match[3], date, payload)


def _from_query(query: Mapping[str, str]) -> _Claim:
    access_key, _, scope = query.get("X-Amz-Credential", "").partition("/")
    signed, date = query.get("X-Amz-SignedHeaders", ""), query.get("X-Amz-Date", "")
    return _Claim(access_key, scope, signed, query["X-Amz-Signature"], date, "UNSIGNED-PAYLOAD")


def _lifetime(query: Mapping[str, str]) -> timedelta:
    seconds = query.get("X-Amz-Expires", "")
    if not seconds.isdecimal() or int(seconds) > 7 * 24 * 3600:
        raise S3Error(400, "AuthorizationQueryParametersError", "X-Amz-Expires must be a number of seconds, a week at most")
    return timedelta(seconds=int(seconds))


def _check_time(date: str, lifetime: timedelta) -> None:
    try:
        signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise S3Error(403, "AccessDenied", "the request names no valid X-Amz-Date") from None
    age = datetime.now(UTC) - signed_at
    if age < -SKEW:
        raise S3Error(403, "RequestTimeTooSkewed", "the request was signed in the future: set the client's clock")
    if age > lifetime:
        raise S3Error(403, "AccessDenied" if lifetime != SKEW else "RequestTimeTooSkewed", "Request has expired")


def _canonical_hash(request: Signed, query: list[tuple[str, str]], claim: _Claim) -> str:
    names = claim.signed_headers.split(";")
    canonical = "\n".join(
        [
            request.method,
            quote(unquote_to_bytes(request.raw_path), safe="/-_.~"),
            "&".join(f"{key}={value}" for key, value in sorted((_encode(k), _encode(v)) for k, v in query)),
            *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names),
            "",
            claim.signed_headers,
            claim.payload_hash,
        ]
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def signing_key(scope: str, secret: str) -> bytes:
    """The key of one day, region and service, made of the secret."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")
