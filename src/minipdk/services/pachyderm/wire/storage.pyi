"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from collections.abc import Iterable
from typing import Literal

from minipdk.services.pachyderm.wire import cdr as _cdr
from minipdk.services.pachyderm.wire import google as _google
from minipdk.services.pachyderm.wire.message import Message, Repeated, RepeatedMessages

class AppendFile(Message):
    path: str
    @property
    def data(self) -> _google.BytesValue: ...
    def __init__(self, *, path: str | None = ..., data: _google.BytesValue | None = ...) -> None: ...
    def HasField(self, field_name: Literal["data"]) -> bool: ...

class ComposeFilesetRequest(Message):
    @property
    def fileset_ids(self) -> Repeated[str]: ...
    ttl_seconds: int
    def __init__(self, *, fileset_ids: Iterable[str] | None = ..., ttl_seconds: int | None = ...) -> None: ...

class ComposeFilesetResponse(Message):
    fileset_id: str
    def __init__(self, *, fileset_id: str | None = ...) -> None: ...

class CopyFile(Message):
    fileset_id: str
    src: str
    dst: str
    def __init__(self, *, fileset_id: str | None = ..., src: str | None = ..., dst: str | None = ...) -> None: ...

class CreateFilesetRequest(Message):
    @property
    def append_file(self) -> AppendFile: ...
    @property
    def delete_file(self) -> DeleteFile: ...
    @property
    def copy_file(self) -> CopyFile: ...
    def __init__(
        self,
        *,
        append_file: AppendFile | None = ...,
        delete_file: DeleteFile | None = ...,
        copy_file: CopyFile | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["append_file", "delete_file", "copy_file"]) -> bool: ...
    def WhichOneof(
        self, oneof_group: Literal["modification"]
    ) -> Literal[
        "append_file",
        "delete_file",
        "copy_file",
        None,
    ]: ...

class CreateFilesetResponse(Message):
    fileset_id: str
    def __init__(self, *, fileset_id: str | None = ...) -> None: ...

class DeleteFile(Message):
    path: str
    def __init__(self, *, path: str | None = ...) -> None: ...

class FileFilter(Message):
    @property
    def path_range(self) -> PathRange: ...
    path_regex: str
    def __init__(self, *, path_range: PathRange | None = ..., path_regex: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["path_range", "path_regex"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["filter"]) -> Literal["path_range", "path_regex", None]: ...

class PathRange(Message):
    lower: str
    upper: str
    def __init__(self, *, lower: str | None = ..., upper: str | None = ...) -> None: ...

class ReadFilesetCdrResponse(Message):
    path: str
    @property
    def ref(self) -> _cdr.Ref: ...
    def __init__(self, *, path: str | None = ..., ref: _cdr.Ref | None = ...) -> None: ...
    def HasField(self, field_name: Literal["ref"]) -> bool: ...

class ReadFilesetRequest(Message):
    fileset_id: str
    @property
    def filters(self) -> RepeatedMessages[FileFilter]: ...
    empty_files: bool
    def __init__(
        self,
        *,
        fileset_id: str | None = ...,
        filters: Iterable[FileFilter] | None = ...,
        empty_files: bool | None = ...,
    ) -> None: ...

class ReadFilesetResponse(Message):
    path: str
    @property
    def data(self) -> _google.BytesValue: ...
    def __init__(self, *, path: str | None = ..., data: _google.BytesValue | None = ...) -> None: ...
    def HasField(self, field_name: Literal["data"]) -> bool: ...

class RenewFilesetRequest(Message):
    fileset_id: str
    ttl_seconds: int
    def __init__(self, *, fileset_id: str | None = ..., ttl_seconds: int | None = ...) -> None: ...

class ShardFilesetRequest(Message):
    fileset_id: str
    num_files: int
    size_bytes: int
    def __init__(
        self,
        *,
        fileset_id: str | None = ...,
        num_files: int | None = ...,
        size_bytes: int | None = ...,
    ) -> None: ...

class ShardFilesetResponse(Message):
    @property
    def shards(self) -> RepeatedMessages[PathRange]: ...
    def __init__(self, *, shards: Iterable[PathRange] | None = ...) -> None: ...
