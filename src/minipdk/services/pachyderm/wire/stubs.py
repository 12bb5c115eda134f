"""Writes the ``.pyi`` files of this package, from the descriptors that the messages are built from.

``python -m minipdk.services.pachyderm.wire.stubs`` writes them, one for each vendor package, ``google.pyi`` for
google.protobuf and ``__init__.pyi`` for this package; with ``--check`` it lists the files that are not current and fails.
"""

from __future__ import annotations

import argparse
import keyword
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from minipdk.services.pachyderm.wire.calls import proto_names
from minipdk.services.pachyderm.wire.descriptors import ENUM_HOLDER, FILES, pool

FOLDER = Path(__file__).parent
PACKAGE = "minipdk.services.pachyderm.wire"
_GOOGLE = "google.protobuf"
_LINE_LENGTH = 125
_HEADER = f'"""Written by {PACKAGE}.stubs: do not edit."""'
_METHODS = {"Any", "Duration", "Timestamp"}  # messages of google.protobuf that have more methods than others
_PYTHON_TYPES = {
    FieldDescriptor.CPPTYPE_BOOL: "bool",
    FieldDescriptor.CPPTYPE_DOUBLE: "float",
    FieldDescriptor.CPPTYPE_ENUM: "int",
    FieldDescriptor.CPPTYPE_FLOAT: "float",
    FieldDescriptor.CPPTYPE_INT32: "int",
    FieldDescriptor.CPPTYPE_INT64: "int",
    FieldDescriptor.CPPTYPE_UINT32: "int",
    FieldDescriptor.CPPTYPE_UINT64: "int",
}


def stubs() -> dict[str, str]:
    """The contents of every generated file by its name."""
    stubs_of: dict[str, _Stub] = {name: _Stub(proto_name) for name, proto_name in proto_names().items()}
    google = _Stub(_GOOGLE)
    by_proto_name = {stub.proto_name: stub for stub in (*stubs_of.values(), google)}
    for file in map(pool().FindFileByName, FILES):
        for descriptor in _all_messages(file.message_types_by_name.values()):
            owner = descriptor.full_name.rpartition(".")[0]
            if descriptor.name.endswith(ENUM_HOLDER):
                by_proto_name[owner].enums.extend(descriptor.enum_types)
            elif owner in by_proto_name and descriptor.full_name not in by_proto_name:
                by_proto_name[owner].messages.append(descriptor)
    texts = {f"{name}.pyi": stub.text() for name, stub in stubs_of.items()}
    return texts | {"google.pyi": google.text(), "__init__.pyi": _package(google)}


def outdated(folder: Path = FOLDER) -> list[Path]:
    """The generated files in ``folder`` that are missing or differ from `stubs`."""
    paths = {folder / name: text for name, text in stubs().items()}
    return [path for path, text in paths.items() if not path.exists() or path.read_text() != text]


def write(folder: Path = FOLDER) -> None:
    for name, text in stubs().items():
        (folder / name).write_text(text)


def _all_messages(descriptors: Iterable[Descriptor]) -> Iterator[Descriptor]:
    for descriptor in descriptors:
        yield descriptor
        yield from _all_messages(descriptor.nested_types)


def _package(google: _Stub) -> str:
    """The stub of the package itself: its submodules and the names that ``__init__.py`` makes."""
    packages = "".join(f"from {PACKAGE} import {name} as {name}\n" for name in sorted(proto_names()))
    calls = "".join(f"from {PACKAGE}.calls import {name} as {name}\n" for name in ("Rpc", "rpcs"))
    functions = ("bytes_value", "message_class")
    descriptors = "".join(f"from {PACKAGE}.descriptors import {name} as {name}\n" for name in functions)
    messages = "".join(f"from {PACKAGE}.google import {name} as {name}\n" for name in sorted(google.names()))
    return f"{_HEADER}\n\n{packages}{calls}{descriptors}{messages}from {PACKAGE}.message import Message as Message\n"


