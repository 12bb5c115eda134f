"""A predictor's container: a runtime's, overlaid by what the InferenceService says of it.

KServe merges them as a strategic merge patch, but appends the arguments, and fills in the runtime's ``{{.Name}}``s.
"""

from __future__ import annotations

import json
import re
from typing import Any

from minipdk.controller.api import Object
from minipdk.services.kserve.errors import InvalidSpecError

MERGE_KEYS = {"env": "name", "ports": "containerPort", "volumeMounts": "mountPath"}
"""The lists of a container whose entries are merged, and by what; any other list is replaced."""
HANDLERS = frozenset({"httpGet", "tcpSocket", "exec", "grpc"})
PLACEHOLDER = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
TAG = re.compile(r":[\w.\-]*$")


def overlaid(runtime: Object, wanted: Object) -> Object:
    """The container of a runtime with what is ``wanted`` of it instead or besides."""
    merged = _merged(runtime, wanted)
    merged["name"] = runtime["name"]
    if args := [*(runtime.get("args") or []), *(wanted.get("args") or [])]:
        merged["args"] = args
    return merged


def _merged(below: Object, above: Object) -> Object:
    merged = dict(below)
    for field, value in above.items():
        known = below.get(field)
        if isinstance(known, dict) and isinstance(value, dict):
            # A probe or variable has one way to do it: another one replaces it.
            kept = {key: one for key, one in known.items() if key not in HANDLERS or not HANDLERS & value.keys()}
            merged[field] = _merged(kept, value)
        elif field in MERGE_KEYS and known:
            merged[field] = _merged_list(known, value, MERGE_KEYS[field])
        else:
            merged[field] = value
    return merged


def _merged_list(below: list[Object], above: list[Object], key: str) -> list[Object]:
    entries = {one[key]: one for one in below}
    for one in above:
        entries[one[key]] = one
    return list(entries.values())


def filled_in(container: Object, metadata: Object, runtime: str) -> Object:
    """``container`` with the placeholders replaced that stand for fields of the InferenceService's ``metadata``."""

    def value(match: re.Match[str]) -> str:
        root, _, key = match[1].removeprefix(".").partition(".")
        if match[1] in (".Name", ".Namespace"):
            return str(metadata[root.lower()])
        if root in ("Labels", "Annotations") and key:
            return str((metadata.get(root.lower()) or {}).get(key, ""))
        told = f"failed to replace placeholders in serving runtime {runtime} Container {container['name']}"
        known = "{{.Name}}, {{.Namespace}}, {{.Labels.<label>}} and {{.Annotations.<annotation>}}"
        raise InvalidSpecError(f"{told}: {match[0]} is none of {known}", told=told)

    def replaced(found: Any) -> Any:
        if isinstance(found, dict):
            return {name: replaced(one) for name, one in found.items()}
        if isinstance(found, list):
            return [replaced(one) for one in found]
        return PLACEHOLDER.sub(value, found) if isinstance(found, str) else found

    filled: Object = replaced(container)
    return filled


def tagged(image: str, version: str) -> str:
    """``image`` in another ``version``."""
    return f"{TAG.sub('', image)}:{version}"


def serves_requests(containers: list[Object]) -> Object:
    """The container that takes the requests, as Knative finds it: the only one, or the only one with ports."""
    if len(containers) == 1:
        return containers[0]
    found = [one for one in containers if one.get("ports")]
    if len(found) != 1:
        got = f"got {len(found)}: {json.dumps([one.get('name') for one in found])}" if found else "got neither"
        raise InvalidSpecError(f"expected exactly one, {got}: spec.predictor.containers[*].ports")
    return found[0]
