"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from collections.abc import Iterable, Mapping
from typing import Literal

from minipdk.services.pachyderm.wire import google as _google
from minipdk.services.pachyderm.wire.message import EnumType, Message, Repeated, RepeatedMessages, ScalarMap

CommitState: EnumType[Literal["COMMIT_STATE_UNKNOWN", "STARTED", "READY", "FINISHING", "FINISHED"]]
Delimiter: EnumType[Literal["NONE", "JSON", "LINE", "SQL", "CSV"]]
FileType: EnumType[Literal["RESERVED", "FILE", "DIR"]]
GetFileSetRequestFileSetType: EnumType[Literal["TOTAL", "DIFF"]]
OriginKind: EnumType[Literal["ORIGIN_KIND_UNKNOWN", "USER", "AUTO", "FSCK"]]
RepoPageOrdering: EnumType[Literal["PROJECT_REPO"]]
SqlDatabaseEgressFileFormatType: EnumType[Literal["UNKNOWN", "CSV", "JSON", "PARQUET"]]

class ActivateAuthRequest(Message):
    def __init__(self) -> None: ...

class ActivateAuthResponse(Message):
    def __init__(self) -> None: ...

class AddFile(Message):
    path: str
    datum: str
    @property
    def raw(self) -> _google.BytesValue: ...
    @property
    def url(self) -> AddFileUrlSource: ...
    def __init__(
        self,
        *,
        path: str | None = ...,
        datum: str | None = ...,
        raw: _google.BytesValue | None = ...,
        url: AddFileUrlSource | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["raw", "url"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["source"]) -> Literal["raw", "url", None]: ...

class AddFileSetRequest(Message):
    @property
    def commit(self) -> Commit: ...
    file_set_id: str
    def __init__(self, *, commit: Commit | None = ..., file_set_id: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["commit"]) -> bool: ...

class AddFileUrlSource(Message):
    url: str
    recursive: bool
    concurrency: int
    def __init__(self, *, url: str | None = ..., recursive: bool | None = ..., concurrency: int | None = ...) -> None: ...

class AuthInfo(Message):
    @property
    def permissions(self) -> Repeated[int]: ...
    @property
    def roles(self) -> Repeated[str]: ...
    def __init__(self, *, permissions: Iterable[int] | None = ..., roles: Iterable[str] | None = ...) -> None: ...

class Branch(Message):
    @property
    def repo(self) -> Repo: ...
    name: str
    def __init__(self, *, repo: Repo | None = ..., name: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["repo"]) -> bool: ...

class BranchInfo(Message):
    @property
    def branch(self) -> Branch: ...
    @property
    def head(self) -> Commit: ...
    @property
    def provenance(self) -> RepeatedMessages[Branch]: ...
    @property
    def subvenance(self) -> RepeatedMessages[Branch]: ...
    @property
    def direct_provenance(self) -> RepeatedMessages[Branch]: ...
    @property
    def trigger(self) -> Trigger: ...
    @property
    def metadata(self) -> ScalarMap[str, str]: ...
    created_by: str
    @property
    def created_at(self) -> _google.Timestamp: ...
    @property
    def updated_at(self) -> _google.Timestamp: ...
    @property
    def branch_propagation_specs(self) -> RepeatedMessages[BranchPropagationSpec]: ...
    def __init__(
        self,
        *,
        branch: Branch | None = ...,
        head: Commit | None = ...,
        provenance: Iterable[Branch] | None = ...,
        subvenance: Iterable[Branch] | None = ...,
        direct_provenance: Iterable[Branch] | None = ...,
        trigger: Trigger | None = ...,
        metadata: Mapping[str, str] | None = ...,
        created_by: str | None = ...,
        created_at: _google.Timestamp | None = ...,
        updated_at: _google.Timestamp | None = ...,
        branch_propagation_specs: Iterable[BranchPropagationSpec] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["branch", "head", "trigger", "created_at", "updated_at"]) -> bool: ...

class BranchPicker(Message):
    @property
    def name(self) -> BranchPickerBranchName: ...
    def __init__(self, *, name: BranchPickerBranchName | None = ...) -> None: ...
    def HasField(self, field_name: Literal["name"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["picker"]) -> Literal["name", None]: ...

class BranchPickerBranchName(Message):
    @property
    def repo(self) -> RepoPicker: ...
    name: str
    def __init__(self, *, repo: RepoPicker | None = ..., name: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["repo"]) -> bool: ...

class BranchPropagationSpec(Message):
    @property
    def branch(self) -> Branch: ...
    @property
    def propagation_spec(self) -> PropagationSpec: ...
    def __init__(self, *, branch: Branch | None = ..., propagation_spec: PropagationSpec | None = ...) -> None: ...
    def HasField(self, field_name: Literal["branch", "propagation_spec"]) -> bool: ...

class CheckStorageRequest(Message):
    read_chunk_data: bool
    chunk_begin: bytes
    chunk_end: bytes
    def __init__(
        self,
        *,
        read_chunk_data: bool | None = ...,
        chunk_begin: bytes | None = ...,
        chunk_end: bytes | None = ...,
    ) -> None: ...

class CheckStorageResponse(Message):
    chunk_object_count: int
    def __init__(self, *, chunk_object_count: int | None = ...) -> None: ...

class ClearCacheRequest(Message):
    tag_prefix: str
    def __init__(self, *, tag_prefix: str | None = ...) -> None: ...

class ClearCommitRequest(Message):
    @property
    def commit(self) -> Commit: ...
    def __init__(self, *, commit: Commit | None = ...) -> None: ...
    def HasField(self, field_name: Literal["commit"]) -> bool: ...

class Commit(Message):
    @property
    def repo(self) -> Repo: ...
    id: str
    @property
    def branch(self) -> Branch: ...
    def __init__(self, *, repo: Repo | None = ..., id: str | None = ..., branch: Branch | None = ...) -> None: ...
    def HasField(self, field_name: Literal["repo", "branch"]) -> bool: ...

class CommitInfo(Message):
    @property
    def commit(self) -> Commit: ...
    @property
    def origin(self) -> CommitOrigin: ...
    description: str
    @property
    def parent_commit(self) -> Commit: ...
    @property
    def child_commits(self) -> RepeatedMessages[Commit]: ...
    @property
    def started(self) -> _google.Timestamp: ...
    @property
    def finishing(self) -> _google.Timestamp: ...
    @property
    def finished(self) -> _google.Timestamp: ...
    @property
    def direct_provenance(self) -> RepeatedMessages[Commit]: ...
    @property
    def direct_subvenance(self) -> RepeatedMessages[Commit]: ...
    error: str
    size_bytes_upper_bound: int
    @property
    def details(self) -> CommitInfoDetails: ...
    @property
    def metadata(self) -> ScalarMap[str, str]: ...
    created_by: str
    @property
    def created_at(self) -> _google.Timestamp: ...
    @property
    def updated_at(self) -> _google.Timestamp: ...
    def __init__(
        self,
        *,
        commit: Commit | None = ...,
        origin: CommitOrigin | None = ...,
        description: str | None = ...,
        parent_commit: Commit | None = ...,
        child_commits: Iterable[Commit] | None = ...,
        started: _google.Timestamp | None = ...,
        finishing: _google.Timestamp | None = ...,
        finished: _google.Timestamp | None = ...,
        direct_provenance: Iterable[Commit] | None = ...,
        direct_subvenance: Iterable[Commit] | None = ...,
        error: str | None = ...,
        size_bytes_upper_bound: int | None = ...,
        details: CommitInfoDetails | None = ...,
        metadata: Mapping[str, str] | None = ...,
        created_by: str | None = ...,
        created_at: _google.Timestamp | None = ...,
        updated_at: _google.Timestamp | None = ...,
    ) -> None: ...
    def HasField(
        self,
        field_name: Literal[
            "commit",
            "origin",
            "parent_commit",
            "started",
            "finishing",
            "finished",
            "details",
            "created_at",
            "updated_at",
        ],
    ) -> bool: ...

class CommitInfoDetails(Message):
    size_bytes: int
    @property
    def compacting_time(self) -> _google.Duration: ...
    @property
    def validating_time(self) -> _google.Duration: ...
    def __init__(
        self,
        *,
        size_bytes: int | None = ...,
        compacting_time: _google.Duration | None = ...,
        validating_time: _google.Duration | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["compacting_time", "validating_time"]) -> bool: ...

class CommitOrigin(Message):
    kind: int
    def __init__(self, *, kind: int | None = ...) -> None: ...

class CommitPicker(Message):
    @property
    def branch_head(self) -> BranchPicker: ...
    @property
    def id(self) -> CommitPickerCommitByGlobalId: ...
    @property
    def ancestor(self) -> CommitPickerAncestorOf: ...
    @property
    def branch_root(self) -> CommitPickerBranchRoot: ...
    def __init__(
        self,
        *,
        branch_head: BranchPicker | None = ...,
        id: CommitPickerCommitByGlobalId | None = ...,
        ancestor: CommitPickerAncestorOf | None = ...,
        branch_root: CommitPickerBranchRoot | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["branch_head", "id", "ancestor", "branch_root"]) -> bool: ...
    def WhichOneof(
        self, oneof_group: Literal["picker"]
    ) -> Literal[
        "branch_head",
        "id",
        "ancestor",
        "branch_root",
        None,
    ]: ...

class CommitPickerAncestorOf(Message):
    offset: int
    @property
    def start(self) -> CommitPicker: ...
    def __init__(self, *, offset: int | None = ..., start: CommitPicker | None = ...) -> None: ...
    def HasField(self, field_name: Literal["start"]) -> bool: ...

class CommitPickerBranchRoot(Message):
    offset: int
    @property
    def branch(self) -> BranchPicker: ...
    def __init__(self, *, offset: int | None = ..., branch: BranchPicker | None = ...) -> None: ...
    def HasField(self, field_name: Literal["branch"]) -> bool: ...

class CommitPickerCommitByGlobalId(Message):
    @property
    def repo(self) -> RepoPicker: ...
    id: str
    def __init__(self, *, repo: RepoPicker | None = ..., id: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["repo"]) -> bool: ...

class CommitSet(Message):
    id: str
    def __init__(self, *, id: str | None = ...) -> None: ...

class CommitSetInfo(Message):
    @property
    def commit_set(self) -> CommitSet: ...
    @property
    def commits(self) -> RepeatedMessages[CommitInfo]: ...
    def __init__(self, *, commit_set: CommitSet | None = ..., commits: Iterable[CommitInfo] | None = ...) -> None: ...
    def HasField(self, field_name: Literal["commit_set"]) -> bool: ...

class ComposeFileSetRequest(Message):
    @property
    def file_set_ids(self) -> Repeated[str]: ...
    ttl_seconds: int
    compact: bool
    def __init__(
        self,
        *,
        file_set_ids: Iterable[str] | None = ...,
        ttl_seconds: int | None = ...,
        compact: bool | None = ...,
    ) -> None: ...

class CopyFile(Message):
    dst: str
    datum: str
    @property
    def src(self) -> File: ...
    append: bool
    def __init__(
        self,
        *,
        dst: str | None = ...,
        datum: str | None = ...,
        src: File | None = ...,
        append: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["src"]) -> bool: ...

class CreateBranchRequest(Message):
    @property
    def head(self) -> Commit: ...
    @property
    def branch(self) -> Branch: ...
    @property
    def provenance(self) -> RepeatedMessages[Branch]: ...
    @property
    def trigger(self) -> Trigger: ...
    new_commit_set: bool
    @property
    def branch_propagation_specs(self) -> RepeatedMessages[BranchPropagationSpec]: ...
    def __init__(
        self,
        *,
        head: Commit | None = ...,
        branch: Branch | None = ...,
        provenance: Iterable[Branch] | None = ...,
        trigger: Trigger | None = ...,
        new_commit_set: bool | None = ...,
        branch_propagation_specs: Iterable[BranchPropagationSpec] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["head", "branch", "trigger"]) -> bool: ...

class CreateFileSetResponse(Message):
    file_set_id: str
    def __init__(self, *, file_set_id: str | None = ...) -> None: ...

class CreateProjectRequest(Message):
    @property
    def project(self) -> Project: ...
    description: str
    update: bool
    def __init__(
        self,
        *,
        project: Project | None = ...,
        description: str | None = ...,
        update: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["project"]) -> bool: ...

class CreateRepoRequest(Message):
    @property
    def repo(self) -> Repo: ...
    description: str
    update: bool
    def __init__(self, *, repo: Repo | None = ..., description: str | None = ..., update: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["repo"]) -> bool: ...

class DeleteBranchRequest(Message):
    @property
    def branch(self) -> Branch: ...
    force: bool
    def __init__(self, *, branch: Branch | None = ..., force: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["branch"]) -> bool: ...

class DeleteFile(Message):
    path: str
    datum: str
    def __init__(self, *, path: str | None = ..., datum: str | None = ...) -> None: ...

class DeleteProjectRequest(Message):
    @property
    def project(self) -> Project: ...
    force: bool
    def __init__(self, *, project: Project | None = ..., force: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["project"]) -> bool: ...

class DeleteRepoRequest(Message):
    @property
    def repo(self) -> Repo: ...
    force: bool
    def __init__(self, *, repo: Repo | None = ..., force: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["repo"]) -> bool: ...

class DeleteRepoResponse(Message):
    deleted: bool
    def __init__(self, *, deleted: bool | None = ...) -> None: ...

class DeleteReposRequest(Message):
    @property
    def projects(self) -> RepeatedMessages[Project]: ...
    force: bool
    all: bool
    def __init__(
        self,
        *,
        projects: Iterable[Project] | None = ...,
        force: bool | None = ...,
        all: bool | None = ...,
    ) -> None: ...

class DeleteReposResponse(Message):
    @property
    def repos(self) -> RepeatedMessages[Repo]: ...
    def __init__(self, *, repos: Iterable[Repo] | None = ...) -> None: ...

class DiffFileRequest(Message):
    @property
    def new_file(self) -> File: ...
    @property
    def old_file(self) -> File: ...
    shallow: bool
    def __init__(self, *, new_file: File | None = ..., old_file: File | None = ..., shallow: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["new_file", "old_file"]) -> bool: ...

class DiffFileResponse(Message):
    @property
    def new_file(self) -> FileInfo: ...
    @property
    def old_file(self) -> FileInfo: ...
    def __init__(self, *, new_file: FileInfo | None = ..., old_file: FileInfo | None = ...) -> None: ...
    def HasField(self, field_name: Literal["new_file", "old_file"]) -> bool: ...

class DropCommitRequest(Message):
    @property
    def commit(self) -> Commit: ...
    recursive: bool
    def __init__(self, *, commit: Commit | None = ..., recursive: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["commit"]) -> bool: ...

class DropCommitResponse(Message):
    def __init__(self) -> None: ...

class DropCommitSetRequest(Message):
    @property
    def commit_set(self) -> CommitSet: ...
    def __init__(self, *, commit_set: CommitSet | None = ...) -> None: ...
    def HasField(self, field_name: Literal["commit_set"]) -> bool: ...

class EgressRequest(Message):
    @property
    def commit(self) -> Commit: ...
    @property
    def object_storage(self) -> ObjectStorageEgress: ...
    @property
    def sql_database(self) -> SqlDatabaseEgress: ...
    def __init__(
        self,
        *,
        commit: Commit | None = ...,
        object_storage: ObjectStorageEgress | None = ...,
        sql_database: SqlDatabaseEgress | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["commit", "object_storage", "sql_database"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["target"]) -> Literal["object_storage", "sql_database", None]: ...

class EgressResponse(Message):
    @property
    def object_storage(self) -> EgressResponseObjectStorageResult: ...
    @property
    def sql_database(self) -> EgressResponseSqlDatabaseResult: ...
    def __init__(
        self,
        *,
        object_storage: EgressResponseObjectStorageResult | None = ...,
        sql_database: EgressResponseSqlDatabaseResult | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["object_storage", "sql_database"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["result"]) -> Literal["object_storage", "sql_database", None]: ...

class EgressResponseObjectStorageResult(Message):
    bytes_written: int
    def __init__(self, *, bytes_written: int | None = ...) -> None: ...

class EgressResponseSqlDatabaseResult(Message):
    @property
    def rows_written(self) -> ScalarMap[str, int]: ...
    def __init__(self, *, rows_written: Mapping[str, int] | None = ...) -> None: ...

class File(Message):
    @property
    def commit(self) -> Commit: ...
    path: str
    datum: str
    def __init__(self, *, commit: Commit | None = ..., path: str | None = ..., datum: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["commit"]) -> bool: ...

class FileInfo(Message):
    @property
    def file(self) -> File: ...
    file_type: int
    @property
    def committed(self) -> _google.Timestamp: ...
    size_bytes: int
    hash: bytes
    def __init__(
        self,
        *,
        file: File | None = ...,
        file_type: int | None = ...,
        committed: _google.Timestamp | None = ...,
        size_bytes: int | None = ...,
        hash: bytes | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["file", "committed"]) -> bool: ...

class FindCommitsRequest(Message):
    @property
    def start(self) -> Commit: ...
    file_path: str
    limit: int
    def __init__(self, *, start: Commit | None = ..., file_path: str | None = ..., limit: int | None = ...) -> None: ...
    def HasField(self, field_name: Literal["start"]) -> bool: ...

class FindCommitsResponse(Message):
    @property
    def found_commit(self) -> Commit: ...
    @property
    def last_searched_commit(self) -> Commit: ...
    commits_searched: int
    def __init__(
        self,
        *,
        found_commit: Commit | None = ...,
        last_searched_commit: Commit | None = ...,
        commits_searched: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["found_commit", "last_searched_commit"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["result"]) -> Literal["found_commit", "last_searched_commit", None]: ...

class FinishCommitRequest(Message):
    @property
    def commit(self) -> Commit: ...
    description: str
    error: str
    force: bool
    def __init__(
        self,
        *,
        commit: Commit | None = ...,
        description: str | None = ...,
        error: str | None = ...,
        force: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["commit"]) -> bool: ...

class ForgetCommitRequest(Message):
    @property
    def commit(self) -> CommitPicker: ...
    def __init__(self, *, commit: CommitPicker | None = ...) -> None: ...
    def HasField(self, field_name: Literal["commit"]) -> bool: ...

class ForgetCommitResponse(Message):
    def __init__(self) -> None: ...

class FsckRequest(Message):
    fix: bool
    @property
    def zombie_target(self) -> Commit: ...
    zombie_all: bool
    def __init__(
        self,
        *,
        fix: bool | None = ...,
        zombie_target: Commit | None = ...,
        zombie_all: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["zombie_target", "zombie_all"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["zombie_check"]) -> Literal["zombie_target", "zombie_all", None]: ...

class FsckResponse(Message):
    fix: str
    error: str
    def __init__(self, *, fix: str | None = ..., error: str | None = ...) -> None: ...

class GetCacheRequest(Message):
    key: str
    def __init__(self, *, key: str | None = ...) -> None: ...

class GetCacheResponse(Message):
    @property
    def value(self) -> _google.Any: ...
    def __init__(self, *, value: _google.Any | None = ...) -> None: ...
    def HasField(self, field_name: Literal["value"]) -> bool: ...

class GetFileRequest(Message):
    @property
    def file(self) -> File: ...
    url: str
    offset: int
    @property
    def path_range(self) -> PathRange: ...
    def __init__(
        self,
        *,
        file: File | None = ...,
        url: str | None = ...,
        offset: int | None = ...,
        path_range: PathRange | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["file", "path_range"]) -> bool: ...

class GetFileSetRequest(Message):
    @property
    def commit(self) -> Commit: ...
    type: int
    def __init__(self, *, commit: Commit | None = ..., type: int | None = ...) -> None: ...
    def HasField(self, field_name: Literal["commit"]) -> bool: ...

class GlobFileRequest(Message):
    @property
    def commit(self) -> Commit: ...
    pattern: str
    @property
    def path_range(self) -> PathRange: ...
    def __init__(
        self,
        *,
        commit: Commit | None = ...,
        pattern: str | None = ...,
        path_range: PathRange | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["commit", "path_range"]) -> bool: ...

class InspectBranchRequest(Message):
    @property
    def branch(self) -> Branch: ...
    def __init__(self, *, branch: Branch | None = ...) -> None: ...
    def HasField(self, field_name: Literal["branch"]) -> bool: ...

class InspectCommitRequest(Message):
    @property
    def commit(self) -> Commit: ...
    wait: int
    def __init__(self, *, commit: Commit | None = ..., wait: int | None = ...) -> None: ...
    def HasField(self, field_name: Literal["commit"]) -> bool: ...

class InspectCommitSetRequest(Message):
    @property
    def commit_set(self) -> CommitSet: ...
    wait: bool
    def __init__(self, *, commit_set: CommitSet | None = ..., wait: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["commit_set"]) -> bool: ...

class InspectFileRequest(Message):
    @property
    def file(self) -> File: ...
    def __init__(self, *, file: File | None = ...) -> None: ...
    def HasField(self, field_name: Literal["file"]) -> bool: ...

class InspectProjectRequest(Message):
    @property
    def project(self) -> Project: ...
    def __init__(self, *, project: Project | None = ...) -> None: ...
    def HasField(self, field_name: Literal["project"]) -> bool: ...

class InspectProjectV2Request(Message):
    @property
    def project(self) -> Project: ...
    def __init__(self, *, project: Project | None = ...) -> None: ...
    def HasField(self, field_name: Literal["project"]) -> bool: ...

class InspectProjectV2Response(Message):
    @property
    def info(self) -> ProjectInfo: ...
    defaults_json: str
    def __init__(self, *, info: ProjectInfo | None = ..., defaults_json: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["info"]) -> bool: ...

class InspectRepoRequest(Message):
    @property
    def repo(self) -> Repo: ...
    def __init__(self, *, repo: Repo | None = ...) -> None: ...
    def HasField(self, field_name: Literal["repo"]) -> bool: ...

class ListBranchRequest(Message):
    @property
    def repo(self) -> Repo: ...
    reverse: bool
    def __init__(self, *, repo: Repo | None = ..., reverse: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["repo"]) -> bool: ...

class ListCommitRequest(Message):
    @property
    def repo(self) -> Repo: ...
    @property
    def to(self) -> Commit: ...
    number: int
    reverse: bool
    all: bool
    origin_kind: int
    @property
    def started_time(self) -> _google.Timestamp: ...
    def __init__(
        self,
        *,
        repo: Repo | None = ...,
        to: Commit | None = ...,
        number: int | None = ...,
        reverse: bool | None = ...,
        all: bool | None = ...,
        origin_kind: int | None = ...,
        started_time: _google.Timestamp | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["repo", "from", "to", "started_time"]) -> bool: ...

class ListCommitSetRequest(Message):
    @property
    def project(self) -> Project: ...
    def __init__(self, *, project: Project | None = ...) -> None: ...
    def HasField(self, field_name: Literal["project"]) -> bool: ...

class ListFileRequest(Message):
    @property
    def file(self) -> File: ...
    @property
    def pagination_marker(self) -> File: ...
    number: int
    reverse: bool
    def __init__(
        self,
        *,
        file: File | None = ...,
        pagination_marker: File | None = ...,
        number: int | None = ...,
        reverse: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["file", "pagination_marker"]) -> bool: ...

class ListProjectRequest(Message):
    def __init__(self) -> None: ...

class ListRepoRequest(Message):
    type: str
    @property
    def projects(self) -> RepeatedMessages[Project]: ...
    @property
    def page(self) -> RepoPage: ...
    def __init__(
        self,
        *,
        type: str | None = ...,
        projects: Iterable[Project] | None = ...,
        page: RepoPage | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["page"]) -> bool: ...

class ModifyFileRequest(Message):
    @property
    def set_commit(self) -> Commit: ...
    @property
    def add_file(self) -> AddFile: ...
    @property
    def delete_file(self) -> DeleteFile: ...
    @property
    def copy_file(self) -> CopyFile: ...
    def __init__(
        self,
        *,
        set_commit: Commit | None = ...,
        add_file: AddFile | None = ...,
        delete_file: DeleteFile | None = ...,
        copy_file: CopyFile | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["set_commit", "add_file", "delete_file", "copy_file"]) -> bool: ...
    def WhichOneof(
        self, oneof_group: Literal["body"]
    ) -> Literal[
        "set_commit",
        "add_file",
        "delete_file",
        "copy_file",
        None,
    ]: ...

class ObjectStorageEgress(Message):
    url: str
    def __init__(self, *, url: str | None = ...) -> None: ...

class PathRange(Message):
    lower: str
    upper: str
    def __init__(self, *, lower: str | None = ..., upper: str | None = ...) -> None: ...

class Project(Message):
    name: str
    def __init__(self, *, name: str | None = ...) -> None: ...

class ProjectInfo(Message):
    @property
    def project(self) -> Project: ...
    description: str
    @property
    def auth_info(self) -> AuthInfo: ...
    @property
    def created_at(self) -> _google.Timestamp: ...
    @property
    def metadata(self) -> ScalarMap[str, str]: ...
    created_by: str
    def __init__(
        self,
        *,
        project: Project | None = ...,
        description: str | None = ...,
        auth_info: AuthInfo | None = ...,
        created_at: _google.Timestamp | None = ...,
        metadata: Mapping[str, str] | None = ...,
        created_by: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["project", "auth_info", "created_at"]) -> bool: ...

class ProjectPicker(Message):
    name: str
    def __init__(self, *, name: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["name"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["picker"]) -> Literal["name", None]: ...

class PropagationSpec(Message):
    never: bool
    def __init__(self, *, never: bool | None = ...) -> None: ...

class PutCacheRequest(Message):
    key: str
    @property
    def value(self) -> _google.Any: ...
    @property
    def file_set_ids(self) -> Repeated[str]: ...
    tag: str
    def __init__(
        self,
        *,
        key: str | None = ...,
        value: _google.Any | None = ...,
        file_set_ids: Iterable[str] | None = ...,
        tag: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["value"]) -> bool: ...

class RenewFileSetRequest(Message):
    file_set_id: str
    ttl_seconds: int
    def __init__(self, *, file_set_id: str | None = ..., ttl_seconds: int | None = ...) -> None: ...

class Repo(Message):
    name: str
    type: str
    @property
    def project(self) -> Project: ...
    def __init__(self, *, name: str | None = ..., type: str | None = ..., project: Project | None = ...) -> None: ...
    def HasField(self, field_name: Literal["project"]) -> bool: ...

class RepoInfo(Message):
    @property
    def repo(self) -> Repo: ...
    @property
    def created(self) -> _google.Timestamp: ...
    size_bytes_upper_bound: int
    description: str
    @property
    def branches(self) -> RepeatedMessages[Branch]: ...
    @property
    def auth_info(self) -> AuthInfo: ...
    @property
    def details(self) -> RepoInfoDetails: ...
    @property
    def metadata(self) -> ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        repo: Repo | None = ...,
        created: _google.Timestamp | None = ...,
        size_bytes_upper_bound: int | None = ...,
        description: str | None = ...,
        branches: Iterable[Branch] | None = ...,
        auth_info: AuthInfo | None = ...,
        details: RepoInfoDetails | None = ...,
        metadata: Mapping[str, str] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["repo", "created", "auth_info", "details"]) -> bool: ...

class RepoInfoDetails(Message):
    size_bytes: int
    def __init__(self, *, size_bytes: int | None = ...) -> None: ...

class RepoPage(Message):
    order: int
    page_size: int
    page_index: int
    def __init__(self, *, order: int | None = ..., page_size: int | None = ..., page_index: int | None = ...) -> None: ...

class RepoPicker(Message):
    @property
    def name(self) -> RepoPickerRepoName: ...
    def __init__(self, *, name: RepoPickerRepoName | None = ...) -> None: ...
    def HasField(self, field_name: Literal["name"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["picker"]) -> Literal["name", None]: ...

class RepoPickerRepoName(Message):
    @property
    def project(self) -> ProjectPicker: ...
    name: str
    type: str
    def __init__(self, *, project: ProjectPicker | None = ..., name: str | None = ..., type: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["project"]) -> bool: ...

class ReposSummary(Message):
    @property
    def project(self) -> Project: ...
    user_repo_count: int
    size_bytes: int
    def __init__(
        self,
        *,
        project: Project | None = ...,
        user_repo_count: int | None = ...,
        size_bytes: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["project"]) -> bool: ...

class ReposSummaryRequest(Message):
    @property
    def projects(self) -> RepeatedMessages[ProjectPicker]: ...
    def __init__(self, *, projects: Iterable[ProjectPicker] | None = ...) -> None: ...

class ReposSummaryResponse(Message):
    @property
    def summaries(self) -> RepeatedMessages[ReposSummary]: ...
    def __init__(self, *, summaries: Iterable[ReposSummary] | None = ...) -> None: ...

class ShardFileSetRequest(Message):
    file_set_id: str
    num_files: int
    size_bytes: int
    def __init__(
        self,
        *,
        file_set_id: str | None = ...,
        num_files: int | None = ...,
        size_bytes: int | None = ...,
    ) -> None: ...

class ShardFileSetResponse(Message):
    @property
    def shards(self) -> RepeatedMessages[PathRange]: ...
    def __init__(self, *, shards: Iterable[PathRange] | None = ...) -> None: ...

class SqlDatabaseEgress(Message):
    url: str
    @property
    def file_format(self) -> SqlDatabaseEgressFileFormat: ...
    @property
    def secret(self) -> SqlDatabaseEgressSecret: ...
    def __init__(
        self,
        *,
        url: str | None = ...,
        file_format: SqlDatabaseEgressFileFormat | None = ...,
        secret: SqlDatabaseEgressSecret | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["file_format", "secret"]) -> bool: ...

class SqlDatabaseEgressFileFormat(Message):
    type: int
    @property
    def columns(self) -> Repeated[str]: ...
    def __init__(self, *, type: int | None = ..., columns: Iterable[str] | None = ...) -> None: ...

class SqlDatabaseEgressSecret(Message):
    name: str
    key: str
    def __init__(self, *, name: str | None = ..., key: str | None = ...) -> None: ...

class SquashCommitRequest(Message):
    @property
    def commit(self) -> Commit: ...
    recursive: bool
    def __init__(self, *, commit: Commit | None = ..., recursive: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["commit"]) -> bool: ...

class SquashCommitResponse(Message):
    def __init__(self) -> None: ...

class SquashCommitSetRequest(Message):
    @property
    def commit_set(self) -> CommitSet: ...
    def __init__(self, *, commit_set: CommitSet | None = ...) -> None: ...
    def HasField(self, field_name: Literal["commit_set"]) -> bool: ...

class StartCommitRequest(Message):
    @property
    def parent(self) -> Commit: ...
    description: str
    @property
    def branch(self) -> Branch: ...
    def __init__(
        self,
        *,
        parent: Commit | None = ...,
        description: str | None = ...,
        branch: Branch | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["parent", "branch"]) -> bool: ...

class SubscribeCommitRequest(Message):
    @property
    def repo(self) -> Repo: ...
    branch: str
    state: int
    all: bool
    origin_kind: int
    def __init__(
        self,
        *,
        repo: Repo | None = ...,
        branch: str | None = ...,
        state: int | None = ...,
        all: bool | None = ...,
        origin_kind: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["repo", "from"]) -> bool: ...

class Trigger(Message):
    branch: str
    all: bool
    rate_limit_spec: str
    size: str
    commits: int
    cron_spec: str
    def __init__(
        self,
        *,
        branch: str | None = ...,
        all: bool | None = ...,
        rate_limit_spec: str | None = ...,
        size: str | None = ...,
        commits: int | None = ...,
        cron_spec: str | None = ...,
    ) -> None: ...

class WalkBranchProvenanceRequest(Message):
    @property
    def start(self) -> RepeatedMessages[BranchPicker]: ...
    max_branches: int
    max_depth: int
    def __init__(
        self,
        *,
        start: Iterable[BranchPicker] | None = ...,
        max_branches: int | None = ...,
        max_depth: int | None = ...,
    ) -> None: ...

class WalkBranchSubvenanceRequest(Message):
    @property
    def start(self) -> RepeatedMessages[BranchPicker]: ...
    max_branches: int
    max_depth: int
    def __init__(
        self,
        *,
        start: Iterable[BranchPicker] | None = ...,
        max_branches: int | None = ...,
        max_depth: int | None = ...,
    ) -> None: ...

class WalkCommitProvenanceRequest(Message):
    @property
    def start(self) -> RepeatedMessages[CommitPicker]: ...
    max_commits: int
    max_depth: int
    def __init__(
        self,
        *,
        start: Iterable[CommitPicker] | None = ...,
        max_commits: int | None = ...,
        max_depth: int | None = ...,
    ) -> None: ...

class WalkCommitSubvenanceRequest(Message):
    @property
    def start(self) -> RepeatedMessages[CommitPicker]: ...
    max_commits: int
    max_depth: int
    def __init__(
        self,
        *,
        start: Iterable[CommitPicker] | None = ...,
        max_commits: int | None = ...,
        max_depth: int | None = ...,
    ) -> None: ...

class WalkFileRequest(Message):
    @property
    def file(self) -> File: ...
    @property
    def pagination_marker(self) -> File: ...
    number: int
    reverse: bool
    def __init__(
        self,
        *,
        file: File | None = ...,
        pagination_marker: File | None = ...,
        number: int | None = ...,
        reverse: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["file", "pagination_marker"]) -> bool: ...
