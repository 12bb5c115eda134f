"""Checks of a pipeline spec that need no cluster, with the words of Pachyderm's own binary.

The fields and their types are the SDK's; as in protobuf's JSON mapping they are named in snake_case or lowerCamelCase.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from typing import Any

import betterproto
from pachyderm_sdk.api import pps

from pachctl.specs import Spec, SpecError

UNTAGGED = """\
WARNING: please specify a tag for the docker image in your transform.image spec.
For example, change 'python' to 'python:3' or 'bash' to 'bash:5'. This improves
reproducibility of your pipelines.
"""
LATEST = """\
WARNING: please do not specify the ':latest' tag for the docker image in your
transform.image spec. For example, change 'python:latest' to 'python:3' or
'bash:latest' to 'bash:5'. This improves reproducibility of your pipelines.
"""


def check(spec: Spec) -> None:
    """Raises SpecError if ``spec`` is no CreatePipelineRequest or names no pipeline."""
    for fault in _faults(spec, pps.CreatePipelineRequest, ""):
        text = json.dumps(spec, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        raise SpecError(f"could not unmarshal {text} as CreatePipelineRequest: {fault}")
    if spec.get("pipeline") is None:
        raise SpecError("no `pipeline` specified")
    if not spec["pipeline"].get("name"):
        raise SpecError("no pipeline `name` specified")


def warning(spec: Spec) -> str:
    """Advice on the tag of the spec's image; "" if it needs none."""
    image = (spec.get("transform") or {}).get("image") or ""
    if image.endswith(":latest"):
        return LATEST
    return UNTAGGED if image and ":" not in image else ""


def _faults(value: Any, message: type[betterproto.Message], path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path or 'the spec'} must be an object, not {json.dumps(value)}"
        return
    fields = _fields(message)
    for name, part in value.items():
        if name not in fields:
            yield (f"{path}: " if path else "") + f'unknown field "{name}"'
        elif part is not None:
            yield from _field_faults(part, *fields[name], f"{path}.{name}".lstrip("."))


def _field_faults(value: Any, repeated: bool, message: type[betterproto.Message] | None, path: str) -> Iterator[str]:
    if repeated and not isinstance(value, list):
        yield f"{path} must be a list, not {json.dumps(value)}"
    elif message is not None:
        for part in value if repeated else [value]:
            yield from _faults(part, message, path)


def _fields(message: type[betterproto.Message]) -> dict[str, tuple[bool, type[betterproto.Message] | None]]:
    """Each name of a field: whether it is repeated, and its message; None if it is a scalar, a map or a well-known type."""
    fields: dict[str, tuple[bool, type[betterproto.Message] | None]] = {}
    hints = typing.get_type_hints(message)
    for name, meta in betterproto.ProtoClassMetadata(message).meta_by_field_name.items():
        repeated = typing.get_origin(hints[name]) is list
        kind = typing.get_args(hints[name])[0] if repeated else hints[name]
        plain = meta.proto_type != betterproto.TYPE_MESSAGE or not isinstance(kind, type) or meta.wraps is not None
        shape = (repeated, None if plain or not issubclass(kind, betterproto.Message) else kind)
        snake = name.rstrip("_")
        fields |= dict.fromkeys((snake, betterproto.casing.camel_case(snake)), shape)
        if snake == "url":  # its name in the .proto is in capitals
            fields["URL"] = shape
    return fields
