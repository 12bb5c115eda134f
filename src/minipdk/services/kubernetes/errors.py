"""Every way in which a request can fail. Each error is answered with a `Status` (`messages`), its HTTP code and reason.

    ApiError
    |-- BadRequestError            400 BadRequest    the body or a parameter is malformed
    |-- UnauthorizedError          401 Unauthorized  the token is missing or not of this cluster
    |-- ForbiddenError             403 Forbidden     an admission rule refuses the object; the message says which and why
    |-- NotFoundError              404 NotFound      no such object
    |-- UnknownPathError           404 (plain text)  no such resource or version, answered as an API server does
    |-- MethodNotAllowedError      405 MethodNotAllowed       the resource does not have this verb
    |-- NotAcceptableError         406 NotAcceptable          none of the Accept header's types can be produced
    |-- StalledBodyError           408 Timeout                the body stopped coming
    |-- AlreadyExistsError         409 AlreadyExists          the name is taken
    |-- ConflictError              409 Conflict               the object has changed since it was read
    |-- ApplyConflictError         409 Conflict               another manager owns an applied field
    |-- ExpiredError               410 Expired                the resourceVersion is older than the remembered changes
    |-- TooLargeError              413 RequestEntityTooLarge  the body is larger than 3 MiB
    |-- UnsupportedMediaTypeError  415 UnsupportedMediaType   the verb does not take a body of this type
    |-- InvalidError               422 Invalid         well-formed, but a field is wrong; details.causes name each
    |-- InvalidPatchError          422 Invalid         an operation of a JSON patch cannot be done
    |-- TooLargeVersionError       504 Timeout         the resourceVersion is in the future
    `-- NotSupportedError          501 NotImplemented  Kubernetes has this feature and minipdk does not

Any other exception is a bug of this server: 500 InternalError, with a traceback in its log.

Shapes and reasons: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

REQUIRED, WRONG_TYPE, DUPLICATE = "FieldValueRequired", "FieldValueTypeInvalid", "FieldValueDuplicate"
"""Reasons of a Cause: a field that is missing, has another type, or repeats an item's key."""


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
    """The subject of a Status: ``kind`` is the resource's plural, or its Kind if the object is invalid."""

    group: str
    kind: str
    name: str = ""

    @property
    def qualified(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind


class ApiError(Exception):
    """A request that failed."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(self, message: str, subject: Subject | None = None, causes: Sequence[Cause] = ()) -> None:
        super().__init__(message)
        self.message, self.subject, self.causes = message, subject, list(causes)


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


class StalledBodyError(ApiError):
    code, reason = 408, "Timeout"


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


class TypedPatchError(ApiError):
    """A server-side apply of an object that does not fit its kind's schema, for which a real API server has no reason."""

    reason = ""

    def __init__(self, applied: str, faults: Sequence[str]) -> None:
        listed = faults[0] if len(faults) == 1 else "".join(["errors:", *(f"\n  {fault}" for fault in faults)])
        super().__init__(f"failed to create typed patch object ({applied}): {listed}")


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
    """``subject`` names the Kind instead of the plural, as in the API's answers for invalid objects."""

    code, reason = 422, "Invalid"

    def __init__(self, subject: Subject, causes: Sequence[Cause]) -> None:
        reasons = [f"{cause.field}: {cause.message}" if cause.field else cause.message for cause in causes]
        reason = reasons[0] if len(reasons) == 1 else f"[{', '.join(reasons)}]"
        super().__init__(f'{subject.qualified} "{subject.name}" is invalid: {reason}', subject, causes)


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

    def __init__(self, feature: str, instead: str = "") -> None:
        super().__init__(f"{feature} is not supported by minipdk" + (f": {instead}" if instead else ""))


def wrong_type(field: str, kind: str, expected: str) -> Cause:
    """A cause for a value of the JSON type ``kind`` where another is ``expected``."""
    where = field or "the object"
    message = f'Invalid value: "{kind}": {where} in body must be of type {expected}: "{kind}"'
    return Cause(WRONG_TYPE, message, where)


def invalid_value(field: str, value: object, why: str) -> Cause:
    """A cause in Kubernetes' words."""
    return Cause("FieldValueInvalid", f"Invalid value: {_quoted(value)}: {why}", field)


def unsupported_value(field: str, value: object, supported: Sequence[str]) -> Cause:
    listed = ", ".join(f'"{name}"' for name in supported)
    return Cause("FieldValueNotSupported", f"Unsupported value: {_quoted(value)}: supported values: {listed}", field)


def required(field: str, why: str = "") -> Cause:
    return Cause(REQUIRED, "Required value" + (f": {why}" if why else ""), field)


def forbidden(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def duplicate(field: str, value: object) -> Cause:
    return Cause(DUPLICATE, f"Duplicate value: {_quoted(value)}", field)


def not_found(field: str, value: object) -> Cause:
    return Cause("FieldValueNotFound", f"Not found: {_quoted(value)}", field)


def _quoted(value: object) -> str:
    import json

    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else json.dumps(value)
