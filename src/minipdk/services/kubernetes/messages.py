"""What `kubectl get` prints, sent as a `Table`; the kinds' columns are in `columns`.

Format: https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables.
"""

from __future__ import annotations

from minipdk.services.kubernetes.kinds.builtin.events import shown
from minipdk.services.kubernetes.kinds.columns import Column
from minipdk.services.kubernetes.kinds.old_columns import columns_of
from minipdk.services.kubernetes.model import Object, Resource


def table(
    resource: Resource, items: list[Object], metadata: Object, *, include: str, version: str, header: bool = True
) -> Object:
    """``items`` as a meta.k8s.io Table. ``include`` says what a row carries beside its cells: Metadata, Object or None.

    A watch sends the ``header`` with its first row only.
    """
    columns = columns_of(resource)
    definitions = [
        {
            "name": one.name,
            "type": one.kind,
            "format": one.format,
            "description": one.description,
            "priority": 1 if one.wide else 0,
        }
        for one in columns
    ]
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
        "columnDefinitions": definitions if header else None,
        "rows": [_row(resource, columns, item, include, version) for item in items],
    }


def partial(found: Object, version: str = "v1") -> Object:
    """The object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": found["metadata"]}


def _row(resource: Resource, columns: tuple[Column, ...], item: Object, include: str, version: str) -> Object:
    row: Object = {"cells": [one.cell(item) for one in columns]}
    if include == "Object":
        row["object"] = shown(resource, item)
    elif include != "None":
        row["object"] = partial(item, version)
    return row
