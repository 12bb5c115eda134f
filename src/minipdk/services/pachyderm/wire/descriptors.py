"""The protobuf descriptors of Pachyderm's messages, made from the SDK's dataclasses, and their classes.

The SDK ships betterproto dataclasses, no .proto files and no code for a server. A dataclass names the number and type of
every field, and a descriptor needs no more. Its message in protobuf's C runtime parses several times faster than
betterproto's and is as strict about JSON as pachd.

Messages keep their vendor names (``pfs_v2.Commit``), flattened if the original nests them. Each enum sits in a separate
holder message, because protobuf gives the values of sibling enums one common scope and betterproto does not.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

import betterproto
from google.protobuf import any_pb2, descriptor_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from minipdk.common.protobuf import classes
from minipdk.services.pachyderm.wire.calls import modules, proto_names

if TYPE_CHECKING:
    from minipdk.services.pachyderm.wire.message import EnumType, Message

_FieldProto = descriptor_pb2.FieldDescriptorProto
_WELL_KNOWN = (any_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
_BY_PYTHON_TYPE = {"datetime": "google.protobuf.Timestamp", "timedelta": "google.protobuf.Duration"}
ENUM_HOLDER = "_of_enum"
_FILE = "pachyderm.proto"
FILES = (*(module.DESCRIPTOR.name for module in _WELL_KNOWN), _FILE)
"""The names of the files of the pool."""


class Package:
    """The messages and enums of one vendor package, as attributes named like the SDK's classes."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> type[Message] | EnumType[str]:
        if name.startswith("__"):
            raise AttributeError(name)
        kind = getattr(modules()[self._name], name, None)
        if not inspect.isclass(kind):
            raise AttributeError(f"package {self._name} has no message or enum {name}")
        value: type[Message] | EnumType[str]
        if issubclass(kind, betterproto.Enum):
            value = EnumTypeWrapper(pool().FindEnumTypeByName(_enum_name(kind)))
        else:
            value = _classes()[f"{proto_names()[self._name]}.{name}"]
        setattr(self, name, value)
        return value


def message_class(kind: type[betterproto.Message]) -> type[Message]:
    """The C runtime's class for a betterproto message class of the SDK."""
    return _classes()[_message_name(kind)]


def google_class(name: str) -> type[Message]:
    """The class of a message of google.protobuf."""
    return _classes()[f"google.protobuf.{name}"]


def bytes_value(*pieces: bytes) -> bytes:
    """A serialized BytesValue of all pieces. Through a message object, each byte would be copied twice more."""
    left = sum(map(len, pieces))
    head = bytearray(b"\x0a")  # field 1, a length in groups of seven bits, the lowest first
    while left >= 0x80:
        head.append(left & 0x7F | 0x80)
        left >>= 7
    head.append(left)
    return b"".join((head, *pieces))


@cache
def pool() -> DescriptorPool:
    """A private pool of every message, in one file so that packages may refer to each other in circles."""
    private = DescriptorPool()
    for module in _WELL_KNOWN:
        private.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, syntax="proto3")
    file.dependency.extend(module.DESCRIPTOR.name for module in _WELL_KNOWN)
    for name, module in modules().items():
        package = _namespace(file, proto_names()[name])
        for kind in _own_classes(module, betterproto.Message):
            _add_message(package.nested_type.add(name=kind.__name__), kind)
        for enum_kind in _own_classes(module, betterproto.Enum):
            holder = package.nested_type.add(name=enum_kind.__name__ + ENUM_HOLDER)
            _add_enum(holder.enum_type.add(name=enum_kind.__name__), enum_kind)
    private.AddSerializedFile(file.SerializeToString())
    return private


@cache
def _classes() -> dict[str, type[Message]]:
    """Every message's class by its full name, made once and kept."""
    return classes(pool(), FILES)


def _own_classes(module: ModuleType, base: type) -> Iterator[type]:
    for kind in vars(module).values():
        if inspect.isclass(kind) and issubclass(kind, base) and kind.__module__ == module.__name__:
            yield kind


def _enum_name(kind: type) -> str:
    package = proto_names()[kind.__module__.rpartition(".")[2]]
    return f"{package}.{kind.__name__}{ENUM_HOLDER}.{kind.__name__}"


