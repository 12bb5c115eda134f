"""The entries of metadata.managedFields: each a manager, and the fields it manages as a tree of FieldsV1 keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minipdk.kubernetes.resources import Object

Path = tuple[str, ...]
ITEM = "."
"""The last step of the path that stands for a list's item itself."""


@dataclass(frozen=True)
class Manager:
    """One entry of managedFields. ``operation`` is Update or Apply."""

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
        return f"{named} using {self.api_version} at {self.time}" if self.operation == "Update" else named


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
            "time": one.time,
            "fieldsType": "FieldsV1",
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
