"""Every way a call can fail, with pachd's gRPC code and message.

PachydermError                       UNKNOWN: pachd's code for errors without a code
|- InvalidRequestError               INVALID_ARGUMENT  "validate request: ..."
|- CycleError                        INTERNAL          "cycle detected because ...": provenance must have none
|- NotFoundError                     NOT_FOUND         project, repo, branch, commit, commit set, file, pipeline, job, secret
|- AlreadyExistsError                ALREADY_EXISTS    project, repo, branch, commit, pipeline
|- FailedPreconditionError           FAILED_PRECONDITION
|- CommitNotFinishedError            UNAVAILABLE       "commit X not finished"
|- BaseCommitNotFinishedError        UNKNOWN           "base commit X for commit Y unfinished"
|- NotSignedInError                  UNAUTHENTICATED   no token
|- BadTokenError                     UNAUTHENTICATED   a token of another cluster
|- AuthActivatedError                UNIMPLEMENTED     "the auth service is already activated"
|- AuthNotActivatedError             UNIMPLEMENTED     any call about users where authentication is off
|- TooManyCallsError                 RESOURCE_EXHAUSTED  so many calls wait that no other can
|- DataLossError                     DATA_LOSS         bytes of a file are damaged or missing
|- CancelledError                    CANCELLED         the client went away in the middle of its stream
`- UnsupportedError                  UNIMPLEMENTED     "... is not supported by minipdk"

`rpc` turns these into the call's status. Any other exception is a fault of minipdk: status INTERNAL, traceback in the log.
"""

from __future__ import annotations

import grpc


class PachydermError(Exception):
    """A call fails with the message in ``args[0]``."""

    code = grpc.StatusCode.UNKNOWN


class InvalidRequestError(PachydermError):
    """The request breaks a rule that can be checked without looking at any state."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class CycleError(PachydermError):
    """A branch would depend on itself."""

    code = grpc.StatusCode.INTERNAL


class NotFoundError(PachydermError):
    code = grpc.StatusCode.NOT_FOUND


class AlreadyExistsError(PachydermError):
    code = grpc.StatusCode.ALREADY_EXISTS


class FailedPreconditionError(PachydermError):
    code = grpc.StatusCode.FAILED_PRECONDITION


class CommitNotFinishedError(PachydermError):
    """A commit must be finished before this can be done; a client may try again later."""

    code = grpc.StatusCode.UNAVAILABLE


class BaseCommitNotFinishedError(PachydermError):
    """An open commit's files are not known yet, because its parent is open too."""


class NotSignedInError(PachydermError):
    code = grpc.StatusCode.UNAUTHENTICATED

    def __init__(self) -> None:
        super().__init__("no authentication token (try logging in)")


class BadTokenError(PachydermError):
    code = grpc.StatusCode.UNAUTHENTICATED

    def __init__(self) -> None:
        super().__init__("provided auth token is corrupted or has expired (try logging in again)")


class AuthActivatedError(PachydermError):
    code = grpc.StatusCode.UNIMPLEMENTED

    def __init__(self) -> None:
        super().__init__("the auth service is already activated")


class AuthNotActivatedError(PachydermError):
    """Clients know this state by the message: the SDK raises its AuthServiceNotActivated."""

    code = grpc.StatusCode.UNIMPLEMENTED

    def __init__(self) -> None:
        super().__init__("the auth service is not activated")


class DataLossError(PachydermError):
    """Bytes that were stored are damaged or missing, which ``fault`` says. ``file`` is a file that has them."""

    code = grpc.StatusCode.DATA_LOSS

    def __init__(self, digest: bytes, fault: str, file: str = "") -> None:
        subject = f"file {file}: its content" if file else "the content"
        super().__init__(f"{subject} {digest.hex()} {fault}")
        self.digest, self.fault = digest, fault


class UnsupportedError(PachydermError):
    """A part of the vendor's API that minipdk does not emulate."""

    code = grpc.StatusCode.UNIMPLEMENTED

    def __init__(self, thing: str) -> None:
        super().__init__(f"{thing} is not supported by minipdk")


class TooManyCallsError(PachydermError):
    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class CancelledError(PachydermError):
    """The client went away in the middle of its stream; no part of it takes effect."""

    code = grpc.StatusCode.CANCELLED

    def __init__(self) -> None:
        super().__init__("context canceled")
