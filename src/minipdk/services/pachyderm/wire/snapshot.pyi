"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from collections.abc import Mapping
from typing import Literal

from minipdk.services.pachyderm.wire import google as _google
from minipdk.services.pachyderm.wire.message import Message, ScalarMap

class CreateSnapshotRequest(Message):
    @property
    def metadata(self) -> ScalarMap[str, str]: ...
    def __init__(self, *, metadata: Mapping[str, str] | None = ...) -> None: ...

class CreateSnapshotResponse(Message):
    id: int
    def __init__(self, *, id: int | None = ...) -> None: ...

class DeleteSnapshotRequest(Message):
    id: int
    def __init__(self, *, id: int | None = ...) -> None: ...

class DeleteSnapshotResponse(Message):
    def __init__(self) -> None: ...

class InspectSnapshotRequest(Message):
    id: int
    def __init__(self, *, id: int | None = ...) -> None: ...

class InspectSnapshotResponse(Message):
    @property
    def info(self) -> SnapshotInfo: ...
    fileset: str
    def __init__(self, *, info: SnapshotInfo | None = ..., fileset: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["info"]) -> bool: ...

class ListSnapshotRequest(Message):
    @property
    def since(self) -> _google.Timestamp: ...
    limit: int
    def __init__(self, *, since: _google.Timestamp | None = ..., limit: int | None = ...) -> None: ...
    def HasField(self, field_name: Literal["since"]) -> bool: ...

class ListSnapshotResponse(Message):
    @property
    def info(self) -> SnapshotInfo: ...
    def __init__(self, *, info: SnapshotInfo | None = ...) -> None: ...
    def HasField(self, field_name: Literal["info"]) -> bool: ...

class SnapshotInfo(Message):
    id: int
    @property
    def metadata(self) -> ScalarMap[str, str]: ...
    chunkset_id: int
    pachyderm_version: str
    @property
    def created_at(self) -> _google.Timestamp: ...
    def __init__(
        self,
        *,
        id: int | None = ...,
        metadata: Mapping[str, str] | None = ...,
        chunkset_id: int | None = ...,
        pachyderm_version: str | None = ...,
        created_at: _google.Timestamp | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["created_at"]) -> bool: ...
