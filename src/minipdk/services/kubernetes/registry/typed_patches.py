"""Whether an object fits its kind's schema, as server-side apply needs it: it cannot merge fields that it does not know.

Unlike other writes, which drop unknown fields, an apply is refused, with the words of structured-merge-diff, the library
of a real API server: https://github.com/kubernetes-sigs/structured-merge-diff.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from minipdk.services.kubernetes.errors import WRONG_TYPE, BadRequestError, Cause, TypedPatchError
from minipdk.services.kubernetes.kinds import schemas
from minipdk.services.kubernetes.model import Object, Resource
from minipdk.services.kubernetes.registry.managed_fields import described_keys, identity_of, merge_keys

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_EXPECTED = re.compile(r'must be of type ([a-z,]+): "([a-z]+)"$')
NUMERIC = ("integer", "number")
NAMES = {"string": "string", "boolean": "boolean", "array": "list", "object": "map"}


def check_typed(resource: Resource, applied: Object) -> None:
    """Raise TypedPatchError for fields that the kind does not have, wrong types, and keyed items that are there twice.

    Raises BadRequestError for an object of another kind or version.
    """
    version, kind = applied.get("apiVersion") or "/", applied.get("kind") or ""
    if (version, kind) != (resource.api_version, resource.kind):
        raise BadRequestError(f"invalid object type: {_qualified(version)}, Kind={kind}")
    _, faults = schemas.check(resource, applied)
    reasons = [f"{_located(resource, applied, path)[0]}: field not declared in schema" for path in faults.unknown]
    reasons += filter(None, (_type_fault(resource, applied, cause) for cause in faults.causes if cause.reason == WRONG_TYPE))
    reasons += _duplicates(resource, applied, "", "")
    if reasons:
        metadata = applied.get("metadata") or {}
        name = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
        raise TypedPatchError(f"{name}; {_qualified(version)}, Kind={kind}", reasons)


def _qualified(version: Any) -> str:
    """A group and version as Go prints them, with a slash even for the core group."""
    return version if "/" in str(version) else f"/{version}"


def _type_fault(resource: Resource, applied: Object, cause: Cause) -> str:
    """The fault in structured-merge-diff's words; empty for a type that only the schema's validation knows."""
    match = _EXPECTED.search(cause.message)
    if match is None or match[2] == "null":
        return ""
    place, value = _located(resource, applied, cause.field)
    if match[1] in NUMERIC:
        return f"{place}: expected numeric (int or float), got {_go_type(value)}"
    if (name := NAMES.get(match[1])) is None:
        return ""
    got = f"&value.valueUnstructured{{Value:{_go(value)}}}" if name in ("string", "boolean") else f"&{{{_go(value)}}}"
    return f"{place}: expected {name}, got {got}"


def _located(resource: Resource, applied: Object, path: str) -> tuple[str, Any]:
    """``path`` with the keys of list items instead of their indices, and the value there."""
    value: Any = applied
    place, field = "", ""
    for name, index in _STEP.findall(path):
        if name:
            value, field = value.get(name) if isinstance(value, dict) else None, name
            place += f".{name}"
            continue
        keys = merge_keys(resource, field, value)
        value = value[int(index)]
        place += f"[{described_keys(identity_of(value, keys))}]" if keys else f"[{index}]"
    return place, value


def _duplicates(resource: Resource, value: Any, field: str, place: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _duplicates(resource, inner, name, f"{place}.{name}")
    elif isinstance(value, list) and (keys := merge_keys(resource, field, value)):
        seen: list[Object] = []
        for item in value:
            identity = identity_of(item, keys)
            if identity in seen:
                yield f"{place}: duplicate entries for key [{described_keys(identity)}]"
            seen.append(identity)
            yield from _duplicates(resource, item, "", f"{place}[{described_keys(identity)}]")


def _go_type(value: Any) -> str:
    """The Go type of a JSON value."""
    names = {str: "string", bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}
    return names.get(type(value), "float64")


def _go(value: Any) -> str:
    """A JSON value as Go prints it."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_go(inner)}' for key, inner in sorted(value.items()))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_go, value))}]"
    return value if isinstance(value, str) else json.dumps(value)
