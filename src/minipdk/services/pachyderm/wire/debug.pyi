"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from collections.abc import Iterable
from typing import Literal

from minipdk.services.pachyderm.wire import google as _google
from minipdk.services.pachyderm.wire import pfs as _pfs
from minipdk.services.pachyderm.wire import pps as _pps
from minipdk.services.pachyderm.wire.message import EnumType, Message, Repeated, RepeatedMessages

SetLogLevelRequestLogLevel: EnumType[Literal["UNKNOWN", "DEBUG", "INFO", "ERROR", "OFF"]]

class App(Message):
    name: str
    @property
    def pods(self) -> RepeatedMessages[Pod]: ...
    @property
    def timeout(self) -> _google.Duration: ...
    @property
    def pipeline(self) -> Pipeline: ...
    @property
    def loki_args(self) -> LokiArgs: ...
    @property
    def profile_args(self) -> ProfileArgs: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        pods: Iterable[Pod] | None = ...,
        timeout: _google.Duration | None = ...,
        pipeline: Pipeline | None = ...,
        loki_args: LokiArgs | None = ...,
        profile_args: ProfileArgs | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["timeout", "pipeline", "loki_args", "profile_args"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["extra_args"]) -> Literal["loki_args", "profile_args", None]: ...

class BinaryRequest(Message):
    @property
    def filter(self) -> Filter: ...
    def __init__(self, *, filter: Filter | None = ...) -> None: ...
    def HasField(self, field_name: Literal["filter"]) -> bool: ...

