"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from collections.abc import Iterable, Mapping
from typing import Literal

from minipdk.services.pachyderm.wire.message import EnumType, Message, RepeatedMessages, ScalarMap

CipherAlgo: EnumType[Literal["UNKNOWN_CIPHER", "CHACHA20"]]
CompressAlgo: EnumType[Literal["UNKNOWN_COMPRESS", "GZIP"]]
HashAlgo: EnumType[Literal["UNKNOWN_HASH", "BLAKE2b_256"]]

class Cipher(Message):
    @property
    def inner(self) -> Ref: ...
    algo: int
    key: bytes
    nonce: bytes
    def __init__(
        self,
        *,
        inner: Ref | None = ...,
        algo: int | None = ...,
        key: bytes | None = ...,
        nonce: bytes | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["inner"]) -> bool: ...

class Compress(Message):
    @property
    def inner(self) -> Ref: ...
    algo: int
    def __init__(self, *, inner: Ref | None = ..., algo: int | None = ...) -> None: ...
    def HasField(self, field_name: Literal["inner"]) -> bool: ...

class Concat(Message):
    @property
    def refs(self) -> RepeatedMessages[Ref]: ...
    def __init__(self, *, refs: Iterable[Ref] | None = ...) -> None: ...

class ContentHash(Message):
    @property
    def inner(self) -> Ref: ...
    algo: int
    hash: bytes
    def __init__(self, *, inner: Ref | None = ..., algo: int | None = ..., hash: bytes | None = ...) -> None: ...
    def HasField(self, field_name: Literal["inner"]) -> bool: ...

class Http(Message):
    url: str
    @property
    def headers(self) -> ScalarMap[str, str]: ...
    def __init__(self, *, url: str | None = ..., headers: Mapping[str, str] | None = ...) -> None: ...

class Ref(Message):
    @property
    def http(self) -> Http: ...
    @property
    def content_hash(self) -> ContentHash: ...
    @property
    def size_limits(self) -> SizeLimits: ...
    @property
    def cipher(self) -> Cipher: ...
    @property
    def compress(self) -> Compress: ...
    @property
    def slice(self) -> Slice: ...
    @property
    def concat(self) -> Concat: ...
    def __init__(
        self,
        *,
        http: Http | None = ...,
        content_hash: ContentHash | None = ...,
        size_limits: SizeLimits | None = ...,
        cipher: Cipher | None = ...,
        compress: Compress | None = ...,
        slice: Slice | None = ...,
        concat: Concat | None = ...,
    ) -> None: ...
    def HasField(
        self,
        field_name: Literal[
            "http",
            "content_hash",
            "size_limits",
            "cipher",
            "compress",
            "slice",
            "concat",
        ],
    ) -> bool: ...
    def WhichOneof(
        self, oneof_group: Literal["body"]
    ) -> Literal[
        "http",
        "content_hash",
        "size_limits",
        "cipher",
        "compress",
        "slice",
        "concat",
        None,
    ]: ...

class SizeLimits(Message):
    @property
    def inner(self) -> Ref: ...
    min: int
    max: int
    def __init__(self, *, inner: Ref | None = ..., min: int | None = ..., max: int | None = ...) -> None: ...
    def HasField(self, field_name: Literal["inner"]) -> bool: ...

class Slice(Message):
    @property
    def inner(self) -> Ref: ...
    start: int
    end: int
    def __init__(self, *, inner: Ref | None = ..., start: int | None = ..., end: int | None = ...) -> None: ...
    def HasField(self, field_name: Literal["inner"]) -> bool: ...
