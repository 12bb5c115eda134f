"""Every way a call to the platform can fail.

::

    PlatformError
    ├── InvalidArgumentError  400  a value is wrong; the message names it. With ``errno`` the client raises that OSError
    ├── UnauthenticatedError  401  no token, or one that this cluster did not issue, or that has expired
    ├── PermissionDeniedError 403  another project, organization or cluster
    ├── NotFoundError         404  the noun does not exist
    ├── StalledBodyError      408  the body stopped coming
    ├── TooLargeError         413  the body is larger than clients send
    ├── RangeError            416  the range is outside of the file
    ├── TooManySessionsError  429  too many sessions at a time
    └── UnsupportedError      501  the platform has it, this one does not

A response has the platform's shape, ``{"error": "...", "errno": "EEXIST"}``; the registry's errors have Docker's.
"""

from __future__ import annotations

import errno as numbers
from typing import Any, ClassVar

from minipdk.storage.space import DiskFullError


class PlatformError(Exception):
    """A refusal that a client sees. ``status`` is the HTTP status, ``code`` the one of Docker's registry protocol."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "UNKNOWN"

    def body(self) -> dict[str, Any]:
        return {"error": str(self)}


class InvalidArgumentError(PlatformError):
    """``errno`` is the name of an error of the operating system, such as EEXIST, or empty."""

    status, code = 400, "NAME_INVALID"

    def __init__(self, message: str, errno: str = "") -> None:
        super().__init__(message)
        self.errno = errno

    def body(self) -> dict[str, Any]:
        return super().body() | ({"errno": self.errno} if self.errno else {})


class UnauthenticatedError(PlatformError):
    status, code = 401, "UNAUTHORIZED"


class PermissionDeniedError(PlatformError):
    status, code = 403, "DENIED"


class NotFoundError(PlatformError):
    status, code = 404, "NAME_UNKNOWN"


class StalledBodyError(PlatformError):
    status = 408


class TooLargeError(PlatformError):
    status = 413


class RangeError(PlatformError):
    status = 416


class TooManySessionsError(PlatformError):
    status, code = 429, "TOOMANYREQUESTS"


class UnsupportedError(PlatformError):
    status, code = 501, "UNSUPPORTED"

    def __init__(self, feature: str) -> None:
        super().__init__(f"{feature} is not supported by minipdk")


def of_system(error: OSError, path: str) -> PlatformError:
    """The refusal for an error of the operating system about ``path``."""
    if isinstance(error, DiskFullError):
        return InvalidArgumentError(str(error), "ENOSPC")
    if error.errno == numbers.ENOENT:
        return NotFoundError(f"{path}: no such file or directory")
    if error.errno == numbers.EXDEV:
        return InvalidArgumentError(f"{path} leads out of its project", "EXDEV")
    reason = (error.strerror or str(error)).lower()
    return InvalidArgumentError(f"{path}: {reason}", numbers.errorcode.get(error.errno or 0, "EIO"))
