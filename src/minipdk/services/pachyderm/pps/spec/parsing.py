"""From the JSON a user wrote to the effective pipeline spec: strict parsing, and merging with the defaults.

A spec is merged, as a JSON merge patch (RFC 7396), over the project's defaults, these over the cluster's and these over the
built-in ones. Field names may be spelled in snake_case or camelCase. An unknown field, a wrong type or a duration that is
not in seconds is refused with the field's path.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from minipdk.common.documents import read_json
from minipdk.common.merge_patch import merge_patch
from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import InvalidRequestError

if TYPE_CHECKING:
    from minipdk.services.pachyderm.wire.message import Descriptor, FieldDescriptor

Json = dict[str, Any]
"""A JSON object."""

DEFAULT_IMAGE = "ubuntu:20.04"
BUILT_IN_DEFAULTS: Json = {
    "createPipelineRequest": {
        "transform": {"image": DEFAULT_IMAGE},
        "outputBranch": "master",
        "datumTries": "3",
        "reprocessSpec": "until_success",
    }
}
REQUEST, DEFAULTS = "CreatePipelineRequest", "ClusterDefaults"

_VENDOR_NAMES = {("pps_v2.Egress", "URL"): "url"}
"""The fields whose names in the vendor's definitions differ from the SDK's."""


def parse_object(text: str, title: str) -> Json:
    """``text`` as a JSON object. Raises InvalidRequestError with ``title`` and the line otherwise."""
    try:
        value = read_json((text or "{}").encode(), pairs=_without_duplicates)
    except ValueError as error:
        raise InvalidRequestError(f"{title} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidRequestError(f"{title} must be a JSON object, not {_json_type(value)}")
    return value


def canonical(value: Json, message: str = REQUEST) -> Json:
    """``value`` with every field of the PPS message ``message`` under its camelCase name; unknown fields are refused."""
    return _canonical(value, getattr(wire.pps, message).DESCRIPTOR, "")


def merged(*layers: Json) -> Json:
    """The layers merged as JSON merge patches: later ones win, a null removes."""
    result: Json = {}
    for layer in layers:
        result = merge_patch(result, layer)
    return result


def effective(cluster: Json, project: Json, user: Json) -> Json:
    """The effective spec: canonical JSON of a CreatePipelineRequest."""
    defaults = [canonical(layer, DEFAULTS) for layer in (cluster, project)]
    wrapped = merged(BUILT_IN_DEFAULTS, *defaults, {"createPipelineRequest": canonical(user)})
    request: Json = wrapped["createPipelineRequest"]
    if isinstance(transform := request.get("transform"), dict) and "image" not in transform:
        transform["image"] = DEFAULT_IMAGE  # a null, which would remove the default
    return request


def to_request(spec: Json) -> wire.pps.CreatePipelineRequest:
    """``spec`` as a CreatePipelineRequest message. InvalidRequestError has the name of a field that does not fit."""
    request = wire.pps.CreatePipelineRequest()
    try:
        json_format.ParseDict(spec, request)
    except json_format.ParseError as error:
        raise InvalidRequestError(_explain(str(error))) from None
    return request


def to_json(message: wire.Message) -> str:
    """A message as the canonical JSON that pachd answers with. InvalidRequestError for a time that JSON cannot express."""
    try:
        value = json_format.MessageToDict(message)
    except (json_format.Error, OverflowError) as error:
        raise InvalidRequestError(f"the request has no JSON form: {error}") from None
    return json.dumps(_with_whole_numbers(value), ensure_ascii=False)


def _with_whole_numbers(value: Any) -> Any:
    """Go writes the number 1.0 as 1."""
    if isinstance(value, dict):
        return {key: _with_whole_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _canonical(value: object, descriptor: Descriptor, path: str) -> Json:
    if not isinstance(value, dict):
        where = f"field {path}" if path else "a pipeline spec"
        raise InvalidRequestError(f"{where} must be a JSON object, not {_json_type(value)}")
    fields = {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
    fields |= {name: fields[field] for (message, name), field in _VENDOR_NAMES.items() if message == descriptor.full_name}
    result: Json = {}
    for name, inner in value.items():
        where = f"{path}.{name}" if path else name
        if name not in fields:
            raise InvalidRequestError(f'unknown field "{where}" in {descriptor.full_name}{_closest(name, descriptor)}')
        field = fields[name]
        if field.json_name in result:
            raise InvalidRequestError(f'field "{where}" is set twice, as {field.name} and as {field.json_name}')
        result[field.json_name] = _canonical_field(inner, field, where)
    return result


def _canonical_field(value: object, field: FieldDescriptor, path: str) -> object:
    kind = field.message_type
    if value is None or kind is None or kind.file.package == "google.protobuf" or kind.full_name.startswith("google."):
        return value
    if kind.GetOptions().map_entry:
        return value
    if field.label == field.LABEL_REPEATED:
        if not isinstance(value, list):
            raise InvalidRequestError(f"field {path} must be a list, not {_json_type(value)}")
        return [_canonical(item, kind, f"{path}[{index}]") for index, item in enumerate(value)]
    return _canonical(value, kind, path)


def _json_type(value: object) -> str:
    """JSON's name for a value's type."""
    names: dict[type, str] = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _closest(name: str, descriptor: Descriptor) -> str:
    near = difflib.get_close_matches(name, [field.name for field in descriptor.fields], n=1)
    return f': did you mean "{near[0]}"?' if near else ""


def _explain(reason: str) -> str:
    """The parser's reason in one line, with the remedy if it is known."""
    line = " ".join(reason.split())
    if "duration" in line.lower():
        line += '; a duration is a number of seconds followed by s, such as "300s" for five minutes'
    return line


def _without_duplicates(pairs: list[tuple[str, object]]) -> Json:
    result: Json = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f'field "{name}" is set twice')
        result[name] = value
    return result
