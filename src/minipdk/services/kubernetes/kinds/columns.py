"""The columns of `kubectl get` that kinds have in common, and the functions from which kinds make their own columns.

The columns of each kind come from Kubernetes' printers and from the CustomResourceDefinitions of KServe and Knative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minipdk.services.kubernetes.model import Cell, Column, Object
from minipdk.services.kubernetes.times import age


def at(item: Object, *path: str, default: Any = None) -> Any:
    """The value at ``path``; ``default`` if a step is missing or null."""
    value: Any = item
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return default if value is None else value


def text(*path: str, default: str = "<none>") -> Callable[[Object], Cell]:
    return lambda item: str(at(item, *path, default=default))


def custom(*path: str) -> Callable[[Object], Cell]:
    """A custom kind's column: the value of its JSONPath, or an empty cell."""

    def cell(item: Object) -> Cell:
        value = at(item, *path)
        return value if isinstance(value, str | int) or value is None else str(value)

    return cell


def count(*path: str) -> Callable[[Object], Cell]:
    return lambda item: len(at(item, *path, default=()))


def age_of(item: Object) -> Cell:
    return age(item["metadata"].get("creationTimestamp"))


def pairs_of(*path: str) -> Callable[[Object], Cell]:
    """A selector, as key=value pairs."""

    def cell(item: Object) -> Cell:
        pairs = at(item, *path, default={})
        return ",".join(f"{key}={value}" for key, value in sorted(pairs.items())) or "<none>"

    return cell


def condition(kind: str, field: str = "status") -> Callable[[Object], Cell]:
    """A field of the status condition of type ``kind``."""

    def cell(item: Object) -> Cell:
        conditions = at(item, "status", "conditions", default=())
        return next((entry.get(field) for entry in conditions if entry.get("type") == kind), None)

    return cell


NAME = Column("Name", lambda item: item["metadata"]["name"], format="name", description="The object's name")
AGE = Column("Age", age_of, description="How long ago the object was created")
CUSTOM_AGE = Column("Age", age_of, kind="date", description="How long ago the object was created")
CREATED_AT = Column("Created At", lambda item: item["metadata"].get("creationTimestamp"), kind="date")
DEFAULT_COLUMNS = (NAME, CREATED_AT)
"""Of a kind that names no columns."""
