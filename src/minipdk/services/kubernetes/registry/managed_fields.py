"""Who manages which field: metadata.managedFields, and server-side apply, which decides by it.

An object is flattened to its leaves; a leaf's path is the chain of FieldsV1 keys: ``f:name`` for a field,
``k:{"name":"x"}`` for an item of a list with a merge key, ``v:"x"`` for an item of a set. Custom kinds' lists are atomic.
Rules: https://kubernetes.io/docs/reference/using-api/server-side-apply/.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from minipdk.services.kubernetes.errors import ApplyConflictError, BadRequestError, Cause
from minipdk.services.kubernetes.model import Object, Resource
from minipdk.services.kubernetes.registry.managers import ITEM, Manager, Path, read_managers, with_managers
from minipdk.services.kubernetes.registry.patches import PRIMITIVE_SETS, merge_key, union
from minipdk.services.kubernetes.times import now

SECOND_KEYS = {"ports": ("protocol",), "topologySpreadConstraints": ("whenUnsatisfiable",)}
"""What tells the items of a list apart beside the key that strategic merge patches go by."""
ATOMIC = frozenset({
    "selector", "nodeSelector", "labelSelector", "involvedObject", "regarding", "related", "claimRef", "secretKeyRef",
    "configMapKeyRef", "fieldRef", "resourceFieldRef",
})  # fmt: skip
"""The objects of Kubernetes' own kinds that are managed as a whole."""
STRUCTS = frozenset(
    {"metadata", "spec", "status", "template", "strategy", "resources", "source", "state", "lastState", "loadBalancer"}
)
"""The objects that are always there, and so belong to nobody; of a custom object its metadata alone."""
METADATA: Path = ("f:metadata",)
KUBECTL, LAST_APPLIED = "kubectl", "kubectl.kubernetes.io/last-applied-configuration"
UNMANAGED = frozenset(
    ("f:metadata", f"f:{name}")
    for name in (
        "name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink",
        "deletionTimestamp", "deletionGracePeriodSeconds",
    )
) | {("f:apiVersion",), ("f:kind",)}  # fmt: skip


def track_update(resource: Resource, old: Object | None, new: Object, name: str, part: str = "") -> Object:
    """``new`` with the fields that differ from ``old`` managed by ``name``; the others keep their managers.

    A client may write managers as well, but not through a subresource.
    """
    given = None if part else new["metadata"].get("managedFields")
    managers = read_managers(given if given is not None else (old or {"metadata": {}})["metadata"].get("managedFields"))
    before, after = _written(resource, old, part), _written(resource, new, part)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    gone = before.keys() - after.keys()
    if not changed and not gone:
        return with_managers(new, managers)
    own = Manager(name, "Update", part, resource.api_version, now(), frozenset(changed))
    kept = []
    for manager in managers:
        if manager.key == own.key:
            own = replace(own, paths=own.paths | (manager.paths - gone))
        else:
            kept.append(_without(manager, changed | gone))
    return with_managers(new, [*kept, own])


def apply_configuration(
    resource: Resource, live: Object, applied: Object, name: str, *, force: bool, part: str = ""
) -> Object:
    """``live`` after ``name`` applied ``applied``: its fields set, the fields it no longer applies removed.

    Raises ApplyConflictError where another manager has a field at another value, unless ``force`` takes it over.
    """
    managers = read_managers((live.get("metadata") or {}).get("managedFields"))
    wanted, present = flatten(resource, applied), flatten(resource, live)
    own = Manager(name, "Apply", part, resource.api_version, now(), frozenset(wanted))
    previous = next((one for one in managers if one.key == own.key), None)
    others = [one for one in managers if one.key != own.key]
    contested = {path for path, value in wanted.items() if path in present and present[path] != value}
    migrated = _client_side_applied(resource, live) if name == KUBECTL else set()
    conflicts = [(one, path) for one in others for path in sorted((one.paths & contested) - migrated)]
    if conflicts and not force:
        raise _conflict(conflicts)
    merged = merge(resource, live, applied)
    held = frozenset().union(*(one.paths for one in others)) if others else frozenset()
    dropped = (previous.paths if previous else frozenset()) - own.paths - held
    for path in sorted(dropped, key=lambda path: (path[-1] != ITEM, -len(path))):  # items before what is in them
        whole = path[:-1] if path[-1] == ITEM else path
        if any(one[: len(whole)] == whole for one in held | own.paths) or _is_key(path):
            continue  # there are applied fields in this item, or in what was empty before
        _remove(merged, path)
    return with_managers(merged, [*(_without(one, contested) for one in others), own])


def _client_side_applied(resource: Resource, live: Object) -> set[Path]:
    """The fields that kubectl applied without the server, which it may take over when it goes over to server-side apply."""
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED, "")
    try:
        applied = json.loads(text)
    except ValueError:
        return set()
    return set(flatten(resource, applied)) if isinstance(applied, dict) else set()


def flatten(resource: Resource, found: Object, *, objects: bool = False) -> dict[Path, Any]:
    """The object's leaves by path, without those that the server alone writes.

    ``objects``: with the objects themselves, as an update manages them; whoever applies manages what is in them alone.
    """
    leaves: dict[Path, Any] = {}
    _flatten(resource, found, (), "", leaves, objects=objects)
    return {path: value for path, value in leaves.items() if path not in UNMANAGED and path[:2] not in UNMANAGED}


