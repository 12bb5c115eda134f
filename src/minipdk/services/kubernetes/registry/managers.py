"""The entries of metadata.managedFields: each a manager, and the fields it manages as a tree of FieldsV1 keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from minipdk.services.kubernetes.errors import Cause, invalid_value
from minipdk.services.kubernetes.model import Object

Path = tuple[str, ...]
ITEM = "."
"""The last step of the path that stands for a list's item itself."""
FIELDS_TYPE = "FieldsV1"
OPERATIONS = ("Apply", "Update")
LONGEST_NAME = 128


@dataclass(frozen=True)
class Manager:
    """One entry of managedFields. ``operation`` is Update or Apply; ``time`` is "" where the entry names none."""

    name: str
    operation: str
    subresource: str
    api_version: str
    time: str
    paths: frozenset[Path]

    @property
    def key(self) -> tuple[str, str, str]:
        return self.name, self.operation, self.subresource

    @property
    def described(self) -> str:
        """As a conflict names it."""
        named = f'"{self.name}"' + (f' with subresource "{self.subresource}"' if self.subresource else "")
        if self.operation != "Update":
            return named
        return f"{named} using {self.api_version}" + (f" at {self.time}" if self.time else "")


def validate_manager(field: str, name: str) -> Iterator[Cause]:
    """What is wrong with a manager's name, which ``field`` holds."""
    if len(name.encode()) > LONGEST_NAME:
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {LONGEST_NAME} bytes", field)
    for index, character in enumerate(name):
        if not character.isprintable():
            yield invalid_value(field, name, f"invalid character U+{ord(character):04X} (at position {index})")


def validate_managers(entries: Any) -> Iterator[Cause]:
    """What is wrong with a metadata.managedFields that a client writes."""
    for index, entry in enumerate(entries or ()):
        if not entry:
            continue
        where = f"metadata.managedFields[{index}]"
        if entry.get("operation") not in OPERATIONS:
            yield invalid_value(f"{where}.operation", entry.get("operation", ""), "must be `Apply` or `Update`")
        if entry.get("fieldsType", FIELDS_TYPE) != FIELDS_TYPE:
            yield invalid_value(f"{where}.fieldsType", entry["fieldsType"], "must be `FieldsV1`")
        if not _is_tree(entry.get("fieldsV1") or {}):
            why = "must be a tree of objects whose keys are `.` or begin with f:, k:, v: or i:"
            yield invalid_value(f"{where}.fieldsV1", entry["fieldsV1"], why)
        yield from validate_manager(f"{where}.manager", entry.get("manager", ""))


def read_managers(entries: Any) -> list[Manager]:
    """The managers of a metadata.managedFields."""
    found = []
    for entry in entries or ():
        if not isinstance(entry, dict) or not entry.get("manager"):
            continue  # [{}] is how a client asks for managers to be forgotten
        found.append(
            Manager(
                entry["manager"],
                entry.get("operation", "Update"),
                entry.get("subresource", ""),
                entry.get("apiVersion", ""),
                entry.get("time", ""),
                frozenset(_paths(entry.get("fieldsV1") or {}, ())),
            )
        )
    return found


def with_managers(found: Object, managers: list[Manager]) -> Object:
    """``found`` with the managers that still manage something."""
    entries = [
        {
            "manager": one.name,
            "operation": one.operation,
            "apiVersion": one.api_version,
            **({"time": one.time} if one.time else {}),
            "fieldsType": FIELDS_TYPE,
            "fieldsV1": _tree(one.paths),
            **({"subresource": one.subresource} if one.subresource else {}),
        }
        for one in managers
        if one.paths
    ]
    metadata = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
    return {**found, "metadata": {**metadata, **({"managedFields": entries} if entries else {})}}


def _tree(paths: frozenset[Path]) -> Object:
    root: Object = {}
    for path in sorted(paths):
        node = root
        for step in path:
            node = node.setdefault(step, {})
    return root


def _is_tree(tree: Any) -> bool:
    return isinstance(tree, dict) and all(_is_step(step) and _is_tree(inner) for step, inner in tree.items())


def _is_step(step: str) -> bool:
    kind, colon, rest = step.partition(":")
    if not colon or kind == "f":
        return bool(colon) or step == ITEM
    try:
        found = json.loads(rest)
    except (ValueError, RecursionError):
        return False
    return kind == "v" or (kind, type(found)) in (("k", dict), ("i", int))


def _paths(tree: Object, path: Path) -> list[Path]:
    if not tree:
        return [path] if path else []
    return [found for step, inner in tree.items() for found in _paths(inner, (*path, step))]


def same_but_for_times(one: Object, other: Object) -> bool:
    """Whether the objects differ at most in when their managers wrote: a write that makes such a change changes nothing."""
    return _without_times(one) == _without_times(other)


def _without_times(found: Object) -> Object:
    entries = [{**entry, "time": ""} for entry in found["metadata"].get("managedFields") or ()]
    return {**found, "metadata": {**found["metadata"], "managedFields": entries}}
