"""The bytes of a body as a document: JSON, YAML or protobuf."""

from __future__ import annotations

import json
from typing import Any

from minipdk.common.documents import DocumentError, check_yaml, read_json
from minipdk.services.kubernetes.errors import BadRequestError, UnsupportedMediaTypeError
from minipdk.services.kubernetes.model import Object

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC_PATCH, APPLY_PATCH = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
DOCUMENTS = (JSON, YAML, PROTOBUF)


def read_body(
    content_type: str, body: bytes, accepted: tuple[str, ...] = DOCUMENTS, duplicates: list[str] | None = None
) -> Any:
    """The body's document, and for protobuf the object in it. An empty body is an empty object.

    A sentence is added to ``duplicates`` for each field that occurs more than once; its last value counts.
    """
    duplicates = [] if duplicates is None else duplicates
    kind = content_type.partition(";")[0].strip().lower() or JSON
    if kind not in accepted:
        raise UnsupportedMediaTypeError(accepted)
    if not body.strip():
        return {}
    if kind == PROTOBUF:
        from minipdk.services.kubernetes.api.protobuf import decode

        return decode(body)
    is_yaml = kind in (YAML, APPLY_PATCH) and not body.lstrip().startswith(b"{")
    return _read_yaml(body, duplicates) if is_yaml else _read_json(body, duplicates)


def _read_json(body: bytes, duplicates: list[str]) -> Any:
    with_duplicates: list[tuple[Object, list[str]]] = []

    def build(pairs: list[tuple[str, Any]]) -> Object:
        built = dict(pairs)
        if len(built) < len(pairs):
            names = [name for name, _ in pairs]
            with_duplicates.append((built, [name for name in built if names.count(name) > 1]))
        return built

    try:
        document = read_json(body, pairs=build)
    except DocumentError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    for built, names in with_duplicates:
        duplicates.extend(f'duplicate field "{path}{name}"' for path in _paths_to(document, built) for name in names)
    return document


def _paths_to(document: Any, searched: Object) -> list[str]:
    """The path to ``searched`` in the document, with a dot at its end; none if a duplicate field has replaced it."""
    waiting = [("", document)]
    while waiting:
        path, value = waiting.pop()
        if value is searched:
            return [f"{path}." if path else ""]
        if isinstance(value, dict):
            waiting += [(f"{path}.{name}" if path else name, inner) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{path}[{index}]", inner) for index, inner in enumerate(value)]
    return []


def _read_yaml(body: bytes, duplicates: list[str]) -> Any:
    import yaml

    def build(loader: Any, node: Any, *, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                duplicates.append(f'line {key.start_mark.line + 1}: key "{key.value}" already set in map')
            if isinstance(key.value, str):
                seen.add(key.value)
        return yaml.CSafeLoader.construct_mapping(loader, node, deep=deep)

    try:
        check_yaml(body)
        # dates stay strings, as in the API's own YAML
        changes = {"yaml_implicit_resolvers": _resolvers_without_dates(yaml), "construct_mapping": build}
        loader = type("_Loader", (yaml.CSafeLoader,), changes)
        document = yaml.load(body, loader)  # noqa: S506  # a safe loader
        # through JSON, which has no bytes, sets or dates, and whose names are strings: 1 becomes "1"
        return json.loads(json.dumps(document, allow_nan=False, ensure_ascii=False).encode())
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise BadRequestError(f"error converting YAML to JSON: {error}") from error


def _resolvers_without_dates(yaml: Any) -> dict[str, Any]:
    resolvers = yaml.CSafeLoader.yaml_implicit_resolvers
    return {
        key: [resolver for resolver in listed if resolver[0] != "tag:yaml.org,2002:timestamp"]
        for key, listed in resolvers.items()
    }
