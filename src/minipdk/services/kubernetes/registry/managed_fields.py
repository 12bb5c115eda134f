"""The managers of each field: metadata.managedFields, and server-side apply, which is based on it.

An entry of managedFields is a `Manager` with the fields that it manages as a tree of FieldsV1 keys. An object is flattened
to its leaves; a leaf's path is the chain of FieldsV1 keys: ``f:name`` for a field, ``k:{"name":"x"}`` for an item of a list
with a merge key, ``v:"x"`` for an item of a set. Custom kinds' lists are atomic.
Rules: https://kubernetes.io/docs/reference/using-api/server-side-apply/.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from minipdk.common.documents import read_json
from minipdk.services.kubernetes.errors import ApplyConflictError, Cause, invalid_value
from minipdk.services.kubernetes.kinds import schemas
from minipdk.services.kubernetes.kinds.schemas import KEY_DEFAULTS, LIST_KEYS
from minipdk.services.kubernetes.model import Object, Resource
from minipdk.services.kubernetes.registry.patches import PRIMITIVE_SETS, merge_key, union
from minipdk.services.kubernetes.times import now

Path = tuple[str, ...]
ITEM = "."
"""The last step of a path to an item of a list itself, or to an object itself."""
FIELDS_TYPE = "FieldsV1"
OPERATIONS = ("Apply", "Update")
LONGEST_NAME = 128
SECOND_KEYS = {"ports": ("protocol",), "topologySpreadConstraints": ("whenUnsatisfiable",)}
"""The fields that identify an item of a list beside the merge key of strategic merge patches."""
ATOMIC = frozenset({
    "selector", "nodeSelector", "labelSelector", "involvedObject", "regarding", "related", "claimRef", "secretKeyRef",
    "configMapKeyRef", "fieldRef", "resourceFieldRef",
})  # fmt: skip
"""The objects of Kubernetes' own kinds that are managed as a whole."""
STRUCTS = frozenset(
    {"metadata", "spec", "status", "template", "strategy", "resources", "source", "state", "lastState", "loadBalancer"}
)
"""The objects that always exist, and so have no manager; of a custom object its metadata alone."""
METADATA: Path = ("f:metadata",)
KUBECTL, LAST_APPLIED = "kubectl", "kubectl.kubernetes.io/last-applied-configuration"
UNMANAGED = frozenset(
    ("f:metadata", f"f:{name}")
    for name in (
        "name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink",
        "deletionTimestamp", "deletionGracePeriodSeconds",
    )
) | {("f:apiVersion",), ("f:kind",)}  # fmt: skip


@dataclass(frozen=True)
class Manager:
    """One entry of managedFields. ``operation`` is Update or Apply; ``time`` is "" if the entry has none."""

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
        return f"{named} using {self.api_version}" if self.operation == "Update" else named


def track_update(resource: Resource, old: Object | None, new: Object, name: str, part: str = "") -> Object:
    """``new``, where ``name`` manages the fields that differ from ``old``, and the other fields keep their managers.

    A client may write managers too, but not through a subresource.
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

    Raises ApplyConflictError if another manager has set a field to another value, unless ``force`` takes it over.
    """
    managers = read_managers((live.get("metadata") or {}).get("managedFields"))
    desired, present = flatten(resource, applied), flatten(resource, live)
    own = Manager(name, "Apply", part, resource.api_version, now(), frozenset(desired))
    previous = next((manager for manager in managers if manager.key == own.key), None)
    others = [manager for manager in managers if manager.key != own.key]
    contested = {path for path, value in desired.items() if path in present and present[path] != value}
    migrated = _client_side_applied(resource, live) if name == KUBECTL else set()
    conflicts = [(manager, path) for manager in others for path in sorted((manager.paths & contested) - migrated)]
    if conflicts and not force:
        raise _conflict(conflicts)
    merged = merge(resource, live, applied)
    others_paths = frozenset().union(*(manager.paths for manager in others)) if others else frozenset()
    dropped = (previous.paths if previous else frozenset()) - own.paths - others_paths
    for path in sorted(dropped, key=lambda path: (path[-1] != ITEM, -len(path))):  # items before their fields
        whole = path[:-1] if path[-1] == ITEM else path
        if any(kept[: len(whole)] == whole for kept in others_paths | own.paths) or _is_key(path):
            continue  # this item, or this formerly empty object, has applied fields
        _remove(merged, path)
    return with_managers(merged, [*(_without(manager, contested) for manager in others), own])


def _client_side_applied(resource: Resource, live: Object) -> set[Path]:
    """The fields of kubectl's last client-side apply, which it may take over when it changes to server-side apply."""
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED, "")
    try:
        applied = read_json(text.encode())
    except ValueError:
        return set()
    return set(flatten(resource, applied)) if isinstance(applied, dict) else set()


def flatten(resource: Resource, document: Object, *, objects: bool = False) -> dict[Path, Any]:
    """The object's leaves by path, except for fields that only the server writes.

    ``objects``: with the objects around the leaves too. An update manages those; an apply manages the leaves alone.
    """
    leaves: dict[Path, Any] = {}
    _flatten(resource, document, (), "", leaves, objects=objects)
    return {path: value for path, value in leaves.items() if path not in UNMANAGED and path[:2] not in UNMANAGED}


