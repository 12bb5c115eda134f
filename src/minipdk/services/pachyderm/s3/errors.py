"""Every way an S3 request can fail, as S3's own codes.

S3Error
|- 400 AuthorizationHeaderMalformed, AuthorizationQueryParametersError                     `signatures`
|- 403 AccessDenied, InvalidAccessKeyId, SignatureDoesNotMatch, RequestTimeTooSkewed      `signatures`
|- 400 BadDigest, InvalidDigest, XAmzContentSHA256Mismatch, IncompleteBody, 411 MissingContentLength      `payload`
|- 400 RequestTimeout, EntityTooLarge                  the body stopped coming, or is larger than an object can be
|- 400 MalformedXML, MaxMessageLengthExceeded      a document that cannot be parsed
|- 400 InvalidArgument, InvalidDelimiter, InvalidBucketName
|- 400 InvalidFilePath                  a key that PFS does not allow, or that is below a file (the vendor's code)
|- 400 WriteToOutputBranch              a pipeline's branch (the vendor's code)
|- 400 InvalidRequest                   PFS refuses, with its message: a finished commit, a branch with provenance
|- 400 EntityTooSmall, InvalidPart, InvalidPartOrder, 404 NoSuchUpload                    `uploads`
|- 404 NoSuchBucket, NoSuchKey, NoSuchVersion
|- 409 BucketAlreadyOwnedByYou, BucketNotEmpty
|- 412 PreconditionFailed, 416 InvalidRange
|- 500 InternalError                    a fault of minipdk: traceback in the log; damaged bytes, with the file's name
|- 501 NotImplemented                   a feature that minipdk leaves out, by name
|- 507 InsufficientStorage              the disk is full
`- 503 ServiceUnavailable               an output commit that its job has not finished: S3 clients try again by themselves
"""

from __future__ import annotations

from collections.abc import Callable


class S3Error(Exception):
    """A request fails with an HTTP status, S3's code for it, and a message for the reader."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def no_such_bucket(name: str, why: str) -> S3Error:
    return S3Error(404, "NoSuchBucket", f"The bucket {name} does not exist: {why}")


def no_such_key(key: str) -> S3Error:
    return S3Error(404, "NoSuchKey", f"The key {key} does not exist")


def invalid_path(key: str, why: str) -> S3Error:
    return S3Error(400, "InvalidFilePath", f"Invalid file path {key!r}: {why}")


def output_branch(why: str) -> S3Error:
    return S3Error(400, "WriteToOutputBranch", f"You cannot write to an output branch: {why}")


def not_implemented(what: str) -> S3Error:
    return S3Error(501, "NotImplemented", f"{what} is not supported by minipdk's S3 gateway: use pachctl or the SDK")


REFUSALS: dict[int, Callable[[str], S3Error]] = {
    400: lambda reason: S3Error(400, "InvalidRequest", reason),
    403: lambda reason: S3Error(403, "AccessDenied", reason),
    408: lambda reason: S3Error(400, "RequestTimeout", reason),
    413: lambda reason: S3Error(400, "EntityTooLarge", reason),
}
"""S3's errors for requests that are refused before the gateway sees them, by their HTTP status."""
