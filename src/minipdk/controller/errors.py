"""Every way in which the Kubernetes API refuses a controller's request.

ApiError
|-- NotFoundError     404
|-- ConflictError     409, the object changed meanwhile: read it again
|-- GoneError         410, the watch is too old: list again
`-- InvalidNameError  400, the name cannot be part of a URL: the request is not sent
"""

from __future__ import annotations


class ApiError(Exception):
    """The Kubernetes API answered ``status``."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class NotFoundError(ApiError):
    """There is no such object."""


class ConflictError(ApiError):
    """The object has changed or exists already."""


class GoneError(ApiError):
    """The resource version is too old to watch from."""


class InvalidNameError(ApiError):
    """The name cannot be part of a URL, so that no object has it."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)