def _written(resource: Resource, document: Object | None, part: str) -> dict[Path, Any]:
    """The leaves that a request can write: a status through its subresource alone."""
    leaves = flatten(resource, document or {}, objects=True)
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
    keys = merge_keys(resource, field, applied)
    if not keys:
        return applied
    merged = list(live)
    for item in applied:
        identity = identity_of(item, keys)
        index = next((i for i, old in enumerate(merged) if identity_of(old, keys) == identity), None)
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
    elif isinstance(value, list) and value and (keys := merge_keys(resource, field, value)):
        for item in value:
            step = (*path, "k:" + json.dumps(identity_of(item, keys), separators=(",", ":")))
            leaves[(*step, ITEM)] = None
            _flatten(resource, item, step, "", leaves, objects=objects)
    elif path:
        leaves[path] = value


def _is_whole(resource: Resource, field: str) -> bool:
    """Whether the object in ``field`` is managed as a whole."""
    return field in ATOMIC and not resource.custom


def merge_keys(resource: Resource, field: str, items: list[Any]) -> tuple[str, ...]:
    """The fields that identify the list's items; none for a list that is managed as a whole."""
    if resource.custom and field != "ownerReferences":
        return LIST_KEYS.get(field, ()) if all(schemas.identity(field, item) for item in items) else ()
    key = merge_key(field, items)
    if not key or not all(isinstance(item, dict) and key in item for item in items):
        return ()
    return (key, *SECOND_KEYS.get(field, ()))


def identity_of(item: Any, keys: Iterable[str]) -> Object:
    """The identifying fields of an item; the protocol of a port is TCP by default."""
    return {key: item.get(key, KEY_DEFAULTS.get(key)) for key in keys} if isinstance(item, dict) else {}


def _is_key(path: Path) -> bool:
    """Whether the field identifies its item: it is removed with the item alone."""
    return len(path) > 1 and path[-2].startswith("k:") and path[-1][2:] in json.loads(path[-2][2:])


def _remove(document: Any, path: Path) -> None:
    """Remove the leaf at ``path`` from ``document``, and the objects that this leaves empty."""
    if path[-1] == ITEM:
        path = path[:-1]
    chain = [document]
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
    identity = json.loads(rest)
    if kind == "v":
        return identity if identity in parent else None
    return next((item for item in parent if identity_of(item, identity) == identity), None)


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
    return "".join(_dotted_step(step) for step in path if step != ITEM)


def _dotted_step(step: str) -> str:
    kind, _, rest = step.partition(":")
    if kind == "f":
        return f".{rest}"
    return f"[{described_keys(json.loads(rest))}]" if kind == "k" else f"[={rest}]"


def described_keys(identity: Object) -> str:
    """An item's keys as messages name it: ``name="A"``."""
    return ",".join(f"{key}={json.dumps(value)}" for key, value in identity.items())


def _without(manager: Manager, paths: set[Path]) -> Manager:
    return replace(manager, paths=manager.paths - paths)


def validate_manager(field: str, name: str) -> Iterator[Cause]:
    """Check a manager's name, the value of ``field``."""
    if len(name.encode()) > LONGEST_NAME:
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {LONGEST_NAME} bytes", field)
    for index, character in enumerate(name):
        if not character.isprintable():
            yield invalid_value(field, name, f"invalid character U+{ord(character):04X} (at position {index})")


def validate_managers(entries: Any) -> Iterator[Cause]:
    """Check a metadata.managedFields that a client writes."""
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
    managers = []
    for entry in entries or ():
        if not isinstance(entry, dict) or not entry.get("manager"):
            continue  # clients write [{}] to remove all managers
        managers.append(
            Manager(
                entry["manager"],
                entry.get("operation", "Update"),
                entry.get("subresource", ""),
                entry.get("apiVersion", ""),
                entry.get("time", ""),
                frozenset(_paths(entry.get("fieldsV1") or {}, ())),
            )
        )
    return managers


def with_managers(document: Object, managers: list[Manager]) -> Object:
    """``document`` with the managers that still manage a field."""
    entries = [
        {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            **({"time": manager.time} if manager.time else {}),
            "fieldsType": FIELDS_TYPE,
            "fieldsV1": _tree(manager.paths),
            **({"subresource": manager.subresource} if manager.subresource else {}),
        }
        for manager in sorted(managers, key=_order)
        if manager.paths
    ]
    metadata = {key: value for key, value in document["metadata"].items() if key != "managedFields"}
    return {**document, "metadata": {**metadata, **({"managedFields": entries} if entries else {})}}


def _order(manager: Manager) -> tuple[str, ...]:
    """The order of entries: applies first, then by time, then by name."""
    return manager.operation, manager.time, manager.name, manager.api_version, manager.subresource


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
        value = json.loads(rest)
    except (ValueError, RecursionError):
        return False
    return kind == "v" or (kind, type(value)) in (("k", dict), ("i", int))


def _paths(tree: Object, path: Path) -> list[Path]:
    if not tree:
        return [path] if path else []
    return [leaf for step, inner in tree.items() for leaf in _paths(inner, (*path, step))]


def equal_except_times(old: Object, new: Object) -> bool:
    """Whether the objects differ at most in the times of their managers: such a write changes nothing."""
    return _without_times(old) == _without_times(new)


def _without_times(document: Object) -> Object:
    entries = [{**entry, "time": ""} for entry in document["metadata"].get("managedFields") or ()]
    return {**document, "metadata": {**document["metadata"], "managedFields": entries}}
