"""Protobuf messages from a table, so that no vendor's .proto files are needed.

A table has a line for each message: its name, then its fields as ``name=number:type``. Before the type, ``[`` makes a
list and ``{`` a map by string; a ``?`` behind it marks a field in which zero differs from unset. A backslash at a
line's end continues it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from minipdk.common.protobuf import classes

_SCALARS = {
    "string": "TYPE_STRING",
    "bytes": "TYPE_BYTES",
    "bool": "TYPE_BOOL",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
}


def lines(table: str) -> list[list[str]]:
    """Each message's name and fields."""
    return [line.split() for line in table.replace("\\\n", "").strip().splitlines()]


@cache
def messages(package: str, table: str) -> dict[str, Any]:
    """The class of each of the table's messages, and of its maps' entries, by name. They are made once."""
    from google.protobuf import descriptor_pb2, descriptor_pool

    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto2")
    for name, *fields in lines(table):
        message = file.message_type.add(name=name)
        for text in fields:
            _add_field(package, message, text)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name.removeprefix(f"{package}."): made for name, made in classes(pool, [file.name]).items()}


def _add_field(package: str, message: Any, text: str) -> None:
    name, _, rest = text.rstrip("?").partition("=")
    number, _, kind = rest.partition(":")
    field = message.field.add(name=name, number=int(number))
    field.label = field.LABEL_REPEATED if kind[0] in "[{" else field.LABEL_OPTIONAL
    if kind[0] == "{":
        entry = message.nested_type.add(name=f"{name[0].upper()}{name[1:]}Entry")
        entry.options.map_entry = True
        _set_type(package, entry.field.add(name="key", number=1, label=field.LABEL_OPTIONAL), "string")
        _set_type(package, entry.field.add(name="value", number=2, label=field.LABEL_OPTIONAL), kind[1:])
        _set_type(package, field, f"{message.name}.{entry.name}")
    else:
        _set_type(package, field, kind.lstrip("["))


def _set_type(package: str, field: Any, kind: str) -> None:
    if kind in _SCALARS:
        field.type = getattr(field, _SCALARS[kind])
    else:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{package}.{kind}"
