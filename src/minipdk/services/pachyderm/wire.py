"""The protocol's messages and calls, built at start from what the vendor's Python SDK knows about itself.

The SDK ships client stubs and betterproto dataclasses, no .proto files and nothing for a server. The dataclasses name every
field's number and type, which is all a descriptor needs: here they become messages of protobuf's C runtime, several times
faster to parse than betterproto's and as strict about JSON as pachd. ``wire.pfs.CommitInfo`` is a message class,
``wire.pfs.CommitState.Value("FINISHED")`` an enum's number, ``wire.rpcs()`` every call of every service.

Messages keep their vendor names (``pfs_v2.Commit``), flattened where the original nests them. Each enum sits in a holder
message of its own, because protobuf gives the values of sibling enums one common scope and betterproto does not.
"""

from __future__ import annotations

import dataclasses
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import betterproto
from google.protobuf import any_pb2, descriptor_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from pachyderm_sdk import api

from minipdk.common.protobuf import classes

_FieldProto = descriptor_pb2.FieldDescriptorProto
_WELL_KNOWN = (any_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
_BY_PYTHON_TYPE = {"datetime": "google.protobuf.Timestamp", "timedelta": "google.protobuf.Duration"}
_NO_SERVICE = {"taskapi": "taskapi", "cdr": "cdr"}
_ENUM_HOLDER = "_of_enum"
_FILE = "pachyderm.proto"


@dataclasses.dataclass(frozen=True)
class Rpc:
    """One call of one service, as the SDK's stub makes it.

    ``service`` is the full name of the service (``pfs_v2.API``), ``method`` the call's vendor name (``GetFileTAR``),
    ``name`` the SDK's name for it (``get_file_tar``) and ``package`` the SDK's module (``pfs``).
    """

    package: str
    service: str
    method: str
    name: str
    request: Any
    response: Any
    client_streams: bool
    server_streams: bool

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.method}"


class Package:
    """The messages and enums of one vendor package, as attributes named like the SDK's classes."""

    def __init__(self, name: str, proto_name: str) -> None:
        self.name, self.proto_name = name, proto_name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        kind = getattr(import_module(f"{api.__name__}.{self.name}"), name, None)
        if not inspect.isclass(kind):
            raise AttributeError(f"package {self.name} has no message or enum {name}")
        if issubclass(kind, betterproto.Enum):
            enum = _pool().FindEnumTypeByName(_enum_name(kind))
            value: Any = EnumTypeWrapper(enum)
        else:
            value = _classes()[f"{self.proto_name}.{name}"]
        setattr(self, name, value)
        return value


@cache
def _modules() -> dict[str, ModuleType]:
    """The SDK's API modules by name."""
    return {one.name: import_module(f"{api.__name__}.{one.name}") for one in pkgutil.iter_modules(api.__path__)}


def _own_classes(module: ModuleType, base: type | tuple[type, ...]) -> Iterator[type]:
    for kind in vars(module).values():
        if inspect.isclass(kind) and issubclass(kind, base) and kind.__module__ == module.__name__:
            yield kind


@cache
def _proto_names() -> dict[str, str]:
    """The protobuf package of each SDK module, read off its calls' paths."""
    return _NO_SERVICE | {rpc.package: rpc.service.rpartition(".")[0] for rpc in rpcs()}


def _enum_name(kind: type) -> str:
    package = _proto_names()[kind.__module__.rpartition(".")[2]]
    return f"{package}.{kind.__name__}{_ENUM_HOLDER}.{kind.__name__}"


def _message_name(kind: type) -> str:
    if kind.__module__.startswith("betterproto.lib"):
        return f"google.protobuf.{kind.__name__}"
    if kind.__name__ in _BY_PYTHON_TYPE:
        return _BY_PYTHON_TYPE[kind.__name__]
    return f"{_proto_names()[kind.__module__.rpartition('.')[2]]}.{kind.__name__}"


@cache
def _pool() -> DescriptorPool:
    """A private pool of every message, in one file so that packages may refer to each other in circles."""
    pool = DescriptorPool()
    for known in _WELL_KNOWN:
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, syntax="proto3")
    file.dependency.extend(known.DESCRIPTOR.name for known in _WELL_KNOWN)
    for name, module in _modules().items():
        package = _namespace(file, _proto_names()[name])
        for kind in _own_classes(module, betterproto.Message):
            _add_message(package.nested_type.add(name=kind.__name__), kind)
        for enum_kind in _own_classes(module, betterproto.Enum):
            holder = package.nested_type.add(name=enum_kind.__name__ + _ENUM_HOLDER)
            _add_enum(holder.enum_type.add(name=enum_kind.__name__), enum_kind)
    pool.AddSerializedFile(file.SerializeToString())
    return pool


@cache
def _classes() -> dict[str, Any]:
    """Every message's class by its full name, made once and kept."""
    return classes(_pool(), (*(known.DESCRIPTOR.name for known in _WELL_KNOWN), _FILE))


def bytes_value(*pieces: bytes) -> bytes:
    """A serialized BytesValue of all pieces. Through a message object, each byte would be copied twice more."""
    left = sum(map(len, pieces))
    head = bytearray(b"\x0a")  # field 1, a length in groups of seven bits, the lowest first
    while left >= 0x80:
        head.append(left & 0x7F | 0x80)
        left >>= 7
    head.append(left)
    return b"".join((head, *pieces))


def _namespace(file: Any, dotted: str) -> Any:
    """The message that stands for the package ``dotted``: full names are as if it were a package."""
    scope, _, rest = dotted.partition(".")
    found = next((one for one in file.message_type if one.name == scope), None) or file.message_type.add(name=scope)
    return found.nested_type.add(name=rest) if rest else found