def _written(resource: Resource, found: Object | None, part: str) -> dict[Path, Any]:
    """The leaves that a request can write: a status through its subresource alone."""
    leaves = flatten(resource, found or {}, objects=True)
    if not resource.has_status or part:
        return leaves
    return {path: value for path, value in leaves.items() if path[0] != "f:status"}


def merge(resource: Resource, live: Any, applied: Any, field: str = "") -> Any:
    """``applied`` over ``live``: objects by field, lists with a merge key by item, sets by union, the rest as a whole."""
    if isinstance(applied, dict) and isinstance(live, dict) and not _is_whole(resource, field):
        return {**live, **{key: merge(resource, live.get(key), value, key) for key, value in applied.items()}}
    if not (isinstance(applied, list) and isinstance(live, list)):
        return applied
    if field in PRIMITIVE_SETS:
        return union(live, applied)
    keys = _merge_keys(resource, field, applied)
    if not keys:
        return applied
    merged, seen = list(live), []
    for item in applied:
        if (identity := _identity(item, keys)) in seen:
            raise BadRequestError(f"failed to create typed patch object: .{field}: duplicate entries for key {identity}")
        seen.append(identity)
        index = next((i for i, old in enumerate(merged) if _identity(old, keys) == identity), None)
        if index is None:
            merged.append(item)
        else:
            merged[index] = merge(resource, merged[index], item)
    return merged


def _flatten(resource: Resource, value: Any, path: Path, field: str, leaves: dict[Path, Any], *, objects: bool) -> None:
    if isinstance(value, dict) and value and not _is_whole(resource, field):
        if objects and path and (path != METADATA if resource.custom else field not in STRUCTS):
            leaves[(*path, ITEM)] = None
        for name, inner in value.items():
            _flatten(resource, inner, (*path, f"f:{name}"), name, leaves, objects=objects)
    elif isinstance(value, list) and value and field in PRIMITIVE_SETS:
        leaves |= {(*path, f"v:{json.dumps(item)}"): item for item in value}
    elif isinstance(value, list) and value and (keys := _merge_keys(resource, field, value)):
        for item in value:
            step = (*path, "k:" + json.dumps(_identity(item, keys), separators=(",", ":")))
            leaves[(*step, ITEM)] = None
            _flatten(resource, item, step, "", leaves, objects=objects)
    elif path:
        leaves[path] = value


def _is_whole(resource: Resource, field: str) -> bool:
    """Whether the object in ``field`` is managed as a whole."""
    return field in ATOMIC and not resource.custom


def _merge_keys(resource: Resource, field: str, items: list[Any]) -> tuple[str, ...]:
    """The fields that tell the list's items apart; none for a list that is managed as a whole."""
    if resource.custom and field != "ownerReferences":
        return ()
    key = merge_key(field, items)
    if not key or not all(isinstance(item, dict) and key in item for item in items):
        return ()
    return (key, *SECOND_KEYS.get(field, ()))


def _identity(item: Any, keys: Iterable[str]) -> Object:
    """What an item is told apart by; a port that names no protocol is one of TCP."""
    return {key: item.get(key, "TCP" if key == "protocol" else None) for key in keys} if isinstance(item, dict) else {}


def _is_key(path: Path) -> bool:
    """Whether the field is what its item is told apart by, which goes with the item alone."""
    return len(path) > 1 and path[-2].startswith("k:") and path[-1][2:] in json.loads(path[-2][2:])


def _remove(found: Any, path: Path) -> None:
    """Take the leaf at ``path`` out of ``found``, and the objects that it leaves empty."""
    if path[-1] == ITEM:
        path = path[:-1]
    chain = [found]
    for step in path[:-1]:
        chain.append(_step(chain[-1], step))
        if chain[-1] is None:
            return
    for parent, step in zip(reversed(chain), reversed(path), strict=True):
        child = _step(parent, step)
        if step is not path[-1] and child:
            return
        if step.startswith("f:") and isinstance(parent, dict):
            parent.pop(step[2:], None)
        elif isinstance(parent, list) and child is not None:
            parent.remove(child)


def _step(parent: Any, step: str) -> Any:
    kind, _, rest = step.partition(":")
    if kind == "f":
        return parent.get(rest) if isinstance(parent, dict) else None
    if not isinstance(parent, list) or kind == "i":  # no list here is managed by its indices
        return None
    wanted = json.loads(rest)
    if kind == "v":
        return wanted if wanted in parent else None
    return next((item for item in parent if _identity(item, wanted) == wanted), None)


def _conflict(conflicts: list[tuple[Manager, Path]]) -> ApplyConflictError:
    causes = [
        Cause("FieldManagerConflict", f"conflict with {manager.described}", _dotted(path)) for manager, path in conflicts
    ]
    if len(causes) == 1:
        return ApplyConflictError(f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}", causes=causes)
    paths: dict[str, list[str]] = {}
    for manager, path in conflicts:
        paths.setdefault(manager.described, []).append(_dotted(path))
    listed = "\n".join(
        line for name in sorted(paths) for line in (f"conflicts with {name}:", *(f"- {path}" for path in paths[name]))
    )
    return ApplyConflictError(f"Apply failed with {len(causes)} conflicts: {listed}", causes=causes)


def _dotted(path: Path) -> str:
    steps = [f".{step[2:]}" if step.startswith("f:") else f"[{step[2:]}]" for step in path if step != ITEM]
    return "".join(steps)


def _without(manager: Manager, paths: set[Path]) -> Manager:
    return replace(manager, paths=manager.paths - paths)
