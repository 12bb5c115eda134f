"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from collections.abc import Iterable, Mapping
from typing import Literal

from minipdk.services.pachyderm.wire.message import (
    AnyMethods,
    DurationMethods,
    Message,
    MessageMap,
    RepeatedMessages,
    TimestampMethods,
)

class Any(Message, AnyMethods):
    type_url: str
    value: bytes
    def __init__(self, *, type_url: str | None = ..., value: bytes | None = ...) -> None: ...

class BoolValue(Message):
    value: bool
    def __init__(self, *, value: bool | None = ...) -> None: ...

class BytesValue(Message):
    value: bytes
    def __init__(self, *, value: bytes | None = ...) -> None: ...

class DoubleValue(Message):
    value: float
    def __init__(self, *, value: float | None = ...) -> None: ...

class Duration(Message, DurationMethods):
    seconds: int
    nanos: int
    def __init__(self, *, seconds: int | None = ..., nanos: int | None = ...) -> None: ...

class Empty(Message):
    def __init__(self) -> None: ...

class FloatValue(Message):
    value: float
    def __init__(self, *, value: float | None = ...) -> None: ...

class Int32Value(Message):
    value: int
    def __init__(self, *, value: int | None = ...) -> None: ...

class Int64Value(Message):
    value: int
    def __init__(self, *, value: int | None = ...) -> None: ...

class ListValue(Message):
    @property
    def values(self) -> RepeatedMessages[Value]: ...
    def __init__(self, *, values: Iterable[Value] | None = ...) -> None: ...

class StringValue(Message):
    value: str
    def __init__(self, *, value: str | None = ...) -> None: ...

class Struct(Message):
    @property
    def fields(self) -> MessageMap[str, Value]: ...
    def __init__(self, *, fields: Mapping[str, Value] | None = ...) -> None: ...

class Timestamp(Message, TimestampMethods):
    seconds: int
    nanos: int
    def __init__(self, *, seconds: int | None = ..., nanos: int | None = ...) -> None: ...

class UInt32Value(Message):
    value: int
    def __init__(self, *, value: int | None = ...) -> None: ...

class UInt64Value(Message):
    value: int
    def __init__(self, *, value: int | None = ...) -> None: ...

class Value(Message):
    null_value: int
    number_value: float
    string_value: str
    bool_value: bool
    @property
    def struct_value(self) -> Struct: ...
    @property
    def list_value(self) -> ListValue: ...
    def __init__(
        self,
        *,
        null_value: int | None = ...,
        number_value: float | None = ...,
        string_value: str | None = ...,
        bool_value: bool | None = ...,
        struct_value: Struct | None = ...,
        list_value: ListValue | None = ...,
    ) -> None: ...
    def HasField(
        self,
        field_name: Literal[
            "null_value",
            "number_value",
            "string_value",
            "bool_value",
            "struct_value",
            "list_value",
        ],
    ) -> bool: ...
    def WhichOneof(
        self, oneof_group: Literal["kind"]
    ) -> Literal[
        "null_value",
        "number_value",
        "string_value",
        "bool_value",
        "struct_value",
        "list_value",
        None,
    ]: ...