class _Stub:
    """One generated file: the messages and enums of one package."""

    def __init__(self, proto_name: str) -> None:
        self.proto_name = proto_name
        self.messages: list[Descriptor] = []
        self.enums: list[EnumDescriptor] = []
        self._packages: set[str] = set()
        self._base: set[str] = {"Message"}
        self._typing: set[str] = set()
        self._abstract: set[str] = set()

    def names(self) -> list[str]:
        return [*(enum.name for enum in self.enums), *(message.name for message in self.messages)]

    def text(self) -> str:
        enums = [self._enum(enum) for enum in sorted(self.enums, key=lambda enum: enum.name)]
        messages = [self._message(message) for message in sorted(self.messages, key=lambda message: message.name)]
        standard = {"collections.abc": self._abstract, "typing": self._typing}
        imports = "".join(f"from {name} import {', '.join(sorted(used))}\n" for name, used in standard.items() if used)
        own = "".join(f"from {PACKAGE} import {name} as _{name}\n" for name in sorted(self._packages))
        own += _exploded(f"from {PACKAGE}.message import ", sorted(self._base, key=str.swapcase))
        parts = [_HEADER + "\n", imports, own, "".join(enums), *messages]
        return "\n".join(part for part in parts if part)

    def _enum(self, enum: EnumDescriptor) -> str:
        self._base.add("EnumType")
        self._typing.add("Literal")
        names = [f'"{value.name}"' for value in enum.values]
        line = f"{enum.name}: EnumType[Literal[{', '.join(names)}]]\n"
        if len(line) <= _LINE_LENGTH:
            return line
        return f"{enum.name}: EnumType[\n    Literal[\n{_lines(names, 8)}    ]\n]\n"

    def _message(self, message: Descriptor) -> str:
        bases = "Message"
        if self.proto_name == _GOOGLE and message.name in _METHODS:
            bases = f"Message, {message.name}Methods"
            self._base.add(f"{message.name}Methods")
        fields = [field for field in message.fields if not keyword.iskeyword(field.name)]
        body = "".join(map(self._attribute, fields)) + self._init(fields)
        present = [f'"{field.name}"' for field in message.fields if field.has_presence]
        if present:
            body += self._has_field(present)
        return f"class {message.name}({bases}):\n{body}{self._which_oneof(message)}"

    def _attribute(self, field: FieldDescriptor) -> str:
        kind = self._field_type(field)
        if field.label != FieldDescriptor.LABEL_REPEATED and field.message_type is None:
            return f"    {field.name}: {kind}\n"
        return f"    @property\n    def {field.name}(self) -> {kind}: ...\n"

    def _init(self, fields: list[FieldDescriptor]) -> str:
        if not fields:
            return "    def __init__(self) -> None: ...\n"
        arguments = [f"{field.name}: {self._argument_type(field)} = ..." for field in fields]
        return _call("__init__", ["*", *arguments], "None")

    def _field_type(self, field: FieldDescriptor) -> str:
        if _is_map(field):
            key, value = field.message_type.fields
            kind = "MessageMap" if value.message_type else "ScalarMap"
            self._base.add(kind)
            return f"{kind}[{self._element_type(key)}, {self._element_type(value)}]"
        element = self._element_type(field)
        if field.label != FieldDescriptor.LABEL_REPEATED:
            return element
        kind = "RepeatedMessages" if field.message_type else "Repeated"
        self._base.add(kind)
        return f"{kind}[{element}]"

    def _argument_type(self, field: FieldDescriptor) -> str:
        if _is_map(field):
            key, value = field.message_type.fields
            self._abstract.add("Mapping")
            return f"Mapping[{self._element_type(key)}, {self._element_type(value)}] | None"
        if field.label == FieldDescriptor.LABEL_REPEATED:
            self._abstract.add("Iterable")
            return f"Iterable[{self._element_type(field)}] | None"
        return f"{self._element_type(field)} | None"

    def _element_type(self, field: FieldDescriptor) -> str:
        if field.message_type:
            return self._class_name(field.message_type)
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            return "bytes" if field.type == FieldDescriptor.TYPE_BYTES else "str"
        return _PYTHON_TYPES[field.cpp_type]

    def _class_name(self, message: Descriptor) -> str:
        owner = message.full_name.rpartition(".")[0]
        if owner == self.proto_name:
            return str(message.name)
        package = "google" if owner == _GOOGLE else next(name for name, proto in proto_names().items() if proto == owner)
        self._packages.add(package)
        return f"_{package}.{message.name}"

    def _has_field(self, names: list[str]) -> str:
        self._typing.add("Literal")
        line = f"    def HasField(self, field_name: Literal[{', '.join(names)}]) -> bool: ...\n"
        if len(line) <= _LINE_LENGTH:
            return line
        literal = f"        field_name: Literal[\n{_lines(names, 12)}        ],\n"
        return f"    def HasField(\n        self,\n{literal}    ) -> bool: ...\n"

    def _which_oneof(self, message: Descriptor) -> str:
        groups = [group for group in message.oneofs if not group.name.startswith("_")]
        if groups:
            self._typing.add("Literal")
        if len(groups) > 1:
            self._typing.add("overload")
        methods = []
        for group in groups:
            names = [*(f'"{field.name}"' for field in group.fields), "None"]
            argument = f'oneof_group: Literal["{group.name}"]'
            line = f"    def WhichOneof(self, {argument}) -> Literal[{', '.join(names)}]: ...\n"
            if len(line) > _LINE_LENGTH:
                line = f"    def WhichOneof(\n        self, {argument}\n    ) -> Literal[\n{_lines(names, 8)}    ]: ...\n"
            methods.append(("    @overload\n" if len(groups) > 1 else "") + line)
        return "".join(methods)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _call(name: str, arguments: list[str], result: str) -> str:
    line = f"    def {name}(self, {', '.join(arguments)}) -> {result}: ...\n"
    if len(line) <= _LINE_LENGTH:
        return line
    return f"    def {name}(\n{_lines(['self', *arguments], 8)}    ) -> {result}: ...\n"


def _exploded(start: str, names: list[str]) -> str:
    line = f"{start}{', '.join(names)}\n"
    return line if len(line) <= _LINE_LENGTH else f"{start}(\n{_lines(names, 4)})\n"


def _lines(items: list[str], indent: int) -> str:
    return "".join(f"{' ' * indent}{item},\n" for item in items)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only list the files that are not current")
    if not parser.parse_args().check:
        write()
    elif paths := outdated():
        sys.exit("\n".join(f"{path} is not current: run python -m {PACKAGE}.stubs" for path in paths))


if __name__ == "__main__":
    main()
