"""How the cells of `kubectl get` are made from an object: what the kinds' columns in `columns` have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minipdk.services.kubernetes.model import Object
from minipdk.services.kubernetes.times import age

Cell = str | int | None


@dataclass(frozen=True)
class Column:
    """``wide`` columns are printed with `-o wide` alone. ``kind`` and ``format`` are OpenAPI's."""

    name: str
    cell: Callable[[Object], Cell]
    wide: bool = False
    kind: str = "string"
    format: str = ""
    description: str = ""


def at(found: Object, *path: str, default: Any = None) -> Any:
    value: Any = found
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return default if value is None else value


def text(*path: str, default: str = "<none>") -> Callable[[Object], Cell]:
    return lambda found: str(at(found, *path, default=default))


def custom(*path: str) -> Callable[[Object], Cell]:
    """A custom kind's column: its JSONPath's value, or nothing."""

    def cell(found: Object) -> Cell:
        value = at(found, *path)
        return value if isinstance(value, str | int) or value is None else str(value)

    return cell


def count(*path: str) -> Callable[[Object], Cell]:
    return lambda found: len(at(found, *path, default=()))


def age_of(found: Object) -> Cell:
    return age(found["metadata"].get("creationTimestamp"))


def pairs_of(*path: str) -> Callable[[Object], Cell]:
    """A selector, as key=value pairs."""

    def cell(found: Object) -> Cell:
        pairs = at(found, *path, default={})
        return ",".join(f"{key}={value}" for key, value in sorted(pairs.items())) or "<none>"

    return cell


def condition(kind: str, field: str = "status") -> Callable[[Object], Cell]:
    def cell(found: Object) -> Cell:
        conditions = at(found, "status", "conditions", default=())
        return next((one.get(field) for one in conditions if one.get("type") == kind), None)

    return cell


NAME = Column("Name", lambda found: found["metadata"]["name"], format="name", description="The object's name")
AGE = Column("Age", age_of, description="How long ago the object was created")
CUSTOM_AGE = Column("Age", age_of, kind="date", description="How long ago the object was created")
CREATED_AT = Column("Created At", lambda found: found["metadata"].get("creationTimestamp"), kind="date")
