"""The OpenAPI 3 documents that kubectl validates, patches and explains with, made from `schemas`.

Rules: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from typing import Any

from minipdk.services.kubernetes.api import discovery
from minipdk.services.kubernetes.errors import UnknownPathError
from minipdk.services.kubernetes.kinds import table as kinds
from minipdk.services.kubernetes.kinds.schemas import Type, model
from minipdk.services.kubernetes.model import CREATE_ONLY, Object, Resource

PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "force")
_VERSIONED = re.compile(r"(?:Core)?(V\d+(?:alpha\d+|beta\d+)?)(?=[A-Z])(.+)")
_SCALARS: dict[str, Object] = {
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "int": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "double"},
    "datetime": {"type": "string", "format": "date-time"},
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "object": {"x-kubernetes-preserve-unknown-fields": True},
}


def paths() -> dict[str, tuple[str, str]]:
    """Each document's path, and the group and version it is of."""
    found = kinds.group_versions()
    return {f"apis/{group}/{version}" if group else f"api/{version}": (group, version) for group, version in found}


@cache
def index() -> Object:
    """GET /openapi/v3: where each version's document is; the hash lets clients keep it."""
    listed = {}
    for path in paths():
        digest = hashlib.sha256(json.dumps(document(path)).encode()).hexdigest().upper()
        listed[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": listed}


@cache
def document(path: str) -> Object:
    """GET /openapi/v3/api/v1 or /openapi/v3/apis/{group}/{version}."""
    known = paths()
    if path not in known:
        raise UnknownPathError
    group, version = known[path]
    schemas: dict[str, Object] = {}
    operations: Object = {}
    for resource in kinds.of_group(group, version):
        _add_kind(resource, schemas)
        operations |= _paths(path, resource)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": discovery.server_version()["gitVersion"]},
        "paths": operations,
        "components": {"schemas": schemas},
    }


def _add_kind(resource: Resource, schemas: dict[str, Object]) -> None:
    name = _schema_name(resource.model or f"{resource.version.capitalize()}{resource.kind}")
    if resource.model:
        _add_model(resource.model, schemas)
    else:
        _add_model("V1ObjectMeta", schemas)
        metadata = {"metadata": _schema(Type("V1ObjectMeta"), schemas)}
        fields = {"apiVersion": _SCALARS["str"], "kind": _SCALARS["str"]} | metadata
        schemas[name] = {"type": "object", "properties": fields, "x-kubernetes-preserve-unknown-fields": True}
    schemas[name] |= {"description": resource.description, "x-kubernetes-group-version-kind": [_kind(resource)]}


def _add_model(name: str, schemas: dict[str, Object]) -> None:
    found = model(name)
    if found is None or _schema_name(name) in schemas:
        return
    schema: Object = {"type": "object", "properties": {}}
    schemas[_schema_name(name)] = schema
    for field, kind in found.fields.items():
        described = {"description": found.descriptions[field]} if field in found.descriptions else {}
        schema["properties"][field] = _schema(kind, schemas, described)
    if found.required:
        schema["required"] = sorted(found.required)


def _schema(kind: Type, schemas: dict[str, Object], described: Object | None = None) -> Object:
    described = described or {}
    if kind.name in ("list", "dict"):
        assert kind.item is not None
        inner = _schema(kind.item, schemas)
        shape = (
            {"type": "array", "items": inner} if kind.name == "list" else {"type": "object", "additionalProperties": inner}
        )
        return shape | described
    if kind.name in _SCALARS:
        return _SCALARS[kind.name] | described
    if model(kind.name) is None:
        return _SCALARS["object"] | described
    _add_model(kind.name, schemas)
    return {"allOf": [{"$ref": f"#/components/schemas/{_schema_name(kind.name)}"}]} | described


def _schema_name(name: str) -> str:
    """The vendor's kind of name: V1PodSpec becomes io.k8s.v1.PodSpec."""
    found = _VERSIONED.fullmatch(name)
    return f"io.k8s.{found[1].lower()}.{found[2]}" if found else f"io.k8s.{name}"


def _kind(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _paths(prefix: str, resource: Resource) -> Object:
    """The paths by which kubectl learns which parameters a kind's writes take."""
    base = f"/{prefix}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"/{prefix}/{resource.plural}"
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in PARAMETERS]
    media = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_schema_name(resource.model)}"}}}

    def operation(action: str) -> dict[str, Any]:
        return {
            "parameters": parameters,
            "responses": {"200": {"description": "OK", "content": media if resource.model else {}}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": _kind(resource),
        }

    if resource.verbs == CREATE_ONLY:
        return {base: {"post": operation("post")}}
    item = {"get": operation("get"), "put": operation("put"), "patch": operation("patch"), "delete": operation("delete")}
    return {base: {"get": operation("list"), "post": operation("post")}, f"{base}/{{name}}": item}
