"""The check for fields that the protocol's own rules require, before any rule of PFS or PPS."""

from __future__ import annotations

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import InvalidRequestError


def require(request: wire.Message, *fields: str) -> None:
    """Refuse a request that lacks a field which the protocol's own rules require."""
    for field in fields:
        if not request.HasField(field):
            kind = type(request).__name__
            name = "".join(part.title() for part in field.split("_"))
            raise InvalidRequestError(f"validate request: invalid {kind}.{name}: value is required")
