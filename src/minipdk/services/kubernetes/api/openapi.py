"""The OpenAPI documents by which kubectl validates, patches and explains, made from `schemas`.

There is one document of version 3 for each group and version. The document of version 2, with the same content, is for
kubectl before 1.27, which reads it in protobuf, as messages of gnostic's OpenAPIv2.proto. The messages here have the fields
that kubectl reads (https://github.com/google/gnostic/blob/main/openapiv2/OpenAPIv2.proto).
Rules: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-specification.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from minipdk.services.kubernetes.api.descriptors import messages
from minipdk.services.kubernetes.errors import UnknownPathError
from minipdk.services.kubernetes.kinds import table
from minipdk.services.kubernetes.kinds.schemas import Type, model
from minipdk.services.kubernetes.model import CREATE_ONLY, GIT_VERSION, Object, Resource

PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
ANSWERED = PROTOBUF.replace("@", ".")
"""The media type that clients ask for is invalid, so the answer has another."""
EXTENSION = "x-kubernetes-group-version-kind"

V2_MESSAGES = """
Document swagger=1:string info=2:Info paths=8:Paths definitions=9:Definitions
Info title=1:string version=2:string
Paths path=2:[NamedPathItem
NamedPathItem name=1:string value=2:PathItem
PathItem get=2:Operation put=3:Operation post=4:Operation delete=5:Operation patch=8:Operation
Operation parameters=8:[ParametersItem vendor_extension=13:[NamedAny
ParametersItem parameter=1:Parameter
Parameter non_body_parameter=2:NonBodyParameter
NonBodyParameter query_parameter_sub_schema=3:QueryParameter
QueryParameter in=2:string name=4:string type=6:string
Definitions additional_properties=1:[NamedSchema
NamedSchema name=1:string value=2:Schema
Schema _ref=1:string format=2:string description=4:string required=19:[string additional_properties=21:AdditionalProperties \
 type=22:TypeItem items=23:ItemsItem all_of=24:[Schema properties=25:Properties vendor_extension=31:[NamedAny
AdditionalProperties schema=1:Schema
TypeItem value=1:[string
ItemsItem schema=1:[Schema
Properties additional_properties=1:[NamedSchema
NamedAny name=1:string value=2:Any
Any yaml=2:string
"""

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
    """Each document's path, with its group and version."""
    versions = table.group_versions()
    return {f"apis/{group}/{version}" if group else f"api/{version}": (group, version) for group, version in versions}


@cache
def index() -> Object:
    """GET /openapi/v3: the address of each document, with a hash by which clients can cache it."""
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
    for resource in table.of_group(group, version):
        _add_kind(resource, schemas)
        operations |= _paths(path, resource)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": GIT_VERSION},
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
    vendor_model = model(name)
    if vendor_model is None or _schema_name(name) in schemas:
        return
    schema: Object = {"type": "object", "properties": {}}
    schemas[_schema_name(name)] = schema
    for field, kind in vendor_model.fields.items():
        described = {"description": vendor_model.descriptions[field]} if field in vendor_model.descriptions else {}
        schema["properties"][field] = _schema(kind, schemas, described)
    if vendor_model.required:
        schema["required"] = sorted(vendor_model.required)


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
    """A name in the vendor's style: V1PodSpec becomes io.k8s.v1.PodSpec."""
    match = _VERSIONED.fullmatch(name)
    return f"io.k8s.{match[1].lower()}.{match[2]}" if match else f"io.k8s.{name}"


def _kind(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _paths(prefix: str, resource: Resource) -> Object:
    """The paths and methods from which kubectl reads the parameters of a kind's writes."""
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


@cache
def document_v2() -> bytes:
    """GET /openapi/v2, in protobuf."""
    documents = [document(path) for path in paths()]
    message = _message("Document")(swagger="2.0")
    message.info.title, message.info.version = documents[0]["info"]["title"], documents[0]["info"]["version"]
    for part in documents:
        for path, item in part["paths"].items():
            _fill_path(message.paths.path.add(name=path).value, item)
    _fill_named(message.definitions, _schemas(documents))
    return bytes(message.SerializeToString())


@cache
def document_v2_as_json() -> Object:
    """GET /openapi/v2, as JSON."""
    documents = [document(path) for path in paths()]
    items = {path: item for part in documents for path, item in part["paths"].items()}
    return {
        "swagger": "2.0",
        "info": documents[0]["info"],
        "paths": {
            path: {method: _operation(operation) for method, operation in item.items()} for path, item in items.items()
        },
        "definitions": {name: _definition(schema) for name, schema in _schemas(documents).items()},
    }


def _schemas(documents: list[Object]) -> Object:
    schemas: Object = {}
    for part in documents:
        schemas |= part["components"]["schemas"]
    for part in documents:  # a kind's own schema is in one document alone, and replaces one that another kind refers to
        schemas |= {name: schema for name, schema in part["components"]["schemas"].items() if EXTENSION in schema}
    return schemas


def _operation(operation: Object) -> Object:
    parameters = [{"name": item["name"], "in": item["in"], "type": "string"} for item in operation["parameters"]]
    content = operation["responses"]["200"]["content"]
    schema = {"schema": _definition(content["application/json"]["schema"])} if content else {}
    return {**operation, "parameters": parameters, "responses": {"200": {"description": "OK", **schema}}}


def _definition(schema: Any) -> Any:
    """A schema of version 3 in the terms of version 2, in which a value of several types is a string."""
    if isinstance(schema, list):
        return [_definition(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    definition = {name: _definition(inner) for name, inner in schema.items() if name not in ("allOf", "oneOf", "$ref")}
    if "oneOf" in schema:
        definition["type"] = "string"
    for reference in schema.get("allOf") or ([schema] if "$ref" in schema else []):
        definition["$ref"] = reference["$ref"].replace("#/components/schemas/", "#/definitions/")
    return definition


def _fill_path(message: Any, item: Object) -> None:
    for method, operation in item.items():
        target = getattr(message, method)
        for parameter in operation["parameters"]:
            query = target.parameters.add().parameter.non_body_parameter.query_parameter_sub_schema
            query.name, query.type = parameter["name"], "string"
            setattr(query, "in", "query")  # a keyword in Python
        target.vendor_extension.add(name=EXTENSION).value.yaml = json.dumps(operation[EXTENSION])


def _fill_named(message: Any, schemas: Object) -> None:
    for name, schema in schemas.items():
        _fill_schema(message.additional_properties.add(name=name).value, schema)


def _fill_schema(message: Any, schema: Object) -> None:
    """Fill ``message`` from a schema of version 3. A value of several types may be anything here."""
    references: Iterable[Object] = schema.get("allOf") or ([schema] if "$ref" in schema else [])
    for reference in references:
        message._ref = reference["$ref"].replace("#/components/schemas/", "#/definitions/")
    message.description = schema.get("description", "")
    message.required.extend(schema.get("required", ()))
    if "type" in schema:
        message.type.value.append(schema["type"])
    if "items" in schema:
        _fill_schema(message.items.schema.add(), schema["items"])
    if isinstance(more := schema.get("additionalProperties"), dict):
        _fill_schema(message.additional_properties.schema, more)
    if "properties" in schema and "x-kubernetes-preserve-unknown-fields" not in schema:
        _fill_named(message.properties, schema["properties"])
    if EXTENSION in schema:
        message.vendor_extension.add(name=EXTENSION).value.yaml = json.dumps(schema[EXTENSION])


def _message(name: str) -> Any:
    return messages("openapi_v2", V2_MESSAGES)[name]
