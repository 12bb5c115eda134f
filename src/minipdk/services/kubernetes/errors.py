"""Every way a request can fail. Each error is answered as a `Status` object with its HTTP code and reason.

    ApiError
    |-- BadRequestError            400 BadRequest    the body or a parameter cannot be understood
    |-- UnauthorizedError          401 Unauthorized  no token, or not one of this cluster's
    |-- ForbiddenError             403 Forbidden     an admission rule refuses the object; the message says which and why
    |-- NotFoundError              404 NotFound      no such object
    |-- UnknownPathError           404 (plain text)  no such resource or version, answered as an API server does
    |-- MethodNotAllowedError      405 MethodNotAllowed       the resource does not have this verb
    |-- NotAcceptableError         406 NotAcceptable          none of the Accept header's types can be produced
    |-- AlreadyExistsError         409 AlreadyExists          the name is taken
    |-- ConflictError              409 Conflict               the object has changed since it was read
    |-- ApplyConflictError         409 Conflict               another manager owns an applied field
    |-- ExpiredError               410 Expired                the resourceVersion is older than the remembered changes
    |-- TooLargeError              413 RequestEntityTooLarge  the body is larger than 3 MiB
    |-- UnsupportedMediaTypeError  415 UnsupportedMediaType   the body's type is not one that the verb takes
    |-- InvalidError               422 Invalid         well-formed, but a field is wrong; details.causes name each
    |-- InvalidPatchError          422 Invalid         an operation of a JSON patch cannot be done
    |-- TooLargeVersionError       504 Timeout         the resourceVersion has not been yet
    `-- NotSupportedError          501 NotImplemented  Kubernetes has it, minipdk has not

An exception that is none of these is a fault of this server: 500 InternalError, with a traceback in its log.

Shapes and reasons: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Cause:
    """One field that is wrong. ``reason`` is one of the API's, such as FieldValueInvalid; ``field`` a path."""

    reason: str
    message: str
    field: str = ""

    def as_json(self) -> dict[str, str]:
        return {"reason": self.reason, "message": self.message} | ({"field": self.field} if self.field else {})


@dataclass(frozen=True)
class Subject:
    """What a Status is about: the ``kind`` is the resource's plural, or the Kind where the object is invalid."""

    group: str
    kind: str
    name: str = ""

    @property
    def qualified(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind


class ApiError(Exception):
    """A request that failed; `status` is the body of its answer."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(self, message: str, subject: Subject | None = None, causes: Sequence[Cause] = ()) -> None:
        super().__init__(message)
        self.message, self.subject, self.causes = message, subject, list(causes)

    def status(self) -> dict[str, Any]:
        details: dict[str, Any] = {}
        if self.subject:
            fields = {"name": self.subject.name, "group": self.subject.group, "kind": self.subject.kind}
            details |= {key: value for key, value in fields.items() if value}
        if self.causes:
            details["causes"] = [cause.as_json() for cause in self.causes]
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({"details": details} if details else {}),
            "code": self.code,
        }


class BadRequestError(ApiError):
    code, reason = 400, "BadRequest"


class UnauthorizedError(ApiError):
    code, reason = 401, "Unauthorized"

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class ForbiddenError(ApiError):
    code, reason = 403, "Forbidden"


class NotFoundError(ApiError):
    code, reason = 404, "NotFound"

    def __init__(self, subject: Subject) -> None:
        super().__init__(f'{subject.qualified} "{subject.name}" not found', subject)


class UnknownPathError(ApiError):
    """Answered in plain text, which kubectl reports as "the server doesn't have a resource type" or "could not find"."""

    code, reason = 404, "NotFound"

    def __init__(self) -> None:
        super().__init__("404 page not found")


class MethodNotAllowedError(ApiError):
    code, reason = 405, "MethodNotAllowed"

    def __init__(self) -> None:
        super().__init__("the server does not allow this method on the requested resource")


class NotAcceptableError(ApiError):
    code, reason = 406, "NotAcceptable"

    def __init__(self, accepted: Sequence[str]) -> None:
        super().__init__(f"only the following media types are accepted: {', '.join(accepted)}")


class AlreadyExistsError(ApiError):
    code, reason = 409, "AlreadyExists"

    def __init__(self, subject: Subject) -> None:
        super().__init__(f'{subject.qualified} "{subject.name}" already exists', subject)


class ConflictError(ApiError):
    code, reason = 409, "Conflict"

    def __init__(self, subject: Subject, why: str) -> None:
        super().__init__(f'Operation cannot be fulfilled on {subject.qualified} "{subject.name}": {why}', subject)


class ApplyConflictError(ApiError):
    code, reason = 409, "Conflict"


class ExpiredError(ApiError):
    code, reason = 410, "Expired"


class TooLargeError(ApiError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaTypeError(ApiError):
    code, reason = 415, "UnsupportedMediaType"

    def __init__(self, accepted: Sequence[str]) -> None:
        super().__init__(
            f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
        )


class InvalidError(ApiError):
    """``subject`` names the Kind (not the plural), as the API does for invalid objects."""

    code, reason = 422, "Invalid"

    def __init__(self, subject: Subject, causes: Sequence[Cause]) -> None:
        found = [f"{cause.field}: {cause.message}" if cause.field else cause.message for cause in causes]
        told = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
        super().__init__(f'{subject.qualified} "{subject.name}" is invalid: {told}', subject, causes)


class InvalidPatchError(ApiError):
    code, reason = 422, "Invalid"

    def __init__(self, why: str) -> None:
        cause = Cause("UnexpectedServerResponse", why)
        super().__init__(f"the server rejected our request due to an error in our request: {why}", causes=[cause])


class TooLargeVersionError(ApiError):
    code, reason = 504, "Timeout"

    def __init__(self, version: int, current: int) -> None:
        cause = Cause("ResourceVersionTooLarge", "Too large resource version")
        super().__init__(f"Too large resource version: {version}, current: {current}", causes=[cause])


class NotSupportedError(ApiError):
    code, reason = 501, "NotImplemented"

    def __init__(self, what: str, instead: str = "") -> None:
        super().__init__(f"{what} is not supported by minipdk" + (f": {instead}" if instead else ""))


def invalid_value(field: str, value: object, why: str) -> Cause:
    """ "Invalid value" as Kubernetes words it."""
    return Cause("FieldValueInvalid", f"Invalid value: {_shown(value)}: {why}", field)


def unsupported_value(field: str, value: object, supported: Sequence[str]) -> Cause:
    listed = ", ".join(f'"{one}"' for one in supported)
    return Cause("FieldValueNotSupported", f"Unsupported value: {_shown(value)}: supported values: {listed}", field)


def required(field: str, why: str = "") -> Cause:
    return Cause("FieldValueRequired", "Required value" + (f": {why}" if why else ""), field)


def forbidden(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def duplicate(field: str, value: object) -> Cause:
    return Cause("FieldValueDuplicate", f"Duplicate value: {_shown(value)}", field)


def not_found(field: str, value: object) -> Cause:
    return Cause("FieldValueNotFound", f"Not found: {_shown(value)}", field)


def _shown(value: object) -> str:
    import json

    return json.dumps(value)
