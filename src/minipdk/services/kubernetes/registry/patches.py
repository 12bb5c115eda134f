"""The patches a client may send: JSON patch, merge patch and strategic merge patch. Server-side apply is in `apply`.

Rules: RFC 6902, RFC 7386 and
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

from __future__ import annotations

import copy
import json
from types import UnionType
from typing import Any

from minipdk.services.kubernetes.api.decoding import need_shallow
from minipdk.services.kubernetes.errors import BadRequestError, InvalidPatchError
from minipdk.services.kubernetes.model import Object

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
"""The lists that are merged by a key, by the name of their field. Ports have a container's key or a service's."""
PRIMITIVE_SETS = {"finalizers"}
"""The lists of scalars that are merged as sets."""
PATCH_TYPES = ("replace", "merge", "delete")
LIST_DIRECTIVES: dict[str, tuple[str, type | UnionType]] = {
    "$retainKeys": ("retainKeys", str),
    "$setElementOrder": ("setElementOrder list", str | int | float | dict),
    "$deleteFromPrimitiveList": ("primitive list", str | int | float),
}
"""The directives whose value is a list: what Kubernetes calls them, and of what their items are."""


def merge_key(field: str, items: list[Any]) -> str | None:
    """The key by which the list in ``field`` is merged; None for a list that is replaced as a whole."""
    if field == "ports":
        keyed = [item for item in items if isinstance(item, dict)]
        return "containerPort" if any("containerPort" in item for item in keyed) else "port"
    return MERGE_KEYS.get(field)


def union(one: list[Any], other: list[Any]) -> list[Any]:
    """The items of both lists, each once."""
    found: list[Any] = []
    for item in (*one, *other):
        if item not in found:
            found.append(item)
    return found


def check_directives(patch: Any) -> None:
    """Raises BadRequestError for a directive of a strategic merge patch that has no such value."""
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
            called, items = LIST_DIRECTIVES[directive]
            if not isinstance(value, list) or not all(isinstance(item, items) for item in value):
                raise BadRequestError(f"Invalid patch format of {called}")
        else:
            check_directives(value)


def strategic_merge_patch(target: Any, patch: Any, field: str = "") -> Any:
    """Like a merge patch, but lists with a merge key are merged item by item, and directives are obeyed.

    They must have passed `check_directives`.
    """
    if isinstance(patch, dict):
        return _strategic_object(target if isinstance(target, dict) else {}, patch)
    if isinstance(patch, list):
        return _strategic_list(target if isinstance(target, list) else [], patch, field)
    return patch


def json_patch(target: Object, operations: Any) -> Object:
    """RFC 6902. Raises BadRequestError for a malformed patch and InvalidPatchError where an operation cannot be done."""
    if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
        raise BadRequestError("a JSON patch is a list of operations")
    document: Any = copy.deepcopy(target)
    for operation in operations:
        try:
            document = _apply_operation(document, operation)
        except (KeyError, IndexError, ValueError, TypeError, RecursionError) as error:
            raise InvalidPatchError(f"{json.dumps(operation)}: {error}") from error
    if not isinstance(document, dict):
        raise BadRequestError("a JSON patch must leave an object")
    need_shallow(document)
    return document


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


def _list_in(found: Object, name: str) -> list[Any]:
    """The list in the field ``name`` that a directive is about."""
    items = found.get(name) or []
    if not isinstance(items, list):
        raise BadRequestError(f"a directive for lists names {name}, which is none")
    return items


def _without_deleted(target: Object, patch: Object) -> Object:
    """``target`` without what the patch's directives take out of it."""
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
    """``items``, in the list ``field``: those that ``order`` names in its order, and the others as they were ``before``.

    The others go between those as far as ``before`` tells; so what is new, which it does not know, comes first.
    """
    key = merge_key(field, items)

    def name(item: Any) -> Any:
        return item.get(key) if isinstance(item, dict) else item

    wanted, known = [name(one) for one in order], [name(one) for one in before]

    def place(item: Any) -> int:
        return known.index(name(item)) if name(item) in known else len(known)

    named = sorted((one for one in items if name(one) in wanted), key=lambda one: wanted.index(name(one)))
    others = [one for one in items if name(one) not in wanted]
    found: list[Any] = []
    for one in named:
        while others and name(one) in known and place(others[0]) < place(one):
            found.append(others.pop(0))
        found.append(one)
    return found + others


def _apply_operation(document: Any, operation: Object) -> Any:
    kind, path = operation["op"], _pointer(operation["path"])
    if kind == "test":
        if _at(document, path) != operation["value"]:
            raise ValueError("the test failed")
    elif kind == "remove":
        document = _remove(document, path)
    elif kind == "add":
        document = _add(document, path, operation["value"])
    elif kind == "replace":
        _at(document, path)
        document = _add(_remove(document, path) if path else document, path, operation["value"])
    elif kind in ("move", "copy"):
        source = _pointer(operation["from"])
        value = copy.deepcopy(_at(document, source))
        document = _add(_remove(document, source) if kind == "move" else document, path, value)
    else:
        raise ValueError(f"unknown operation {kind!r}")
    return document


def _pointer(text: Any) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise ValueError(f"{text!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _at(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[_index(part, len(document) - 1)] if isinstance(document, list) else _member(document, part)
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _at(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, len(parent)), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise TypeError(f"{'/'.join(path[:-1])} is neither an object nor a list")
    return document


def _remove(document: Any, path: list[str]) -> Any:
    parent, last = _at(document, path[:-1]), path[-1]
    _at(parent, [last])
    del parent[_index(last, len(parent) - 1) if isinstance(parent, list) else last]
    return document


def _member(parent: Any, name: str) -> Any:
    if not isinstance(parent, dict) or name not in parent:
        raise ValueError(f"there is no field {name!r}")
    return parent[name]


def _index(text: str, largest: int) -> int:
    if not text.isdigit() or (len(text) > 1 and text[0] == "0") or int(text) > largest:
        raise IndexError(f"there is no item {text!r}")
    return int(text)