def _message_name(kind: type) -> str:
    if kind.__module__.startswith("betterproto.lib"):
        return f"google.protobuf.{kind.__name__}"
    if kind.__name__ in _BY_PYTHON_TYPE:
        return _BY_PYTHON_TYPE[kind.__name__]
    return f"{proto_names()[kind.__module__.rpartition('.')[2]]}.{kind.__name__}"


def _namespace(file: descriptor_pb2.FileDescriptorProto, dotted: str) -> descriptor_pb2.DescriptorProto:
    """The message that stands for the package ``dotted``: full names are as if it were a package."""
    scope, _, rest = dotted.partition(".")
    same = next((message for message in file.message_type if message.name == scope), None)
    outer = same or file.message_type.add(name=scope)
    return outer.nested_type.add(name=rest) if rest else outer


def _add_enum(proto: descriptor_pb2.EnumDescriptorProto, kind: type[betterproto.Enum]) -> None:
    for value in sorted(kind.__members__.values(), key=lambda value: value.value != 0):  # proto3 wants the zero value first
        proto.value.add(name=value.name, number=value.value)


def _add_message(proto: descriptor_pb2.DescriptorProto, kind: type[betterproto.Message]) -> None:
    meta = betterproto.ProtoClassMetadata(kind)
    fields: dict[str, betterproto.FieldMetadata] = meta.meta_by_field_name
    groups: dict[str, int] = {}
    for group in dict.fromkeys(field.group for field in fields.values() if field.group):
        groups[group] = len(proto.oneof_decl)
        proto.oneof_decl.add(name=group)
    for name, field in fields.items():
        added = proto.field.add(name=name.rstrip("_"), number=field.number, label=_FieldProto.LABEL_OPTIONAL)
        if field.map_types:
            _make_map(proto, added, field, meta.cls_by_field)
            continue
        if meta.default_gen[name] is list:
            added.label = _FieldProto.LABEL_REPEATED
        _set_type(added, field.proto_type, meta.cls_by_field.get(name), field.wraps)
        if field.group:
            added.oneof_index = groups[field.group]
    for field in fields.values():  # synthetic oneofs come last
        if field.optional:
            added = next(added for added in proto.field if added.number == field.number)
            added.proto3_optional = True
            added.oneof_index = len(proto.oneof_decl)
            proto.oneof_decl.add(name=f"_{added.name}")


def _make_map(
    proto: descriptor_pb2.DescriptorProto,
    added: descriptor_pb2.FieldDescriptorProto,
    field: betterproto.FieldMetadata,
    kinds: dict[str, type],
) -> None:
    """Make ``added`` a map. ``kinds`` has the classes of the message's fields by their Python names."""
    assert field.map_types is not None
    entry = proto.nested_type.add(name="".join(part.title() for part in added.name.split("_")) + "Entry")
    entry.options.map_entry = True
    key = entry.field.add(name="key", number=1, label=_FieldProto.LABEL_OPTIONAL)
    value = entry.field.add(name="value", number=2, label=_FieldProto.LABEL_OPTIONAL)
    name = next(name for name in (added.name, added.name + "_") if f"{name}.value" in kinds or name in kinds)
    _set_type(key, field.map_types[0], None, None)
    _set_type(value, field.map_types[1], kinds.get(f"{name}.value"), None)
    added.label, added.type = _FieldProto.LABEL_REPEATED, _FieldProto.TYPE_MESSAGE
    added.type_name = entry.name


def _set_type(added: descriptor_pb2.FieldDescriptorProto, proto_type: str, kind: type | None, wraps: str | None) -> None:
    added.type = getattr(_FieldProto, f"TYPE_{proto_type.upper()}")
    if wraps:
        added.type_name = f".google.protobuf.{_wrapper_name(wraps)}"
    elif kind and proto_type == betterproto.TYPE_MESSAGE:
        added.type_name = f".{_message_name(kind)}"
    elif kind and proto_type == betterproto.TYPE_ENUM:
        added.type_name = f".{_enum_name(kind)}"


def _wrapper_name(proto_type: str) -> str:
    """``bytes`` -> BytesValue, ``int64`` -> Int64Value, ``uint32`` -> UInt32Value."""
    return proto_type.title().replace("Ui", "UI") + "Value"
