"""The OpenAPI 2 document, which kubectl before 1.27 validates, explains and checks dry runs with (in protobuf).

Its content is that of the v3 documents. The messages are those of gnostic's OpenAPIv2.proto, as far as kubectl reads them
(https://github.com/google/gnostic/blob/main/openapiv2/OpenAPIv2.proto).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from minipdk.services.kubernetes.api import openapi
from minipdk.services.kubernetes.api.descriptors import messages
from minipdk.services.kubernetes.model import Object

PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
ANSWERED = PROTOBUF.replace("@", ".")
"""What a client asks for is no valid media type, so the answer calls itself otherwise."""
EXTENSION = "x-kubernetes-group-version-kind"

FIELDS = """
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


@cache
def document() -> bytes:
    """GET /openapi/v2, in protobuf."""
    documents = [openapi.document(path) for path in openapi.paths()]
    found = _message("Document")(swagger="2.0")
    found.info.title, found.info.version = documents[0]["info"]["title"], documents[0]["info"]["version"]
    for one in documents:
        for path, item in one["paths"].items():
            _fill_path(found.paths.path.add(name=path).value, item)
    _fill_named(found.definitions, _schemas(documents))
    return bytes(found.SerializeToString())


@cache
def as_json() -> Object:
    """GET /openapi/v2, as JSON."""
    documents = [openapi.document(path) for path in openapi.paths()]
    paths = {path: item for one in documents for path, item in one["paths"].items()}
    return {
        "swagger": "2.0",
        "info": documents[0]["info"],
        "paths": {path: {method: _operation(found) for method, found in item.items()} for path, item in paths.items()},
        "definitions": {name: _definition(schema) for name, schema in _schemas(documents).items()},
    }


def _schemas(documents: list[Object]) -> Object:
    found: Object = {name: schema for one in documents for name, schema in one["components"]["schemas"].items()}
    for one in documents:  # a shared schema such as ObjectMeta has no kind, a kind's own is in one document
        found |= {name: schema for name, schema in one["components"]["schemas"].items() if EXTENSION in schema}
    return found


def _operation(operation: Object) -> Object:
    parameters = [{"name": one["name"], "in": one["in"], "type": "string"} for one in operation["parameters"]]
    content = operation["responses"]["200"]["content"]
    schema = {"schema": _definition(content["application/json"]["schema"])} if content else {}
    return {**operation, "parameters": parameters, "responses": {"200": {"description": "OK", **schema}}}


def _definition(schema: Any) -> Any:
    """A schema of the v3 documents in the words of version 2, where what takes several types is a string."""
    if isinstance(schema, list):
        return [_definition(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _definition(inner) for name, inner in schema.items() if name not in ("allOf", "oneOf", "$ref")}
    if "oneOf" in schema:
        found["type"] = "string"
    for reference in schema.get("allOf") or ([schema] if "$ref" in schema else []):
        found["$ref"] = reference["$ref"].replace("#/components/schemas/", "#/definitions/")
    return found


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
    """``message`` from a schema of the v3 documents. One that takes several types takes any here."""
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
    return messages("openapi_v2", FIELDS)[name]
