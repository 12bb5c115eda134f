"""The form of an answer that the Accept header asks for: objects, a Table or metadata alone; always as JSON.

Rules: https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from minipdk.services.kubernetes.errors import BadRequestError, NotAcceptableError
from minipdk.services.kubernetes.messages import FORMS, Form

JSON_TYPES = ("application/json", "application/*", "*/*")
INCLUDE = ("Metadata", "Object", "None")


def accepted(accept: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each media type of an Accept header with its parameters, in the header's order, which is the client's preference."""
    for choice in (accept or "*/*").split(","):
        kind, *parameters = (part.strip() for part in choice.split(";"))
        yield kind, dict(part.split("=", 1) for part in parameters if "=" in part)


def negotiate(accept: str, query: Mapping[str, str]) -> Form:
    """The first form of the Accept header that can be produced. Raises NotAcceptableError if there is none."""
    include = query.get("includeObject") or "Metadata"
    if include not in INCLUDE:
        raise BadRequestError(f"invalid includeObject {include!r}: it must be one of {', '.join(INCLUDE)}")
    for kind, parameters in accepted(accept):
        if kind not in JSON_TYPES:
            continue
        form, version = parameters.get("as", ""), parameters.get("v", "v1")
        if not form:
            return Form()
        if form in FORMS and parameters.get("g") == "meta.k8s.io" and version in ("v1", "v1beta1"):
            return Form(form, version, include)
    raise NotAcceptableError(("application/json",))
