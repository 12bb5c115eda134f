"""The patches that a client may send: JSON patch (RFC 6902) and strategic merge patch.

Merge patch (RFC 7386) is `minipdk.common.merge_patch`; server-side apply is `managed_fields`. Rules:
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

from __future__ import annotations

import copy
import json
from types import UnionType
from typing import Any

from jsonpatch import InvalidJsonPatch, JsonPatch, JsonPatchException, JsonPatchTestFailed
from jsonpointer import JsonPointerException, resolve_pointer

from minipdk.services.kubernetes.errors import BadRequestError, InvalidPatchError, TooLargeError
from minipdk.services.kubernetes.model import Object
from minipdk.services.kubernetes.registry.bodies import check_depth

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "podIPs": "ip",
    "hostIPs": "ip",
    "conditions": "type",
    "ownerReferences": "uid",
    "secrets": "name",
    "resourceClaims": "name",
}
"""The lists that are merged by a key, by the name of their field. `merge_key` adds ports."""
PRIMITIVE_SETS = {"finalizers"}
"""The lists of scalars that are merged as sets."""
LARGEST_COPIES = 3 << 20
"""The bytes that all copies of a JSON patch may add, as a real API server limits them: copies of copies double."""
MOST_OPERATIONS = 10_000
PATCH_TYPES = ("replace", "merge", "delete")
LIST_DIRECTIVES: dict[str, tuple[str, type | UnionType]] = {
    "$retainKeys": ("retainKeys", str),
    "$setElementOrder": ("setElementOrder list", str | int | float | dict),
    "$deleteFromPrimitiveList": ("primitive list", str | int | float),
}
"""The directives whose value is a list: their names in Kubernetes' messages, and the types of their items."""


def json_patch(target: Object, operations: Any) -> Object:
    """RFC 6902. Raises BadRequestError for a malformed patch and InvalidPatchError if an operation fails.

    As on a real API server, the whole document cannot be copied or moved.
    """
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise BadRequestError("a JSON patch is a list of operations")
    if len(operations) > MOST_OPERATIONS:
        why = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(operations)}"
        raise TooLargeError(why)
    document: Any = copy.deepcopy(target)
    copied = 0
    for operation in operations:
        try:
            if operation.get("op") == "copy":
                copied += len(json.dumps(resolve_pointer(document, operation["from"])))
                _check_copies(copied)
            document = JsonPatch([operation]).apply(document, in_place=True)
        except _FAILURES as error:
            raise InvalidPatchError(f"{json.dumps(operation)}: {_reason(error)}") from error
    if not isinstance(document, dict):
        raise BadRequestError("a JSON patch must leave an object")
    check_depth(document)
    return document


def _check_copies(size: int) -> None:
    if size > LARGEST_COPIES:
        why = f"the accumulated size increase of copy is {size}, exceeding the limit {LARGEST_COPIES}"
        raise InvalidPatchError(f"Unable to complete the copy, {why}")


_FAILURES = (
    *(JsonPatchException, JsonPointerException),
    *(LookupError, ValueError, TypeError, AttributeError, RecursionError),  # of paths that do not fit the document
)


def _reason(error: Exception) -> str:
    """Why an operation failed. The library's own messages may contain the whole document."""
    if isinstance(error, JsonPatchTestFailed):
        return "the test failed"
    if isinstance(error, InvalidJsonPatch):
        return str(error)
    return "there is no such field or item"


def merge_key(field: str, items: list[Any]) -> str | None:
    """The key by which the list in ``field`` is merged; None for a list that is replaced as a whole.

    The ``ports`` of a container and of a service have different keys.
    """
    if field == "ports":
        keyed = [item for item in items if isinstance(item, dict)]
        return "containerPort" if any("containerPort" in item for item in keyed) else "port"
    return MERGE_KEYS.get(field)


def union(first: list[Any], second: list[Any]) -> list[Any]:
    """The items of both lists, each once."""
    items: list[Any] = []
    for item in (*first, *second):
        if item not in items:
            items.append(item)
    return items


