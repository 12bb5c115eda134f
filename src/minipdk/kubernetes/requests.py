"""What a request asks: its path, its query and its body.

Paths: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from minipdk.kubernetes import kinds, schemas
from minipdk.kubernetes.errors import BadRequestError, NotSupportedError, UnknownPathError, UnsupportedMediaTypeError
from minipdk.kubernetes.queries import is_set
from minipdk.kubernetes.registry import WriteOptions
from minipdk.kubernetes.resources import Object, Resource, Target

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC_PATCH, APPLY_PATCH = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
DEEPEST = 200


def locate(group: str, version: str, path: str) -> Target:
    """The target of ``path``, the part of a URL behind the group and version.

    Raises UnknownPathError for what is not there, and NotSupportedError for what a real cluster would have here.
    """
    parts = [part for part in path.split("/") if part]
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces" and not _is_part(kinds.NAMESPACES, parts[2]):
        namespace, parts = parts[1], parts[2:]
    if not 0 < len(parts) < 4:
        if len(parts) > 3 and parts[2] in kinds.UNSUPPORTED_SUBRESOURCES.get(parts[0], ()):
            raise NotSupportedError(f"{parts[0]}/{parts[2]}")
        raise UnknownPathError
    resource = kinds.find(group, version, parts[0])
    if resource is None or (namespace and not resource.namespaced):
        raise UnknownPathError
    name, part = (*parts[1:], "", "")[:2]
    if part and resource.subresource(part) is None:
        if part in kinds.UNSUPPORTED_SUBRESOURCES.get(resource.plural, ()):
            raise NotSupportedError(f"{resource.plural}/{part}", _instead(part, name))
        raise UnknownPathError
    if name and resource.namespaced and not namespace:
        raise UnknownPathError
    return Target(resource, namespace, name, part)


def _is_part(resource: Resource, name: str) -> bool:
    return resource.subresource(name) is not None or name in kinds.UNSUPPORTED_SUBRESOURCES[resource.plural]


def _instead(part: str, pod: str) -> str:
    if part == "portforward":
        return "predictors are reached through the ingress, whose address `minipdk status` prints"
    if part in ("exec", "attach"):
        return f"read what the container prints with `kubectl logs {pod}`"
    return ""


def write_options(query: Mapping[str, str], user_agent: str) -> WriteOptions:
    """The parameters of a write. Raises BadRequestError for a value that there is not."""
    dry_run = query.get("dryRun", "")
    if dry_run not in ("", "All"):
        raise BadRequestError(f'Invalid value: "{dry_run}": dryRun must be "All" or left out')
    validation = query.get("fieldValidation") or "Warn"
    if validation not in ("Strict", "Warn", "Ignore"):
        raise BadRequestError(f'Unsupported value: "{validation}": fieldValidation must be "Ignore", "Strict" or "Warn"')
    manager = query.get("fieldManager") or user_agent.partition("/")[0] or "unknown"
    return WriteOptions(dry_run=bool(dry_run), manager=manager[:128], validation=validation, force=is_set(query, "force"))


def read_body(content_type: str, body: bytes, accepted: tuple[str, ...] = (JSON, YAML, PROTOBUF)) -> Any:
    """The body's document, and for protobuf the object it holds. An empty body is an empty object."""
    kind = content_type.partition(";")[0].strip().lower() or JSON
    if kind not in accepted:
        raise UnsupportedMediaTypeError(accepted)
    if not body.strip():
        return {}
    if kind == PROTOBUF:
        from minipdk.kubernetes.protobuf import decode

        return decode(body)
    if kind in (YAML, APPLY_PATCH) and not body.lstrip().startswith(b"{"):
        return _read_yaml(body)
    try:
        found = json.loads(body, parse_constant=_refuse_constant)
        if b"\\ud" in body.lower():  # an escape that may be half a character, which no store can keep
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error


def an_object(found: Any, model: str = "") -> Object:
    """``found`` if it is a JSON object that is not too deep, with the fields of the vendor's ``model`` at their types.

    Raises BadRequestError for anything else.
    """
    if not isinstance(found, dict):
        raise BadRequestError("the body must be one API object")
    if _depth(found) > DEEPEST:
        raise BadRequestError(f"the body is nested more than {DEEPEST} deep")
    if not isinstance(found.get("metadata") or {}, dict):
        raise BadRequestError("metadata in body must be of type object")
    if model and (causes := schemas.check_model(model, found).causes):
        raise BadRequestError("; ".join(f"{cause.field}: {cause.message}" for cause in causes), causes=causes)
    return found


def _read_yaml(body: bytes) -> Any:
    import yaml

    try:
        # dates stay strings, as in the API's own YAML
        loader = type("_Loader", (yaml.CSafeLoader,), {"yaml_implicit_resolvers": _resolvers_without_dates(yaml)})
        return yaml.load(body, loader)  # noqa: S506  # a safe loader
    except (yaml.YAMLError, RecursionError) as error:
        raise BadRequestError(f"the body is not YAML: {error}") from error


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
