"""Every way a call to the master can fail.

::

    MasterError
    ├── InvalidArgumentError     400  a value is wrong; the message names it and the allowed values
    │   └── ConfigError          400  the experiment configuration, each fault with its key's full path
    ├── FailedPreconditionError  400  right values in a wrong state (a running experiment cannot be deleted)
    ├── UnauthenticatedError     401  no token, one that this master did not issue or that has expired, a wrong password
    ├── PermissionDeniedError    403  an inactive user, or an action for owners and administrators
    ├── NotFoundError            404  the noun does not exist
    ├── StalledBodyError         408  the body stopped coming
    ├── AlreadyExistsError       409  the name is taken
    ├── TooLargeError            413  the body is larger than Determined's clients send
    └── UnsupportedError         501  Determined has it, this master does not

A response has Determined's shape: ``{"error": {"code": <gRPC code>, "reason": <its name>, "error": <message>}}``.
"""

from __future__ import annotations

from typing import Any, ClassVar


class MasterError(Exception):
    """A refusal that a client sees. ``status`` is the HTTP status, ``code`` and ``reason`` the gRPC ones."""

    status: ClassVar[int] = 500
    code: ClassVar[int] = 13
    reason: ClassVar[str] = "Internal"

    def body(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "reason": self.reason, "error": str(self)}}


class InvalidArgumentError(MasterError):
    status, code, reason = 400, 3, "InvalidArgument"


class ConfigError(InvalidArgumentError):
    """``faults`` are whole sentences, each beginning with the path of the key."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("invalid experiment configuration: " + "; ".join(faults))
        self.faults = faults


class FailedPreconditionError(MasterError):
    status, code, reason = 400, 9, "FailedPrecondition"


class UnauthenticatedError(MasterError):
    status, code, reason = 401, 16, "Unauthenticated"


class PermissionDeniedError(MasterError):
    status, code, reason = 403, 7, "PermissionDenied"


class NotFoundError(MasterError):
    status, code, reason = 404, 5, "NotFound"


class StalledBodyError(MasterError):
    status, code, reason = 408, 4, "DeadlineExceeded"


class AlreadyExistsError(MasterError):
    status, code, reason = 409, 6, "AlreadyExists"


class TooLargeError(MasterError):
    status, code, reason = 413, 8, "ResourceExhausted"


class UnsupportedError(MasterError):
    status, code, reason = 501, 12, "Unimplemented"

    def __init__(self, feature: str) -> None:
        super().__init__(f"{feature} is not supported by minipdk")
