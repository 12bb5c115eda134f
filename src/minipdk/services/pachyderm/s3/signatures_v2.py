"""AWS Signature Version 2, boto3's default for presigned URLs.

It covers less of a request than version 4, and no bodies. Credentials are as in `signatures`.
https://docs.aws.amazon.com/AmazonS3/latest/API/auth-request-sig-v2.html
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl

from minipdk.services.pachyderm.s3.errors import S3Error
from minipdk.services.pachyderm.s3.signatures import SKEW, Signed, check_signature, secret_of

SCHEME = "AWS "
PARAMETERS = frozenset({"AWSAccessKeyId", "Signature", "Expires"})
_STANDARD_HEADERS = ("content-md5", "content-type")
_SIGNED_PARAMETERS = frozenset(
    {
        "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory", "lifecycle", "location",
        "logging", "metrics", "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
        "response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language",
        "response-content-type", "response-expires", "restore", "select", "select-type", "storageClass", "tagging",
        "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
    }
)  # fmt: skip


def is_used(request: Signed) -> bool:
    return request.headers.get("authorization", "").startswith(SCHEME) or "AWSAccessKeyId=" in request.query


def verify(request: Signed, token: str) -> None:
    """Raises S3Error unless the request is signed as `signatures.verify` asks for."""
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    headers = dict(request.headers)
    authorization = headers.get("authorization", "")
    if authorization:
        access_key, _, signature = authorization.removeprefix(SCHEME).strip().rpartition(":")
        date = "" if "x-amz-date" in headers else headers.get("date", "")
        _check_time(date or headers.get("x-amz-date", ""))
    else:
        access_key, signature, date = query["AWSAccessKeyId"], query.get("Signature", ""), query.get("Expires", "")
        _check_expiry(date)
        for name, value in query.items():  # a presigned URL has headers as parameters
            if name.lower() in _STANDARD_HEADERS or name.lower().startswith("x-amz-"):
                headers.setdefault(name.lower(), value)
    text = _string_to_sign(request, headers, date)
    expected = base64.b64encode(hmac.digest(secret_of(access_key, token).encode(), text.encode(), "sha1")).decode()
    check_signature(expected, signature, token)


def _string_to_sign(request: Signed, headers: Mapping[str, str], date: str) -> str:
    amazon = sorted((name, value.strip()) for name, value in headers.items() if name.startswith("x-amz-"))
    pairs = sorted(pair for pair in parse_qsl(request.query, keep_blank_values=True) if pair[0] in _SIGNED_PARAMETERS)
    bare = {pair for pair in request.query.split("&") if "=" not in pair}
    resource = "&".join(name if name in bare else f"{name}={value}" for name, value in pairs)
    path = request.raw_path.decode("latin-1")
    if path.count("/") == 1 and path != "/":
        path += "/"  # a bucket is a folder, with or without the slash
    return "\n".join(
        [
            request.method,
            *(headers.get(name, "").strip() for name in _STANDARD_HEADERS),
            date,
            *(f"{name}:{value}" for name, value in amazon),
            path + (f"?{resource}" if resource else ""),
        ]
    )


def _check_time(date: str) -> None:
    try:
        signed_at = parsedate_to_datetime(date)
    except ValueError:
        raise S3Error(403, "AccessDenied", "the request names no valid Date") from None
    if abs(datetime.now(UTC) - signed_at.astimezone(UTC)) > SKEW:
        raise S3Error(403, "RequestTimeTooSkewed", "the request was signed at another time: set the client's clock")


def _check_expiry(expires: str) -> None:
    if not expires.isdecimal():
        raise S3Error(403, "AccessDenied", "Expires must be a number of seconds since 1970")
    if int(expires) < datetime.now(UTC).timestamp():
        raise S3Error(403, "AccessDenied", "Request has expired")
