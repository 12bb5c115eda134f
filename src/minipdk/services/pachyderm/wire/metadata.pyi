"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from collections.abc import Iterable, Mapping
from typing import Literal, overload

from minipdk.services.pachyderm.wire import pfs as _pfs
from minipdk.services.pachyderm.wire import pps as _pps
from minipdk.services.pachyderm.wire.message import Message, RepeatedMessages, ScalarMap

class ClusterPicker(Message):
    def __init__(self) -> None: ...

class Edit(Message):
    @property
    def project(self) -> _pfs.ProjectPicker: ...
    @property
    def commit(self) -> _pfs.CommitPicker: ...
    @property
    def branch(self) -> _pfs.BranchPicker: ...
    @property
    def repo(self) -> _pfs.RepoPicker: ...
    @property
    def cluster(self) -> ClusterPicker: ...
    @property
    def pipeline(self) -> _pps.PipelinePicker: ...
    @property
    def replace(self) -> EditReplace: ...
    @property
    def add_key(self) -> EditAddKey: ...
    @property
    def edit_key(self) -> EditEditKey: ...
    @property
    def delete_key(self) -> EditDeleteKey: ...
    def __init__(
        self,
        *,
        project: _pfs.ProjectPicker | None = ...,
        commit: _pfs.CommitPicker | None = ...,
        branch: _pfs.BranchPicker | None = ...,
        repo: _pfs.RepoPicker | None = ...,
        cluster: ClusterPicker | None = ...,
        pipeline: _pps.PipelinePicker | None = ...,
        replace: EditReplace | None = ...,
        add_key: EditAddKey | None = ...,
        edit_key: EditEditKey | None = ...,
        delete_key: EditDeleteKey | None = ...,
    ) -> None: ...
    def HasField(
        self,
        field_name: Literal[
            "project",
            "commit",
            "branch",
            "repo",
            "cluster",
            "pipeline",
            "replace",
            "add_key",
            "edit_key",
            "delete_key",
        ],
    ) -> bool: ...
    @overload
    def WhichOneof(
        self, oneof_group: Literal["target"]
    ) -> Literal[
        "project",
        "commit",
        "branch",
        "repo",
        "cluster",
        "pipeline",
        None,
    ]: ...
    @overload
    def WhichOneof(self, oneof_group: Literal["op"]) -> Literal["replace", "add_key", "edit_key", "delete_key", None]: ...

class EditAddKey(Message):
    key: str
    value: str
    def __init__(self, *, key: str | None = ..., value: str | None = ...) -> None: ...

class EditDeleteKey(Message):
    key: str
    def __init__(self, *, key: str | None = ...) -> None: ...

class EditEditKey(Message):
    key: str
    value: str
    def __init__(self, *, key: str | None = ..., value: str | None = ...) -> None: ...

class EditMetadataRequest(Message):
    @property
    def edits(self) -> RepeatedMessages[Edit]: ...
    def __init__(self, *, edits: Iterable[Edit] | None = ...) -> None: ...

class EditMetadataResponse(Message):
    def __init__(self) -> None: ...

class EditReplace(Message):
    @property
    def replacement(self) -> ScalarMap[str, str]: ...
    def __init__(self, *, replacement: Mapping[str, str] | None = ...) -> None: ...
