"""In which form an answer is wanted: the object, a Table or its metadata alone; always as JSON.

Rules: https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from minipdk.services.kubernetes.api.discovery import AGGREGATED, AGGREGATED_GROUP, AGGREGATED_VERSIONS
from minipdk.services.kubernetes.errors import BadRequestError, NotAcceptableError
from minipdk.services.kubernetes.kinds.builtin.events import shown
from minipdk.services.kubernetes.messages import partial, table
from minipdk.services.kubernetes.model import Object, Resource

JSON_TYPES = ("application/json", "application/*", "*/*")
FORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
INCLUDE = ("Metadata", "Object", "None")


@dataclass(frozen=True)
class Form:
    """``kind`` is "" for the object itself, else one of FORMS; ``version`` is meta.k8s.io's."""

    kind: str = ""
    version: str = "v1"
    include: str = "Metadata"

    def one(self, resource: Resource, found: Object, *, header: bool = True) -> Object:
        if self.kind == "Table":
            metadata = {"resourceVersion": found["metadata"].get("resourceVersion", "")}
            return table(resource, [found], metadata, include=self.include, version=self.version, header=header)
        return partial(found, self.version) if self.kind else shown(resource, found)

    def many(self, resource: Resource, items: list[Object], metadata: Object) -> Object:
        if self.kind == "Table":
            return table(resource, items, metadata, include=self.include, version=self.version)
        if self.kind:
            kind, version = "PartialObjectMetadataList", f"meta.k8s.io/{self.version}"
            items = [partial(item, self.version) for item in items]
        else:
            kind, version = f"{resource.kind}List", resource.api_version
            items = [shown(resource, item) for item in items]
        return {"kind": kind, "apiVersion": version, "metadata": metadata, "items": items}


def accepted(accept: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each media type of an Accept header with its parameters, in the header's order, which clients go by."""
    for choice in (accept or "*/*").split(","):
        kind, *parameters = (part.strip() for part in choice.split(";"))
        yield kind, dict(part.split("=", 1) for part in parameters if "=" in part)


def is_aggregated(kind: str, parameters: Mapping[str, str]) -> bool:
    """Whether a media type is that of discovery in one document."""
    wanted = (parameters.get("as"), parameters.get("g"), parameters.get("v") in AGGREGATED_VERSIONS)
    return kind == "application/json" and wanted == (AGGREGATED, AGGREGATED_GROUP, True)


def negotiate(accept: str, query: Mapping[str, str]) -> Form:
    """The first form of the Accept header that can be produced. Raises NotAcceptableError if there is none."""
    include = query.get("includeObject") or "Metadata"
    if include not in INCLUDE:
        raise BadRequestError(f"invalid includeObject {include!r}: it must be one of {', '.join(INCLUDE)}")
    for kind, values in accepted(accept):
        if kind not in JSON_TYPES:
            continue
        wanted, version = values.get("as", ""), values.get("v", "v1")
        if not wanted:
            return Form()
        if wanted in FORMS and values.get("g") == "meta.k8s.io" and version in ("v1", "v1beta1"):
            return Form(wanted, version, include)
    raise NotAcceptableError(("application/json",))