def check_directives(patch: Any) -> None:
    """Raise BadRequestError if a directive of a strategic merge patch has an impossible value."""
    if isinstance(patch, list):
        for item in patch:
            check_directives(item)
    if not isinstance(patch, dict):
        return
    for name, value in patch.items():
        directive = name.partition("/")[0]
        if directive == "$patch" and value not in PATCH_TYPES:
            raise BadRequestError(f"unknown patch type: {value} in map: {json.dumps(patch)}")
        if directive in LIST_DIRECTIVES:
            called, types = LIST_DIRECTIVES[directive]
            if not isinstance(value, list) or not all(isinstance(item, types) for item in value):
                raise BadRequestError(f"Invalid patch format of {called}")
        else:
            check_directives(value)


def strategic_merge_patch(target: Any, patch: Any, field: str = "") -> Any:
    """Like a merge patch, but lists with a merge key are merged item by item, and directives are obeyed.

    The directives must have passed `check_directives`.
    """
    if isinstance(patch, dict):
        return _strategic_object(target if isinstance(target, dict) else {}, patch)
    if isinstance(patch, list):
        return _strategic_list(target if isinstance(target, list) else [], patch, field)
    return patch


def _strategic_object(target: Object, patch: Object) -> Object:
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    merged = _without_deleted(target, patch)
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = strategic_merge_patch(merged.get(key), value, key)
    for key, value in patch.items():
        if key.startswith("$setElementOrder/"):
            name = key.partition("/")[2]
            merged[name] = _in_order(_list_in(merged, name), value, _list_in(target, name), name)
    return merged


def _list_in(document: Object, name: str) -> list[Any]:
    """The list in the field ``name`` of a directive."""
    items = document.get(name) or []
    if not isinstance(items, list):
        raise BadRequestError(f"a directive for lists names {name}, which is none")
    return items


def _without_deleted(target: Object, patch: Object) -> Object:
    """``target`` without the fields and items that the patch's directives delete."""
    kept = dict(target)
    if (retained := patch.get("$retainKeys")) is not None:
        kept = {key: value for key, value in kept.items() if key in retained}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            kept[name] = [item for item in _list_in(kept, name) if item not in value]
    return kept


def _strategic_list(target: list[Any], patch: list[Any], field: str) -> list[Any]:
    if field in PRIMITIVE_SETS:
        return _in_order(union(target, patch), patch, target, field)
    key = merge_key(field, [*target, *patch])
    if key is None or any(not isinstance(item, dict) for item in patch):
        return patch
    if {"$patch": "replace"} in patch:
        return [item for item in patch if "$patch" not in item]
    merged = list(target)
    for item in patch:
        if key not in item:
            raise BadRequestError(f"the patch's item {item} of {field} has no merge key {key!r}")
        index = next((i for i, old in enumerate(merged) if old.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            merged = [old for old in merged if old.get(key) != item[key]]
        elif index is None:
            merged.append(strategic_merge_patch({}, item))
        else:
            merged[index] = strategic_merge_patch(merged[index], item)
    return _in_order(merged, patch, target, field)


def _in_order(items: list[Any], order: list[Any], before: list[Any], field: str) -> list[Any]:
    """The ``items`` of the list ``field``: items in ``order`` as there, the others at their places in ``before``.

    An item that is not in ``before`` has no place there, so it comes first.
    """
    key = merge_key(field, items)

    def name(item: Any) -> Any:
        return item.get(key) if isinstance(item, dict) else item

    ordered, known = [name(item) for item in order], [name(item) for item in before]

    def place(item: Any) -> int:
        return known.index(name(item)) if name(item) in known else len(known)

    named = sorted((item for item in items if name(item) in ordered), key=lambda item: ordered.index(name(item)))
    others = [item for item in items if name(item) not in ordered]
    result: list[Any] = []
    for item in named:
        while others and name(item) in known and place(others[0]) < place(item):
            result.append(others.pop(0))
        result.append(item)
    return result + others