class DumpChunk(Message):
    @property
    def content(self) -> DumpContent: ...
    @property
    def progress(self) -> DumpProgress: ...
    def __init__(self, *, content: DumpContent | None = ..., progress: DumpProgress | None = ...) -> None: ...
    def HasField(self, field_name: Literal["content", "progress"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["chunk"]) -> Literal["content", "progress", None]: ...

class DumpContent(Message):
    content: bytes
    def __init__(self, *, content: bytes | None = ...) -> None: ...

class DumpProgress(Message):
    task: str
    total: int
    progress: int
    def __init__(self, *, task: str | None = ..., total: int | None = ..., progress: int | None = ...) -> None: ...

class DumpRequest(Message):
    @property
    def filter(self) -> Filter: ...
    limit: int
    def __init__(self, *, filter: Filter | None = ..., limit: int | None = ...) -> None: ...
    def HasField(self, field_name: Literal["filter"]) -> bool: ...

class DumpV2Request(Message):
    @property
    def system(self) -> System: ...
    @property
    def pipelines(self) -> RepeatedMessages[Pipeline]: ...
    input_repos: bool
    @property
    def timeout(self) -> _google.Duration: ...
    @property
    def defaults(self) -> DumpV2RequestDefaults: ...
    @property
    def starlark_scripts(self) -> RepeatedMessages[Starlark]: ...
    def __init__(
        self,
        *,
        system: System | None = ...,
        pipelines: Iterable[Pipeline] | None = ...,
        input_repos: bool | None = ...,
        timeout: _google.Duration | None = ...,
        defaults: DumpV2RequestDefaults | None = ...,
        starlark_scripts: Iterable[Starlark] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["system", "timeout", "defaults"]) -> bool: ...

class DumpV2RequestDefaults(Message):
    cluster_defaults: bool
    def __init__(self, *, cluster_defaults: bool | None = ...) -> None: ...

class Filter(Message):
    pachd: bool
    @property
    def pipeline(self) -> _pps.Pipeline: ...
    @property
    def worker(self) -> Worker: ...
    database: bool
    def __init__(
        self,
        *,
        pachd: bool | None = ...,
        pipeline: _pps.Pipeline | None = ...,
        worker: Worker | None = ...,
        database: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["pachd", "pipeline", "worker", "database"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["filter"]) -> Literal["pachd", "pipeline", "worker", "database", None]: ...

class GetDumpV2TemplateRequest(Message):
    @property
    def filters(self) -> Repeated[str]: ...
    def __init__(self, *, filters: Iterable[str] | None = ...) -> None: ...

class GetDumpV2TemplateResponse(Message):
    @property
    def request(self) -> DumpV2Request: ...
    def __init__(self, *, request: DumpV2Request | None = ...) -> None: ...
    def HasField(self, field_name: Literal["request"]) -> bool: ...

class LokiArgs(Message):
    max_logs: int
    def __init__(self, *, max_logs: int | None = ...) -> None: ...

class Pipeline(Message):
    project: str
    name: str
    def __init__(self, *, project: str | None = ..., name: str | None = ...) -> None: ...

class Pod(Message):
    name: str
    ip: str
    @property
    def containers(self) -> Repeated[str]: ...
    def __init__(self, *, name: str | None = ..., ip: str | None = ..., containers: Iterable[str] | None = ...) -> None: ...

class Profile(Message):
    name: str
    @property
    def duration(self) -> _google.Duration: ...
    def __init__(self, *, name: str | None = ..., duration: _google.Duration | None = ...) -> None: ...
    def HasField(self, field_name: Literal["duration"]) -> bool: ...

class ProfileArgs(Message):
    @property
    def profiles(self) -> RepeatedMessages[Profile]: ...
    def __init__(self, *, profiles: Iterable[Profile] | None = ...) -> None: ...

class ProfileRequest(Message):
    @property
    def profile(self) -> Profile: ...
    @property
    def filter(self) -> Filter: ...
    def __init__(self, *, profile: Profile | None = ..., filter: Filter | None = ...) -> None: ...
    def HasField(self, field_name: Literal["profile", "filter"]) -> bool: ...

class RunPfsLoadTestRequest(Message):
    spec: str
    @property
    def branch(self) -> _pfs.Branch: ...
    seed: int
    state_id: str
    def __init__(
        self,
        *,
        spec: str | None = ...,
        branch: _pfs.Branch | None = ...,
        seed: int | None = ...,
        state_id: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["branch"]) -> bool: ...

class RunPfsLoadTestResponse(Message):
    spec: str
    @property
    def branch(self) -> _pfs.Branch: ...
    seed: int
    error: str
    @property
    def duration(self) -> _google.Duration: ...
    state_id: str
    def __init__(
        self,
        *,
        spec: str | None = ...,
        branch: _pfs.Branch | None = ...,
        seed: int | None = ...,
        error: str | None = ...,
        duration: _google.Duration | None = ...,
        state_id: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["branch", "duration"]) -> bool: ...

class SetLogLevelRequest(Message):
    pachyderm: int
    grpc: int
    @property
    def duration(self) -> _google.Duration: ...
    recurse: bool
    def __init__(
        self,
        *,
        pachyderm: int | None = ...,
        grpc: int | None = ...,
        duration: _google.Duration | None = ...,
        recurse: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["pachyderm", "grpc", "duration"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["level"]) -> Literal["pachyderm", "grpc", None]: ...

class SetLogLevelResponse(Message):
    @property
    def affected_pods(self) -> Repeated[str]: ...
    @property
    def errored_pods(self) -> Repeated[str]: ...
    def __init__(self, *, affected_pods: Iterable[str] | None = ..., errored_pods: Iterable[str] | None = ...) -> None: ...

class Starlark(Message):
    builtin: str
    @property
    def literal(self) -> StarlarkLiteral: ...
    @property
    def timeout(self) -> _google.Duration: ...
    def __init__(
        self,
        *,
        builtin: str | None = ...,
        literal: StarlarkLiteral | None = ...,
        timeout: _google.Duration | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["builtin", "literal", "timeout"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["source"]) -> Literal["builtin", "literal", None]: ...

class StarlarkLiteral(Message):
    name: str
    program_text: str
    def __init__(self, *, name: str | None = ..., program_text: str | None = ...) -> None: ...

class System(Message):
    helm: bool
    database: bool
    version: bool
    @property
    def describes(self) -> RepeatedMessages[App]: ...
    @property
    def logs(self) -> RepeatedMessages[App]: ...
    @property
    def loki_logs(self) -> RepeatedMessages[App]: ...
    @property
    def binaries(self) -> RepeatedMessages[App]: ...
    @property
    def profiles(self) -> RepeatedMessages[App]: ...
    def __init__(
        self,
        *,
        helm: bool | None = ...,
        database: bool | None = ...,
        version: bool | None = ...,
        describes: Iterable[App] | None = ...,
        logs: Iterable[App] | None = ...,
        loki_logs: Iterable[App] | None = ...,
        binaries: Iterable[App] | None = ...,
        profiles: Iterable[App] | None = ...,
    ) -> None: ...

class TraceChunk(Message):
    @property
    def content(self) -> _google.BytesValue: ...
    def __init__(self, *, content: _google.BytesValue | None = ...) -> None: ...
    def HasField(self, field_name: Literal["content"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["reply"]) -> Literal["content", None]: ...

class TraceRequest(Message):
    @property
    def duration(self) -> _google.Duration: ...
    def __init__(self, *, duration: _google.Duration | None = ...) -> None: ...
    def HasField(self, field_name: Literal["duration"]) -> bool: ...

class Worker(Message):
    pod: str
    redirected: bool
    def __init__(self, *, pod: str | None = ..., redirected: bool | None = ...) -> None: ...
