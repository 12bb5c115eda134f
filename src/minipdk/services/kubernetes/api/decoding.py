"""A body's bytes as a document: JSON, YAML or protobuf."""

from __future__ import annotations

import json
from typing import Any

from minipdk.services.kubernetes.errors import BadRequestError, UnsupportedMediaTypeError
from minipdk.services.kubernetes.kinds import schemas
from minipdk.services.kubernetes.model import Object

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC_PATCH, APPLY_PATCH = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
DOCUMENTS = (JSON, YAML, PROTOBUF)
DEEPEST = 200
MOST_VALUES = 2_000_000
"""Of a YAML body, each alias written out; without aliases no body is large enough for so many."""


def read_body(content_type: str, body: bytes, accepted: tuple[str, ...] = DOCUMENTS, twice: list[str] | None = None) -> Any:
    """The body's document, and for protobuf the object it holds. An empty body is an empty object.

    ``twice`` is added to: a sentence for each field that is there more than once, of which the last one counts.
    """
    twice = [] if twice is None else twice
    kind = content_type.partition(";")[0].strip().lower() or JSON
    if kind not in accepted:
        raise UnsupportedMediaTypeError(accepted)
    if not body.strip():
        return {}
    if kind == PROTOBUF:
        from minipdk.services.kubernetes.api.protobuf import decode

        return decode(body)
    is_yaml = kind in (YAML, APPLY_PATCH) and not body.lstrip().startswith(b"{")
    return need_shallow(_read_yaml(body, twice) if is_yaml else _read_json(body, twice))


def need_shallow(found: Any) -> Any:
    """``found`` if it is not too deep. Raises BadRequestError."""
    if _depth(found) > DEEPEST:
        raise BadRequestError(f"the body is nested more than {DEEPEST} deep")
    return found


def an_object(found: Any, model: str = "") -> Object:
    """``found`` if it is a JSON object with metadata, if any, and the fields of the vendor's ``model`` at their types.

    Raises BadRequestError for anything else.
    """
    if not isinstance(found, dict):
        raise BadRequestError("the body must be one API object")
    metadata_of(found)
    if model and (causes := schemas.check_model(model, found).causes):
        raise BadRequestError("; ".join(f"{cause.field}: {cause.message}" for cause in causes), causes=causes)
    return found


def metadata_of(body: Object) -> Object:
    """The object's metadata, empty where it is null or left out. Raises BadRequestError where it is anything else."""
    metadata = body.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise BadRequestError("metadata in body must be of type object")
    return metadata


def _read_json(body: bytes, twice: list[str]) -> Any:
    doubled: list[tuple[Object, list[str]]] = []

    def build(pairs: list[tuple[str, Any]]) -> Object:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            doubled.append((found, [name for name in found if names.count(name) > 1]))
        return found

    try:
        document = json.loads(body, parse_constant=_refuse_constant, object_pairs_hook=build)
        if b"\\ud" in body.lower():  # an escape that may be half a character, which no store can keep
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    for found, names in doubled:
        twice.extend(f'duplicate field "{path}{name}"' for path in _places(document, found) for name in names)
    return document


def _places(document: Any, wanted: Object) -> list[str]:
    """The path to ``wanted`` within the document, with a dot behind it; nothing if it is not there (any more)."""
    waiting = [("", document)]
    while waiting:
        path, one = waiting.pop()
        if one is wanted:
            return [f"{path}." if path else ""]
        if isinstance(one, dict):
            waiting += [(f"{path}.{name}" if path else name, inner) for name, inner in one.items()]
        elif isinstance(one, list):
            waiting += [(f"{path}[{index}]", inner) for index, inner in enumerate(one)]
    return []


def _read_yaml(body: bytes, twice: list[str]) -> Any:
    import yaml

    def build(loader: Any, node: Any, *, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                twice.append(f'line {key.start_mark.line + 1}: key "{key.value}" already set in map')
            if isinstance(key.value, str):
                seen.add(key.value)
        return yaml.CSafeLoader.construct_mapping(loader, node, deep=deep)

    try:
        # dates stay strings, as in the API's own YAML
        changes = {"yaml_implicit_resolvers": _resolvers_without_dates(yaml), "construct_mapping": build}
        loader = type("_Loader", (yaml.CSafeLoader,), changes)
        document = yaml.load(body, loader)  # noqa: S506  # a safe loader
        if _values(document, {}) > MOST_VALUES:
            raise ValueError("document contains excessive aliasing")
        # by way of JSON, which knows no bytes, sets or dates, and whose names are strings: 1 becomes "1"
        return json.loads(json.dumps(document, allow_nan=False, ensure_ascii=False).encode())
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise BadRequestError(f"error converting YAML to JSON: {error}") from error


def _values(found: Any, known: dict[int, int]) -> int:
    """How many values there are in ``found``, written out. ``known``: of what has been counted, by its identity."""
    if not isinstance(found, dict | list):
        return 1
    if id(found) not in known:
        known[id(found)] = 1 + sum(_values(one, known) for one in (found.values() if isinstance(found, dict) else found))
    return known[id(found)]


def _resolvers_without_dates(yaml: Any) -> dict[str, Any]:
    known = yaml.CSafeLoader.yaml_implicit_resolvers
    return {key: [one for one in found if one[0] != "tag:yaml.org,2002:timestamp"] for key, found in known.items()}


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON value")


def _depth(found: Any) -> int:
    """How deep ``found`` is nested, as far as it matters; without recursion, since it may be a hostile body."""
    level, depth = [found], 0
    while level and depth <= DEEPEST:
        depth += 1
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
    return depth
