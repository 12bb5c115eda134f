"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from typing import Literal

from minipdk.services.pachyderm.wire.message import EnumType, Message

State: EnumType[Literal["UNKNOWN", "RUNNING", "SUCCESS", "FAILURE", "CLAIMED"]]

class Group(Message):
    namespace: str
    group: str
    def __init__(self, *, namespace: str | None = ..., group: str | None = ...) -> None: ...

class ListTaskRequest(Message):
    @property
    def group(self) -> Group: ...
    def __init__(self, *, group: Group | None = ...) -> None: ...
    def HasField(self, field_name: Literal["group"]) -> bool: ...

class TaskInfo(Message):
    id: str
    @property
    def group(self) -> Group: ...
    state: int
    reason: str
    input_type: str
    input_data: str
    def __init__(
        self,
        *,
        id: str | None = ...,
        group: Group | None = ...,
        state: int | None = ...,
        reason: str | None = ...,
        input_type: str | None = ...,
        input_data: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["group"]) -> bool: ...
