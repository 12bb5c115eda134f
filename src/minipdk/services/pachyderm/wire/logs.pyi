"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from typing import Literal

from minipdk.services.pachyderm.wire import google as _google
from minipdk.services.pachyderm.wire import pps as _pps
from minipdk.services.pachyderm.wire.message import EnumType, Message

LogLevel: EnumType[Literal["LOG_LEVEL_UNSET", "LOG_LEVEL_DEBUG", "LOG_LEVEL_INFO", "LOG_LEVEL_ERROR"]]

class AdminLogQuery(Message):
    logql: str
    pod: str
    @property
    def pod_container(self) -> PodContainer: ...
    app: str
    @property
    def master(self) -> PipelineLogQuery: ...
    @property
    def storage(self) -> PipelineLogQuery: ...
    @property
    def user(self) -> UserLogQuery: ...
    def __init__(
        self,
        *,
        logql: str | None = ...,
        pod: str | None = ...,
        pod_container: PodContainer | None = ...,
        app: str | None = ...,
        master: PipelineLogQuery | None = ...,
        storage: PipelineLogQuery | None = ...,
        user: UserLogQuery | None = ...,
    ) -> None: ...
    def HasField(
        self,
        field_name: Literal[
            "logql",
            "pod",
            "pod_container",
            "app",
            "master",
            "storage",
            "user",
        ],
    ) -> bool: ...
    def WhichOneof(
        self, oneof_group: Literal["admin_type"]
    ) -> Literal[
        "logql",
        "pod",
        "pod_container",
        "app",
        "master",
        "storage",
        "user",
        None,
    ]: ...

class GetLogsRequest(Message):
    @property
    def query(self) -> LogQuery: ...
    @property
    def filter(self) -> LogFilter: ...
    tail: bool
    want_paging_hint: bool
    def __init__(
        self,
        *,
        query: LogQuery | None = ...,
        filter: LogFilter | None = ...,
        tail: bool | None = ...,
        want_paging_hint: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["query", "filter"]) -> bool: ...

class GetLogsResponse(Message):
    @property
    def paging_hint(self) -> PagingHint: ...
    @property
    def log(self) -> LogMessage: ...
    def __init__(self, *, paging_hint: PagingHint | None = ..., log: LogMessage | None = ...) -> None: ...
    def HasField(self, field_name: Literal["paging_hint", "log"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["response_type"]) -> Literal["paging_hint", "log", None]: ...

class JobDatumLogQuery(Message):
    job: str
    datum: str
    def __init__(self, *, job: str | None = ..., datum: str | None = ...) -> None: ...

class LogFilter(Message):
    @property
    def time_range(self) -> TimeRangeLogFilter: ...
    limit: int
    @property
    def regex(self) -> RegexLogFilter: ...
    level: int
    user_logs_only: bool
    def __init__(
        self,
        *,
        time_range: TimeRangeLogFilter | None = ...,
        limit: int | None = ...,
        regex: RegexLogFilter | None = ...,
        level: int | None = ...,
        user_logs_only: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["time_range", "regex"]) -> bool: ...

class LogMessage(Message):
    @property
    def verbatim(self) -> VerbatimLogMessage: ...
    @property
    def object(self) -> _google.Struct: ...
    @property
    def native_timestamp(self) -> _google.Timestamp: ...
    @property
    def pps_log_message(self) -> _pps.LogMessage: ...
    def __init__(
        self,
        *,
        verbatim: VerbatimLogMessage | None = ...,
        object: _google.Struct | None = ...,
        native_timestamp: _google.Timestamp | None = ...,
        pps_log_message: _pps.LogMessage | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["verbatim", "object", "native_timestamp", "pps_log_message"]) -> bool: ...

class LogQuery(Message):
    @property
    def user(self) -> UserLogQuery: ...
    @property
    def admin(self) -> AdminLogQuery: ...
    def __init__(self, *, user: UserLogQuery | None = ..., admin: AdminLogQuery | None = ...) -> None: ...
    def HasField(self, field_name: Literal["user", "admin"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["query_type"]) -> Literal["user", "admin", None]: ...

class PagingHint(Message):
    @property
    def older(self) -> GetLogsRequest: ...
    @property
    def newer(self) -> GetLogsRequest: ...
    def __init__(self, *, older: GetLogsRequest | None = ..., newer: GetLogsRequest | None = ...) -> None: ...
    def HasField(self, field_name: Literal["older", "newer"]) -> bool: ...

class PipelineDatumLogQuery(Message):
    @property
    def pipeline(self) -> PipelineLogQuery: ...
    datum: str
    def __init__(self, *, pipeline: PipelineLogQuery | None = ..., datum: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["pipeline"]) -> bool: ...

class PipelineJobLogQuery(Message):
    @property
    def pipeline(self) -> PipelineLogQuery: ...
    job: str
    def __init__(self, *, pipeline: PipelineLogQuery | None = ..., job: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["pipeline"]) -> bool: ...

class PipelineLogQuery(Message):
    project: str
    pipeline: str
    def __init__(self, *, project: str | None = ..., pipeline: str | None = ...) -> None: ...

class PodContainer(Message):
    pod: str
    container: str
    def __init__(self, *, pod: str | None = ..., container: str | None = ...) -> None: ...

class RegexLogFilter(Message):
    pattern: str
    negate: bool
    def __init__(self, *, pattern: str | None = ..., negate: bool | None = ...) -> None: ...

class TimeRangeLogFilter(Message):
    @property
    def until(self) -> _google.Timestamp: ...
    offset: int
    def __init__(self, *, until: _google.Timestamp | None = ..., offset: int | None = ...) -> None: ...
    def HasField(self, field_name: Literal["from", "until"]) -> bool: ...

class UserLogQuery(Message):
    project: str
    @property
    def pipeline(self) -> PipelineLogQuery: ...
    datum: str
    job: str
    @property
    def pipeline_job(self) -> PipelineJobLogQuery: ...
    @property
    def job_datum(self) -> JobDatumLogQuery: ...
    @property
    def pipeline_datum(self) -> PipelineDatumLogQuery: ...
    def __init__(
        self,
        *,
        project: str | None = ...,
        pipeline: PipelineLogQuery | None = ...,
        datum: str | None = ...,
        job: str | None = ...,
        pipeline_job: PipelineJobLogQuery | None = ...,
        job_datum: JobDatumLogQuery | None = ...,
        pipeline_datum: PipelineDatumLogQuery | None = ...,
    ) -> None: ...
    def HasField(
        self,
        field_name: Literal[
            "project",
            "pipeline",
            "datum",
            "job",
            "pipeline_job",
            "job_datum",
            "pipeline_datum",
        ],
    ) -> bool: ...
    def WhichOneof(
        self, oneof_group: Literal["user_type"]
    ) -> Literal[
        "project",
        "pipeline",
        "datum",
        "job",
        "pipeline_job",
        "job_datum",
        "pipeline_datum",
        None,
    ]: ...

class VerbatimLogMessage(Message):
    line: bytes
    @property
    def timestamp(self) -> _google.Timestamp: ...
    def __init__(self, *, line: bytes | None = ..., timestamp: _google.Timestamp | None = ...) -> None: ...
    def HasField(self, field_name: Literal["timestamp"]) -> bool: ...