def _add_enum(proto: Any, kind: Any) -> None:
    for value in sorted(kind, key=lambda one: one.value != 0):  # proto3 wants the zero value first
        proto.value.add(name=value.name, number=value.value)


def _add_message(proto: Any, kind: Any) -> None:
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
    for name, field in fields.items():  # synthetic oneofs come last
        if field.optional:
            added = next(one for one in proto.field if one.number == field.number)
            added.proto3_optional = True
            added.oneof_index = len(proto.oneof_decl)
            proto.oneof_decl.add(name=f"_{name}")


def _make_map(proto: Any, added: Any, field: betterproto.FieldMetadata, classes: dict[str, Any]) -> None:
    assert field.map_types is not None
    entry = proto.nested_type.add(name="".join(part.title() for part in added.name.split("_")) + "Entry")
    entry.options.map_entry = True
    key = entry.field.add(name="key", number=1, label=_FieldProto.LABEL_OPTIONAL)
    value = entry.field.add(name="value", number=2, label=_FieldProto.LABEL_OPTIONAL)
    name = next(one for one in (added.name, added.name + "_") if f"{one}.value" in classes or one in classes)
    _set_type(key, field.map_types[0], None, None)
    _set_type(value, field.map_types[1], classes.get(f"{name}.value"), None)
    added.label, added.type = _FieldProto.LABEL_REPEATED, _FieldProto.TYPE_MESSAGE
    added.type_name = entry.name


def _set_type(added: Any, proto_type: str, kind: Any, wraps: str | None) -> None:
    added.type = getattr(_FieldProto, f"TYPE_{proto_type.upper()}")
    if wraps:
        added.type_name = f".google.protobuf.{_wrapper_name(wraps)}"
    elif proto_type == betterproto.TYPE_MESSAGE:
        added.type_name = f".{_message_name(kind)}"
    elif proto_type == betterproto.TYPE_ENUM:
        added.type_name = f".{_enum_name(kind)}"


def _wrapper_name(proto_type: str) -> str:
    """``bytes`` -> BytesValue, ``int64`` -> Int64Value, ``uint32`` -> UInt32Value."""
    return proto_type.title().replace("Ui", "UI") + "Value"


class _Recorder:
    """A channel that carries nothing and notes which calls a stub would make."""

    def __init__(self) -> None:
        self.paths: list[tuple[str, bool, bool, Any]] = []
        self.called: tuple[str, Any] | None = None

    def _multicallable(self, client_streams: bool, server_streams: bool) -> Callable[..., Any]:
        def make(path: str, **serializers: Any) -> Callable[..., Any]:
            self.paths.append((path, client_streams, server_streams, serializers["response_deserializer"].__self__))

            def call(request: Any, **_: Any) -> Any:
                self.called = (path, request)
                return iter(())

            return call

        return make

    def __getattr__(self, name: str) -> Callable[..., Any]:
        client, server = (side == "stream" for side in name.split("_"))
        return self._multicallable(client, server)


@cache
def rpcs() -> tuple[Rpc, ...]:
    """Every call of every service that the SDK has a stub for."""
    found: list[Rpc] = []
    for package, module in _modules().items():
        for kind in vars(module).values():
            if inspect.isclass(kind) and kind.__name__.endswith("Stub") and kind.__module__ == module.__name__:
                found.extend(_rpcs_of(package, kind))
    return tuple(found)


def _rpcs_of(package: str, stub_class: Any) -> Iterator[Rpc]:
    recorder = _Recorder()
    stub = stub_class(recorder)
    calls = {path: rest for path, *rest in recorder.paths}
    for name, function in inspect.getmembers(stub_class, inspect.isfunction):
        if name.startswith("_"):
            continue
        request_type, path = _observe(recorder, getattr(stub, name), function)
        client_streams, server_streams, response_type = calls[path]
        service, _, method = path.removeprefix("/").partition("/")
        yield Rpc(package, service, method, name, request_type, response_type, client_streams, server_streams)


def _observe(recorder: _Recorder, method: Callable[..., Any], function: Callable[..., Any]) -> tuple[Any, str]:
    """Make one call on the recorder; return the type of message it sends and the path it sends it to."""
    recorder.called = None
    parameters = list(inspect.signature(function).parameters.values())[1:]
    positional = [one for one in parameters if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    result = method(*[iter(()) for _ in positional])
    if inspect.isgenerator(result):
        list(result)
    assert recorder.called is not None, function
    path, request = recorder.called
    if isinstance(request, betterproto.Message):
        return type(request), path
    hints = typing.get_type_hints(function, vars(import_module(function.__module__)))
    (streamed,) = {arm for hint in typing.get_args(hints[positional[0].name]) for arm in (typing.get_args(hint) or (hint,))}
    return streamed, path


def message_class(kind: Any) -> Any:
    """The C runtime's class for a betterproto message class of the SDK."""
    return _classes()[_message_name(kind)]


def _google(name: str) -> Any:
    return _classes()[f"google.protobuf.{name}"]


def __getattr__(name: str) -> Any:
    """``wire.<package>``, and ``wire.Timestamp``, ``wire.Empty`` and the like of google.protobuf."""
    if name in _modules():
        value: Any = Package(name, _proto_names()[name])
    elif name.isidentifier() and name[0].isupper():
        value = _google(name)
    else:
        raise AttributeError(f"the SDK has no package {name}")
    globals()[name] = value
    return value
