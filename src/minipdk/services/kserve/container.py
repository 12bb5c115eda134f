"""A predictor's container: the runtime's, overlaid by the InferenceService's fields.

KServe merges them as a strategic merge patch, but appends the arguments, and fills in the runtime's ``{{.Name}}``s.
"""

from __future__ import annotations

import json
import re
from typing import Any

from minipdk.controller.objects import Object
from minipdk.services.kserve.errors import InvalidSpecError

MERGE_KEYS = {"env": ("name",), "ports": ("containerPort", "name"), "volumeMounts": ("mountPath",)}
"""The lists of a container whose entries are merged, and the keys of an entry; any other list is replaced.

A port replaces the runtime's port of its name as well, because a container has only one port of a name.
"""
HANDLERS = frozenset({"httpGet", "tcpSocket", "exec", "grpc"})
PLACEHOLDER = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
TAG = re.compile(r":[\w.\-]*$")


def overlaid(runtime: Object, overlay: Object) -> Object:
    """The container of a runtime, with the fields of ``overlay`` instead or in addition."""
    merged = _merged(runtime, overlay)
    merged["name"] = runtime["name"]
    if args := [*(runtime.get("args") or []), *(overlay.get("args") or [])]:
        merged["args"] = args
    return merged


def _merged(below: Object, above: Object) -> Object:
    merged = dict(below)
    for field, value in above.items():
        known = below.get(field)
        if isinstance(known, dict) and isinstance(value, dict):
            # A probe has one handler: another one replaces it.
            kept = {key: item for key, item in known.items() if key not in HANDLERS or not HANDLERS & value.keys()}
            merged[field] = _merged(kept, value)
        elif field in MERGE_KEYS and known:
            merged[field] = _merged_list(known, value, MERGE_KEYS[field])
        else:
            merged[field] = value
    return merged


def _merged_list(below: list[Object], above: list[Object], keys: tuple[str, ...]) -> list[Object]:
    """The entries of both, those of ``above`` first; an entry below with the same key as one above is left out."""
    taken = {(key, entry[key]) for entry in above for key in keys if key in entry}
    return [*above, *(entry for entry in below if not taken & {(key, entry.get(key)) for key in keys})]


def with_variables(container: Object, variables: dict[str, str]) -> Object:
    """``container`` with ``variables``, which replace its own of the same names."""
    env = list(container.get("env") or [])
    for name, value in variables.items():
        known = next((index for index, variable in enumerate(env) if variable["name"] == name), len(env))
        env[known : known + 1] = [{"name": name, "value": value}]
    return {**container, "env": env}


def filled_in(container: Object, metadata: Object, runtime: str) -> Object:
    """``container`` with its placeholders replaced by fields of the InferenceService's ``metadata``."""

    def value(match: re.Match[str]) -> str:
        root, _, key = match[1].removeprefix(".").partition(".")
        if match[1] in (".Name", ".Namespace"):
            return str(metadata[root.lower()])
        if root in ("Labels", "Annotations") and key:
            return str((metadata.get(root.lower()) or {}).get(key, ""))
        summary = f"failed to replace placeholders in serving runtime {runtime} Container {container['name']}"
        known = "{{.Name}}, {{.Namespace}}, {{.Labels.<label>}} and {{.Annotations.<annotation>}}"
        raise InvalidSpecError(f"{summary}: {match[0]} is none of {known}", summary=summary)

    def replaced(field: Any) -> Any:
        if isinstance(field, dict):
            return {name: replaced(item) for name, item in field.items()}
        if isinstance(field, list):
            return [replaced(item) for item in field]
        return PLACEHOLDER.sub(value, field) if isinstance(field, str) else field

    filled: Object = replaced(container)
    return filled


def tagged(image: str, version: str) -> str:
    """``image`` in another ``version``."""
    return f"{TAG.sub('', image)}:{version}"


def serves_requests(containers: list[Object]) -> Object:
    """The container that takes the requests, as Knative finds it: the only one, or the only one with ports."""
    if len(containers) == 1:
        return containers[0]
    serving = [container for container in containers if container.get("ports")]
    if len(serving) != 1:
        names = json.dumps([container.get("name") for container in serving])
        got = f"got {len(serving)}: {names}" if serving else "got neither"
        raise InvalidSpecError(f"expected exactly one, {got}: spec.predictor.containers[*].ports")
    return serving[0]
