"""The messages of an answer: a Status, or objects in the form that the client asked for (whole, Table or metadata alone).

Rules: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/,
https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minipdk.services.kubernetes.errors import ApiError
from minipdk.services.kubernetes.kinds.columns import DEFAULT_COLUMNS
from minipdk.services.kubernetes.model import Column, Object, Resource, shown

FORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


def success(**fields: Any) -> Object:
    """The Status of a request that succeeded and has no object to answer with."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", **fields}


def failure(error: ApiError) -> Object:
    """The Status of a request that failed."""
    details: Object = {}
    if error.subject:
        fields = {"name": error.subject.name, "group": error.subject.group, "kind": error.subject.kind}
        details |= {key: value for key, value in fields.items() if value}
    if error.causes:
        details["causes"] = [cause.as_json() for cause in error.causes]
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
        **({"reason": error.reason} if error.reason else {}),
        **({"details": details} if details else {}),
        "code": error.code,
    }


@dataclass(frozen=True)
class Form:
    """The form of the objects in an answer.

    ``kind`` is "" for whole objects, else one of FORMS; ``version`` is that of meta.k8s.io; ``include`` is the part of an
    object in each row of a Table: Metadata, Object or None.
    """

    kind: str = ""
    version: str = "v1"
    include: str = "Metadata"

    def one(self, resource: Resource, item: Object, *, header: bool = True) -> Object:
        """One stored object. A watch sends the ``header`` of a Table with its first row only."""
        if self.kind == "Table":
            metadata = {"resourceVersion": item["metadata"].get("resourceVersion", "")}
            return self._table(resource, [item], metadata, header=header)
        return self._partial(item) if self.kind else shown(resource, item)

    def many(self, resource: Resource, items: list[Object], metadata: Object) -> Object:
        """A list of stored objects; ``metadata`` is the list's."""
        if self.kind == "Table":
            return self._table(resource, items, metadata, header=True)
        if self.kind:
            kind, version = "PartialObjectMetadataList", f"meta.k8s.io/{self.version}"
            items = [self._partial(item) for item in items]
        else:
            kind, version = f"{resource.kind}List", resource.api_version
            items = [shown(resource, item) for item in items]
        return {"kind": kind, "apiVersion": version, "metadata": metadata, "items": items}

    def _table(self, resource: Resource, items: list[Object], metadata: Object, *, header: bool) -> Object:
        columns = resource.columns or DEFAULT_COLUMNS
        return {
            "kind": "Table",
            "apiVersion": f"meta.k8s.io/{self.version}",
            "metadata": metadata,
            "columnDefinitions": [_definition(column) for column in columns] if header else None,
            "rows": [self._row(resource, columns, item) for item in items],
        }

    def _row(self, resource: Resource, columns: tuple[Column, ...], item: Object) -> Object:
        row: Object = {"cells": [column.cell(item) for column in columns]}
        if self.include == "Object":
            row["object"] = shown(resource, item)
        elif self.include != "None":
            row["object"] = self._partial(item)
        return row

    def _partial(self, item: Object) -> Object:
        version = f"meta.k8s.io/{self.version}"
        return {"kind": "PartialObjectMetadata", "apiVersion": version, "metadata": item["metadata"]}


def _definition(column: Column) -> Object:
    return {
        "name": column.name,
        "type": column.kind,
        "format": column.format,
        "description": column.description,
        "priority": 1 if column.wide else 0,
    }
