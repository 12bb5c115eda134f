"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from collections.abc import Iterable, Mapping
from typing import Literal

from minipdk.services.pachyderm.wire import google as _google
from minipdk.services.pachyderm.wire import pfs as _pfs
from minipdk.services.pachyderm.wire.message import EnumType, Message, Repeated, RepeatedMessages, ScalarMap

DatumState: EnumType[Literal["UNKNOWN", "FAILED", "SUCCESS", "SKIPPED", "STARTING", "RECOVERED"]]
JobState: EnumType[
    Literal[
        "JOB_STATE_UNKNOWN",
        "JOB_CREATED",
        "JOB_STARTING",
        "JOB_RUNNING",
        "JOB_FAILURE",
        "JOB_SUCCESS",
        "JOB_KILLED",
        "JOB_EGRESSING",
        "JOB_FINISHING",
        "JOB_UNRUNNABLE",
    ]
]
PipelineInfoPipelineType: EnumType[
    Literal[
        "PIPELINT_TYPE_UNKNOWN",
        "PIPELINE_TYPE_TRANSFORM",
        "PIPELINE_TYPE_SPOUT",
        "PIPELINE_TYPE_SERVICE",
    ]
]
PipelinePageOrdering: EnumType[Literal["RECENT"]]
PipelineState: EnumType[
    Literal[
        "PIPELINE_STATE_UNKNOWN",
        "PIPELINE_STARTING",
        "PIPELINE_RUNNING",
        "PIPELINE_RESTARTING",
        "PIPELINE_FAILURE",
        "PIPELINE_PAUSED",
        "PIPELINE_STANDBY",
        "PIPELINE_CRASHING",
    ]
]
TaintEffect: EnumType[Literal["ALL_EFFECTS", "NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"]]
TolerationOperator: EnumType[Literal["EMPTY", "EXISTS", "EQUAL"]]
WorkerState: EnumType[Literal["WORKER_STATE_UNKNOWN", "POD_RUNNING", "POD_SUCCESS", "POD_FAILED"]]

class ActivateAuthRequest(Message):
    def __init__(self) -> None: ...

class ActivateAuthResponse(Message):
    def __init__(self) -> None: ...

class Aggregate(Message):
    count: int
    mean: float
    stddev: float
    fifth_percentile: float
    ninety_fifth_percentile: float
    def __init__(
        self,
        *,
        count: int | None = ...,
        mean: float | None = ...,
        stddev: float | None = ...,
        fifth_percentile: float | None = ...,
        ninety_fifth_percentile: float | None = ...,
    ) -> None: ...

class AggregateProcessStats(Message):
    @property
    def download_time(self) -> Aggregate: ...
    @property
    def process_time(self) -> Aggregate: ...
    @property
    def upload_time(self) -> Aggregate: ...
    @property
    def download_bytes(self) -> Aggregate: ...
    @property
    def upload_bytes(self) -> Aggregate: ...
    def __init__(
        self,
        *,
        download_time: Aggregate | None = ...,
        process_time: Aggregate | None = ...,
        upload_time: Aggregate | None = ...,
        download_bytes: Aggregate | None = ...,
        upload_bytes: Aggregate | None = ...,
    ) -> None: ...
    def HasField(
        self,
        field_name: Literal[
            "download_time",
            "process_time",
            "upload_time",
            "download_bytes",
            "upload_bytes",
        ],
    ) -> bool: ...

class CheckStatusRequest(Message):
    all: bool
    @property
    def project(self) -> _pfs.Project: ...
    def __init__(self, *, all: bool | None = ..., project: _pfs.Project | None = ...) -> None: ...
    def HasField(self, field_name: Literal["all", "project"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["context"]) -> Literal["all", "project", None]: ...

class CheckStatusResponse(Message):
    @property
    def project(self) -> _pfs.Project: ...
    @property
    def pipeline(self) -> Pipeline: ...
    @property
    def alerts(self) -> Repeated[str]: ...
    def __init__(
        self,
        *,
        project: _pfs.Project | None = ...,
        pipeline: Pipeline | None = ...,
        alerts: Iterable[str] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["project", "pipeline"]) -> bool: ...

class ClusterDefaults(Message):
    @property
    def create_pipeline_request(self) -> CreatePipelineRequest: ...
    def __init__(self, *, create_pipeline_request: CreatePipelineRequest | None = ...) -> None: ...
    def HasField(self, field_name: Literal["create_pipeline_request"]) -> bool: ...

class ContinueCreateDatumRequest(Message):
    number: int
    def __init__(self, *, number: int | None = ...) -> None: ...

class CreateDatumRequest(Message):
    @property
    def start(self) -> StartCreateDatumRequest: ...
    def __init__(self, *, start: StartCreateDatumRequest | None = ...) -> None: ...
    def HasField(self, field_name: Literal["start", "continue"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["body"]) -> Literal["start", "continue", None]: ...

class CreatePipelineRequest(Message):
    @property
    def pipeline(self) -> Pipeline: ...
    @property
    def tf_job(self) -> TfJob: ...
    @property
    def transform(self) -> Transform: ...
    @property
    def parallelism_spec(self) -> ParallelismSpec: ...
    @property
    def egress(self) -> Egress: ...
    update: bool
    output_branch: str
    s3_out: bool
    @property
    def resource_requests(self) -> ResourceSpec: ...
    @property
    def resource_limits(self) -> ResourceSpec: ...
    @property
    def sidecar_resource_limits(self) -> ResourceSpec: ...
    @property
    def input(self) -> Input: ...
    description: str
    reprocess: bool
    @property
    def service(self) -> Service: ...
    @property
    def spout(self) -> Spout: ...
    @property
    def datum_set_spec(self) -> DatumSetSpec: ...
    @property
    def datum_timeout(self) -> _google.Duration: ...
    @property
    def job_timeout(self) -> _google.Duration: ...
    salt: str
    datum_tries: int
    @property
    def scheduling_spec(self) -> SchedulingSpec: ...
    pod_spec: str
    pod_patch: str
    @property
    def spec_commit(self) -> _pfs.Commit: ...
    @property
    def metadata(self) -> Metadata: ...
    reprocess_spec: str
    autoscaling: bool
    @property
    def tolerations(self) -> RepeatedMessages[Toleration]: ...
    @property
    def sidecar_resource_requests(self) -> ResourceSpec: ...
    dry_run: bool
    @property
    def determined(self) -> Determined: ...
    @property
    def maximum_expected_uptime(self) -> _google.Duration: ...
    def __init__(
        self,
        *,
        pipeline: Pipeline | None = ...,
        tf_job: TfJob | None = ...,
        transform: Transform | None = ...,
        parallelism_spec: ParallelismSpec | None = ...,
        egress: Egress | None = ...,
        update: bool | None = ...,
        output_branch: str | None = ...,
        s3_out: bool | None = ...,
        resource_requests: ResourceSpec | None = ...,
        resource_limits: ResourceSpec | None = ...,
        sidecar_resource_limits: ResourceSpec | None = ...,
        input: Input | None = ...,
        description: str | None = ...,
        reprocess: bool | None = ...,
        service: Service | None = ...,
        spout: Spout | None = ...,
        datum_set_spec: DatumSetSpec | None = ...,
        datum_timeout: _google.Duration | None = ...,
        job_timeout: _google.Duration | None = ...,
        salt: str | None = ...,
        datum_tries: int | None = ...,
        scheduling_spec: SchedulingSpec | None = ...,
        pod_spec: str | None = ...,
        pod_patch: str | None = ...,
        spec_commit: _pfs.Commit | None = ...,
        metadata: Metadata | None = ...,
        reprocess_spec: str | None = ...,
        autoscaling: bool | None = ...,
        tolerations: Iterable[Toleration] | None = ...,
        sidecar_resource_requests: ResourceSpec | None = ...,
        dry_run: bool | None = ...,
        determined: Determined | None = ...,
        maximum_expected_uptime: _google.Duration | None = ...,
    ) -> None: ...
    def HasField(
        self,
        field_name: Literal[
            "pipeline",
            "tf_job",
            "transform",
            "parallelism_spec",
            "egress",
            "resource_requests",
            "resource_limits",
            "sidecar_resource_limits",
            "input",
            "service",
            "spout",
            "datum_set_spec",
            "datum_timeout",
            "job_timeout",
            "scheduling_spec",
            "spec_commit",
            "metadata",
            "sidecar_resource_requests",
            "determined",
            "maximum_expected_uptime",
        ],
    ) -> bool: ...

class CreatePipelineTransaction(Message):
    @property
    def create_pipeline_request(self) -> CreatePipelineRequest: ...
    user_json: str
    effective_json: str
    created_by: str
    def __init__(
        self,
        *,
        create_pipeline_request: CreatePipelineRequest | None = ...,
        user_json: str | None = ...,
        effective_json: str | None = ...,
        created_by: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["create_pipeline_request"]) -> bool: ...

class CreatePipelineV2Request(Message):
    create_pipeline_request_json: str
    dry_run: bool
    update: bool
    reprocess: bool
    def __init__(
        self,
        *,
        create_pipeline_request_json: str | None = ...,
        dry_run: bool | None = ...,
        update: bool | None = ...,
        reprocess: bool | None = ...,
    ) -> None: ...

class CreatePipelineV2Response(Message):
    effective_create_pipeline_request_json: str
    def __init__(self, *, effective_create_pipeline_request_json: str | None = ...) -> None: ...

class CreateSecretRequest(Message):
    file: bytes
    def __init__(self, *, file: bytes | None = ...) -> None: ...

class CronInput(Message):
    name: str
    project: str
    repo: str
    commit: str
    spec: str
    overwrite: bool
    @property
    def start(self) -> _google.Timestamp: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        project: str | None = ...,
        repo: str | None = ...,
        commit: str | None = ...,
        spec: str | None = ...,
        overwrite: bool | None = ...,
        start: _google.Timestamp | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["start"]) -> bool: ...

class Datum(Message):
    @property
    def job(self) -> Job: ...
    id: str
    def __init__(self, *, job: Job | None = ..., id: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["job"]) -> bool: ...

class DatumInfo(Message):
    @property
    def datum(self) -> Datum: ...
    state: int
    @property
    def stats(self) -> ProcessStats: ...
    @property
    def pfs_state(self) -> _pfs.File: ...
    @property
    def data(self) -> RepeatedMessages[_pfs.FileInfo]: ...
    image_id: str
    def __init__(
        self,
        *,
        datum: Datum | None = ...,
        state: int | None = ...,
        stats: ProcessStats | None = ...,
        pfs_state: _pfs.File | None = ...,
        data: Iterable[_pfs.FileInfo] | None = ...,
        image_id: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["datum", "stats", "pfs_state"]) -> bool: ...

class DatumSetSpec(Message):
    number: int
    size_bytes: int
    per_worker: int
    def __init__(self, *, number: int | None = ..., size_bytes: int | None = ..., per_worker: int | None = ...) -> None: ...

class DatumStatus(Message):
    @property
    def started(self) -> _google.Timestamp: ...
    @property
    def data(self) -> RepeatedMessages[InputFile]: ...
    def __init__(self, *, started: _google.Timestamp | None = ..., data: Iterable[InputFile] | None = ...) -> None: ...
    def HasField(self, field_name: Literal["started"]) -> bool: ...

class DeleteJobRequest(Message):
    @property
    def job(self) -> Job: ...
    def __init__(self, *, job: Job | None = ...) -> None: ...
    def HasField(self, field_name: Literal["job"]) -> bool: ...

class DeletePipelineRequest(Message):
    @property
    def pipeline(self) -> Pipeline: ...
    all: bool
    force: bool
    keep_repo: bool
    must_exist: bool
    def __init__(
        self,
        *,
        pipeline: Pipeline | None = ...,
        all: bool | None = ...,
        force: bool | None = ...,
        keep_repo: bool | None = ...,
        must_exist: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["pipeline"]) -> bool: ...

class DeletePipelinesRequest(Message):
    @property
    def projects(self) -> RepeatedMessages[_pfs.Project]: ...
    force: bool
    keep_repo: bool
    all: bool
    def __init__(
        self,
        *,
        projects: Iterable[_pfs.Project] | None = ...,
        force: bool | None = ...,
        keep_repo: bool | None = ...,
        all: bool | None = ...,
    ) -> None: ...

class DeletePipelinesResponse(Message):
    @property
    def pipelines(self) -> RepeatedMessages[Pipeline]: ...
    def __init__(self, *, pipelines: Iterable[Pipeline] | None = ...) -> None: ...

class DeleteSecretRequest(Message):
    @property
    def secret(self) -> Secret: ...
    def __init__(self, *, secret: Secret | None = ...) -> None: ...
    def HasField(self, field_name: Literal["secret"]) -> bool: ...

class Determined(Message):
    @property
    def workspaces(self) -> Repeated[str]: ...
    def __init__(self, *, workspaces: Iterable[str] | None = ...) -> None: ...

class Egress(Message):
    url: str
    @property
    def object_storage(self) -> _pfs.ObjectStorageEgress: ...
    @property
    def sql_database(self) -> _pfs.SqlDatabaseEgress: ...
    def __init__(
        self,
        *,
        url: str | None = ...,
        object_storage: _pfs.ObjectStorageEgress | None = ...,
        sql_database: _pfs.SqlDatabaseEgress | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["object_storage", "sql_database"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["target"]) -> Literal["object_storage", "sql_database", None]: ...

class GetClusterDefaultsRequest(Message):
    def __init__(self) -> None: ...

class GetClusterDefaultsResponse(Message):
    cluster_defaults_json: str
    def __init__(self, *, cluster_defaults_json: str | None = ...) -> None: ...

class GetLogsRequest(Message):
    @property
    def pipeline(self) -> Pipeline: ...
    @property
    def job(self) -> Job: ...
    @property
    def data_filters(self) -> Repeated[str]: ...
    @property
    def datum(self) -> Datum: ...
    master: bool
    follow: bool
    tail: int
    use_loki_backend: bool
    @property
    def since(self) -> _google.Duration: ...
    def __init__(
        self,
        *,
        pipeline: Pipeline | None = ...,
        job: Job | None = ...,
        data_filters: Iterable[str] | None = ...,
        datum: Datum | None = ...,
        master: bool | None = ...,
        follow: bool | None = ...,
        tail: int | None = ...,
        use_loki_backend: bool | None = ...,
        since: _google.Duration | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["pipeline", "job", "datum", "since"]) -> bool: ...

class GetProjectDefaultsRequest(Message):
    @property
    def project(self) -> _pfs.Project: ...
    def __init__(self, *, project: _pfs.Project | None = ...) -> None: ...
    def HasField(self, field_name: Literal["project"]) -> bool: ...

class GetProjectDefaultsResponse(Message):
    project_defaults_json: str
    created_by: str
    @property
    def created_at(self) -> _google.Timestamp: ...
    def __init__(
        self,
        *,
        project_defaults_json: str | None = ...,
        created_by: str | None = ...,
        created_at: _google.Timestamp | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["created_at"]) -> bool: ...

class GpuSpec(Message):
    type: str
    number: int
    def __init__(self, *, type: str | None = ..., number: int | None = ...) -> None: ...

class Input(Message):
    @property
    def pfs(self) -> PfsInput: ...
    @property
    def join(self) -> RepeatedMessages[Input]: ...
    @property
    def group(self) -> RepeatedMessages[Input]: ...
    @property
    def cross(self) -> RepeatedMessages[Input]: ...
    @property
    def union(self) -> RepeatedMessages[Input]: ...
    @property
    def cron(self) -> CronInput: ...
    def __init__(
        self,
        *,
        pfs: PfsInput | None = ...,
        join: Iterable[Input] | None = ...,
        group: Iterable[Input] | None = ...,
        cross: Iterable[Input] | None = ...,
        union: Iterable[Input] | None = ...,
        cron: CronInput | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["pfs", "cron"]) -> bool: ...

class InputFile(Message):
    path: str
    hash: bytes
    def __init__(self, *, path: str | None = ..., hash: bytes | None = ...) -> None: ...

class InspectDatumRequest(Message):
    @property
    def datum(self) -> Datum: ...
    def __init__(self, *, datum: Datum | None = ...) -> None: ...
    def HasField(self, field_name: Literal["datum"]) -> bool: ...

class InspectJobRequest(Message):
    @property
    def job(self) -> Job: ...
    wait: bool
    details: bool
    def __init__(self, *, job: Job | None = ..., wait: bool | None = ..., details: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["job"]) -> bool: ...

class InspectJobSetRequest(Message):
    @property
    def job_set(self) -> JobSet: ...
    wait: bool
    details: bool
    def __init__(self, *, job_set: JobSet | None = ..., wait: bool | None = ..., details: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["job_set"]) -> bool: ...

class InspectPipelineRequest(Message):
    @property
    def pipeline(self) -> Pipeline: ...
    details: bool
    def __init__(self, *, pipeline: Pipeline | None = ..., details: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["pipeline"]) -> bool: ...

class InspectSecretRequest(Message):
    @property
    def secret(self) -> Secret: ...
    def __init__(self, *, secret: Secret | None = ...) -> None: ...
    def HasField(self, field_name: Literal["secret"]) -> bool: ...

class Job(Message):
    @property
    def pipeline(self) -> Pipeline: ...
    id: str
    def __init__(self, *, pipeline: Pipeline | None = ..., id: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["pipeline"]) -> bool: ...

class JobInfo(Message):
    @property
    def job(self) -> Job: ...
    pipeline_version: int
    @property
    def output_commit(self) -> _pfs.Commit: ...
    restart: int
    data_processed: int
    data_skipped: int
    data_total: int
    data_failed: int
    data_recovered: int
    @property
    def stats(self) -> ProcessStats: ...
    state: int
    reason: str
    @property
    def created(self) -> _google.Timestamp: ...
    @property
    def started(self) -> _google.Timestamp: ...
    @property
    def finished(self) -> _google.Timestamp: ...
    @property
    def details(self) -> JobInfoDetails: ...
    auth_token: str
    def __init__(
        self,
        *,
        job: Job | None = ...,
        pipeline_version: int | None = ...,
        output_commit: _pfs.Commit | None = ...,
        restart: int | None = ...,
        data_processed: int | None = ...,
        data_skipped: int | None = ...,
        data_total: int | None = ...,
        data_failed: int | None = ...,
        data_recovered: int | None = ...,
        stats: ProcessStats | None = ...,
        state: int | None = ...,
        reason: str | None = ...,
        created: _google.Timestamp | None = ...,
        started: _google.Timestamp | None = ...,
        finished: _google.Timestamp | None = ...,
        details: JobInfoDetails | None = ...,
        auth_token: str | None = ...,
    ) -> None: ...
    def HasField(
        self,
        field_name: Literal[
            "job",
            "output_commit",
            "stats",
            "created",
            "started",
            "finished",
            "details",
        ],
    ) -> bool: ...

class JobInfoDetails(Message):
    @property
    def transform(self) -> Transform: ...
    @property
    def parallelism_spec(self) -> ParallelismSpec: ...
    @property
    def egress(self) -> Egress: ...
    @property
    def service(self) -> Service: ...
    @property
    def spout(self) -> Spout: ...
    @property
    def worker_status(self) -> RepeatedMessages[WorkerStatus]: ...
    @property
    def resource_requests(self) -> ResourceSpec: ...
    @property
    def resource_limits(self) -> ResourceSpec: ...
    @property
    def sidecar_resource_limits(self) -> ResourceSpec: ...
    @property
    def input(self) -> Input: ...
    salt: str
    @property
    def datum_set_spec(self) -> DatumSetSpec: ...
    @property
    def datum_timeout(self) -> _google.Duration: ...
    @property
    def job_timeout(self) -> _google.Duration: ...
    datum_tries: int
    @property
    def scheduling_spec(self) -> SchedulingSpec: ...
    pod_spec: str
    pod_patch: str
    @property
    def sidecar_resource_requests(self) -> ResourceSpec: ...
    def __init__(
        self,
        *,
        transform: Transform | None = ...,
        parallelism_spec: ParallelismSpec | None = ...,
        egress: Egress | None = ...,
        service: Service | None = ...,
        spout: Spout | None = ...,
        worker_status: Iterable[WorkerStatus] | None = ...,
        resource_requests: ResourceSpec | None = ...,
        resource_limits: ResourceSpec | None = ...,
        sidecar_resource_limits: ResourceSpec | None = ...,
        input: Input | None = ...,
        salt: str | None = ...,
        datum_set_spec: DatumSetSpec | None = ...,
        datum_timeout: _google.Duration | None = ...,
        job_timeout: _google.Duration | None = ...,
        datum_tries: int | None = ...,
        scheduling_spec: SchedulingSpec | None = ...,
        pod_spec: str | None = ...,
        pod_patch: str | None = ...,
        sidecar_resource_requests: ResourceSpec | None = ...,
    ) -> None: ...
    def HasField(
        self,
        field_name: Literal[
            "transform",
            "parallelism_spec",
            "egress",
            "service",
            "spout",
            "resource_requests",
            "resource_limits",
            "sidecar_resource_limits",
            "input",
            "datum_set_spec",
            "datum_timeout",
            "job_timeout",
            "scheduling_spec",
            "sidecar_resource_requests",
        ],
    ) -> bool: ...

class JobInput(Message):
    name: str
    @property
    def commit(self) -> _pfs.Commit: ...
    glob: str
    lazy: bool
    def __init__(
        self,
        *,
        name: str | None = ...,
        commit: _pfs.Commit | None = ...,
        glob: str | None = ...,
        lazy: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["commit"]) -> bool: ...

class JobSet(Message):
    id: str
    def __init__(self, *, id: str | None = ...) -> None: ...

class JobSetInfo(Message):
    @property
    def job_set(self) -> JobSet: ...
    @property
    def jobs(self) -> RepeatedMessages[JobInfo]: ...
    def __init__(self, *, job_set: JobSet | None = ..., jobs: Iterable[JobInfo] | None = ...) -> None: ...
    def HasField(self, field_name: Literal["job_set"]) -> bool: ...

class ListDatumRequest(Message):
    @property
    def job(self) -> Job: ...
    @property
    def input(self) -> Input: ...
    @property
    def filter(self) -> ListDatumRequestFilter: ...
    pagination_marker: str
    number: int
    reverse: bool
    def __init__(
        self,
        *,
        job: Job | None = ...,
        input: Input | None = ...,
        filter: ListDatumRequestFilter | None = ...,
        pagination_marker: str | None = ...,
        number: int | None = ...,
        reverse: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["job", "input", "filter"]) -> bool: ...

class ListDatumRequestFilter(Message):
    @property
    def state(self) -> Repeated[int]: ...
    def __init__(self, *, state: Iterable[int] | None = ...) -> None: ...

class ListJobRequest(Message):
    @property
    def projects(self) -> RepeatedMessages[_pfs.Project]: ...
    @property
    def pipeline(self) -> Pipeline: ...
    @property
    def input_commit(self) -> RepeatedMessages[_pfs.Commit]: ...
    history: int
    details: bool
    jq_filter: str
    @property
    def pagination_marker(self) -> _google.Timestamp: ...
    number: int
    reverse: bool
    def __init__(
        self,
        *,
        projects: Iterable[_pfs.Project] | None = ...,
        pipeline: Pipeline | None = ...,
        input_commit: Iterable[_pfs.Commit] | None = ...,
        history: int | None = ...,
        details: bool | None = ...,
        jq_filter: str | None = ...,
        pagination_marker: _google.Timestamp | None = ...,
        number: int | None = ...,
        reverse: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["pipeline", "pagination_marker"]) -> bool: ...

class ListJobSetRequest(Message):
    details: bool
    @property
    def projects(self) -> RepeatedMessages[_pfs.Project]: ...
    @property
    def pagination_marker(self) -> _google.Timestamp: ...
    number: int
    reverse: bool
    jq_filter: str
    def __init__(
        self,
        *,
        details: bool | None = ...,
        projects: Iterable[_pfs.Project] | None = ...,
        pagination_marker: _google.Timestamp | None = ...,
        number: int | None = ...,
        reverse: bool | None = ...,
        jq_filter: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["pagination_marker"]) -> bool: ...

class ListPipelineRequest(Message):
    @property
    def pipeline(self) -> Pipeline: ...
    history: int
    details: bool
    jq_filter: str
    @property
    def commit_set(self) -> _pfs.CommitSet: ...
    @property
    def projects(self) -> RepeatedMessages[_pfs.Project]: ...
    @property
    def page(self) -> PipelinePage: ...
    def __init__(
        self,
        *,
        pipeline: Pipeline | None = ...,
        history: int | None = ...,
        details: bool | None = ...,
        jq_filter: str | None = ...,
        commit_set: _pfs.CommitSet | None = ...,
        projects: Iterable[_pfs.Project] | None = ...,
        page: PipelinePage | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["pipeline", "commit_set", "page"]) -> bool: ...

class LogMessage(Message):
    project_name: str
    pipeline_name: str
    job_id: str
    worker_id: str
    datum_id: str
    master: bool
    @property
    def data(self) -> RepeatedMessages[InputFile]: ...
    user: bool
    @property
    def ts(self) -> _google.Timestamp: ...
    message: str
    def __init__(
        self,
        *,
        project_name: str | None = ...,
        pipeline_name: str | None = ...,
        job_id: str | None = ...,
        worker_id: str | None = ...,
        datum_id: str | None = ...,
        master: bool | None = ...,
        data: Iterable[InputFile] | None = ...,
        user: bool | None = ...,
        ts: _google.Timestamp | None = ...,
        message: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["ts"]) -> bool: ...

class LokiLogMessage(Message):
    message: str
    def __init__(self, *, message: str | None = ...) -> None: ...

class LokiRequest(Message):
    @property
    def since(self) -> _google.Duration: ...
    query: str
    def __init__(self, *, since: _google.Duration | None = ..., query: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["since"]) -> bool: ...

class Metadata(Message):
    @property
    def annotations(self) -> ScalarMap[str, str]: ...
    @property
    def labels(self) -> ScalarMap[str, str]: ...
    def __init__(self, *, annotations: Mapping[str, str] | None = ..., labels: Mapping[str, str] | None = ...) -> None: ...

class ParallelismSpec(Message):
    constant: int
    def __init__(self, *, constant: int | None = ...) -> None: ...

class PfsInput(Message):
    project: str
    name: str
    repo: str
    repo_type: str
    branch: str
    commit: str
    glob: str
    join_on: str
    outer_join: bool
    group_by: str
    lazy: bool
    empty_files: bool
    s3: bool
    @property
    def trigger(self) -> _pfs.Trigger: ...
    @property
    def propagation_spec(self) -> _pfs.PropagationSpec: ...
    reference: bool
    def __init__(
        self,
        *,
        project: str | None = ...,
        name: str | None = ...,
        repo: str | None = ...,
        repo_type: str | None = ...,
        branch: str | None = ...,
        commit: str | None = ...,
        glob: str | None = ...,
        join_on: str | None = ...,
        outer_join: bool | None = ...,
        group_by: str | None = ...,
        lazy: bool | None = ...,
        empty_files: bool | None = ...,
        s3: bool | None = ...,
        trigger: _pfs.Trigger | None = ...,
        propagation_spec: _pfs.PropagationSpec | None = ...,
        reference: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["trigger", "propagation_spec"]) -> bool: ...

class Pipeline(Message):
    @property
    def project(self) -> _pfs.Project: ...
    name: str
    def __init__(self, *, project: _pfs.Project | None = ..., name: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["project"]) -> bool: ...

class PipelineInfo(Message):
    @property
    def pipeline(self) -> Pipeline: ...
    version: int
    @property
    def spec_commit(self) -> _pfs.Commit: ...
    stopped: bool
    state: int
    reason: str
    last_job_state: int
    parallelism: int
    type: int
    auth_token: str
    @property
    def details(self) -> PipelineInfoDetails: ...
    user_spec_json: str
    effective_spec_json: str
    @property
    def metadata(self) -> ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        pipeline: Pipeline | None = ...,
        version: int | None = ...,
        spec_commit: _pfs.Commit | None = ...,
        stopped: bool | None = ...,
        state: int | None = ...,
        reason: str | None = ...,
        last_job_state: int | None = ...,
        parallelism: int | None = ...,
        type: int | None = ...,
        auth_token: str | None = ...,
        details: PipelineInfoDetails | None = ...,
        user_spec_json: str | None = ...,
        effective_spec_json: str | None = ...,
        metadata: Mapping[str, str] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["pipeline", "spec_commit", "details"]) -> bool: ...

class PipelineInfoDetails(Message):
    @property
    def transform(self) -> Transform: ...
    @property
    def tf_job(self) -> TfJob: ...
    @property
    def parallelism_spec(self) -> ParallelismSpec: ...
    @property
    def egress(self) -> Egress: ...
    @property
    def created_at(self) -> _google.Timestamp: ...
    @property
    def updated_at(self) -> _google.Timestamp: ...
    created_by: str
    recent_error: str
    workers_requested: int
    workers_available: int
    output_branch: str
    @property
    def resource_requests(self) -> ResourceSpec: ...
    @property
    def resource_limits(self) -> ResourceSpec: ...
    @property
    def sidecar_resource_limits(self) -> ResourceSpec: ...
    @property
    def input(self) -> Input: ...
    description: str
    salt: str
    reason: str
    @property
    def service(self) -> Service: ...
    @property
    def spout(self) -> Spout: ...
    @property
    def datum_set_spec(self) -> DatumSetSpec: ...
    @property
    def datum_timeout(self) -> _google.Duration: ...
    @property
    def job_timeout(self) -> _google.Duration: ...
    datum_tries: int
    @property
    def scheduling_spec(self) -> SchedulingSpec: ...
    pod_spec: str
    pod_patch: str
    s3_out: bool
    @property
    def metadata(self) -> Metadata: ...
    reprocess_spec: str
    unclaimed_tasks: int
    worker_rc: str
    autoscaling: bool
    @property
    def tolerations(self) -> RepeatedMessages[Toleration]: ...
    @property
    def sidecar_resource_requests(self) -> ResourceSpec: ...
    @property
    def determined(self) -> Determined: ...
    @property
    def maximum_expected_uptime(self) -> _google.Duration: ...
    @property
    def workers_started_at(self) -> _google.Timestamp: ...
    def __init__(
        self,
        *,
        transform: Transform | None = ...,
        tf_job: TfJob | None = ...,
        parallelism_spec: ParallelismSpec | None = ...,
        egress: Egress | None = ...,
        created_at: _google.Timestamp | None = ...,
        updated_at: _google.Timestamp | None = ...,
        created_by: str | None = ...,
        recent_error: str | None = ...,
        workers_requested: int | None = ...,
        workers_available: int | None = ...,
        output_branch: str | None = ...,
        resource_requests: ResourceSpec | None = ...,
        resource_limits: ResourceSpec | None = ...,
        sidecar_resource_limits: ResourceSpec | None = ...,
        input: Input | None = ...,
        description: str | None = ...,
        salt: str | None = ...,
        reason: str | None = ...,
        service: Service | None = ...,
        spout: Spout | None = ...,
        datum_set_spec: DatumSetSpec | None = ...,
        datum_timeout: _google.Duration | None = ...,
        job_timeout: _google.Duration | None = ...,
        datum_tries: int | None = ...,
        scheduling_spec: SchedulingSpec | None = ...,
        pod_spec: str | None = ...,
        pod_patch: str | None = ...,
        s3_out: bool | None = ...,
        metadata: Metadata | None = ...,
        reprocess_spec: str | None = ...,
        unclaimed_tasks: int | None = ...,
        worker_rc: str | None = ...,
        autoscaling: bool | None = ...,
        tolerations: Iterable[Toleration] | None = ...,
        sidecar_resource_requests: ResourceSpec | None = ...,
        determined: Determined | None = ...,
        maximum_expected_uptime: _google.Duration | None = ...,
        workers_started_at: _google.Timestamp | None = ...,
    ) -> None: ...
    def HasField(
        self,
        field_name: Literal[
            "transform",
            "tf_job",
            "parallelism_spec",
            "egress",
            "created_at",
            "updated_at",
            "resource_requests",
            "resource_limits",
            "sidecar_resource_limits",
            "input",
            "service",
            "spout",
            "datum_set_spec",
            "datum_timeout",
            "job_timeout",
            "scheduling_spec",
            "metadata",
            "sidecar_resource_requests",
            "determined",
            "maximum_expected_uptime",
            "workers_started_at",
        ],
    ) -> bool: ...

class PipelineInfos(Message):
    @property
    def pipeline_info(self) -> RepeatedMessages[PipelineInfo]: ...
    def __init__(self, *, pipeline_info: Iterable[PipelineInfo] | None = ...) -> None: ...

class PipelinePage(Message):
    order: int
    page_size: int
    page_index: int
    def __init__(self, *, order: int | None = ..., page_size: int | None = ..., page_index: int | None = ...) -> None: ...

class PipelinePicker(Message):
    @property
    def name(self) -> PipelinePickerPipelineName: ...
    def __init__(self, *, name: PipelinePickerPipelineName | None = ...) -> None: ...
    def HasField(self, field_name: Literal["name"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["picker"]) -> Literal["name", None]: ...

class PipelinePickerPipelineName(Message):
    @property
    def project(self) -> _pfs.ProjectPicker: ...
    name: str
    def __init__(self, *, project: _pfs.ProjectPicker | None = ..., name: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["project"]) -> bool: ...

class PipelinesSummary(Message):
    @property
    def project(self) -> _pfs.Project: ...
    active_pipelines: int
    paused_pipelines: int
    failed_pipelines: int
    unhealthy_pipelines: int
    def __init__(
        self,
        *,
        project: _pfs.Project | None = ...,
        active_pipelines: int | None = ...,
        paused_pipelines: int | None = ...,
        failed_pipelines: int | None = ...,
        unhealthy_pipelines: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["project"]) -> bool: ...

class PipelinesSummaryRequest(Message):
    @property
    def projects(self) -> RepeatedMessages[_pfs.ProjectPicker]: ...
    def __init__(self, *, projects: Iterable[_pfs.ProjectPicker] | None = ...) -> None: ...

class PipelinesSummaryResponse(Message):
    @property
    def summaries(self) -> RepeatedMessages[PipelinesSummary]: ...
    def __init__(self, *, summaries: Iterable[PipelinesSummary] | None = ...) -> None: ...

class ProcessStats(Message):
    @property
    def download_time(self) -> _google.Duration: ...
    @property
    def process_time(self) -> _google.Duration: ...
    @property
    def upload_time(self) -> _google.Duration: ...
    download_bytes: int
    upload_bytes: int
    def __init__(
        self,
        *,
        download_time: _google.Duration | None = ...,
        process_time: _google.Duration | None = ...,
        upload_time: _google.Duration | None = ...,
        download_bytes: int | None = ...,
        upload_bytes: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["download_time", "process_time", "upload_time"]) -> bool: ...

class ProjectDefaults(Message):
    @property
    def create_pipeline_request(self) -> CreatePipelineRequest: ...
    def __init__(self, *, create_pipeline_request: CreatePipelineRequest | None = ...) -> None: ...
    def HasField(self, field_name: Literal["create_pipeline_request"]) -> bool: ...

class RenderTemplateRequest(Message):
    template: str
    @property
    def args(self) -> ScalarMap[str, str]: ...
    def __init__(self, *, template: str | None = ..., args: Mapping[str, str] | None = ...) -> None: ...

class RenderTemplateResponse(Message):
    json: str
    @property
    def specs(self) -> RepeatedMessages[CreatePipelineRequest]: ...
    def __init__(self, *, json: str | None = ..., specs: Iterable[CreatePipelineRequest] | None = ...) -> None: ...

class RerunPipelineRequest(Message):
    @property
    def pipeline(self) -> Pipeline: ...
    reprocess: bool
    def __init__(self, *, pipeline: Pipeline | None = ..., reprocess: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["pipeline"]) -> bool: ...

class ResourceSpec(Message):
    cpu: float
    memory: str
    @property
    def gpu(self) -> GpuSpec: ...
    disk: str
    def __init__(
        self,
        *,
        cpu: float | None = ...,
        memory: str | None = ...,
        gpu: GpuSpec | None = ...,
        disk: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["gpu"]) -> bool: ...

class RestartDatumRequest(Message):
    @property
    def job(self) -> Job: ...
    @property
    def data_filters(self) -> Repeated[str]: ...
    def __init__(self, *, job: Job | None = ..., data_filters: Iterable[str] | None = ...) -> None: ...
    def HasField(self, field_name: Literal["job"]) -> bool: ...

class RunCronRequest(Message):
    @property
    def pipeline(self) -> Pipeline: ...
    def __init__(self, *, pipeline: Pipeline | None = ...) -> None: ...
    def HasField(self, field_name: Literal["pipeline"]) -> bool: ...

class RunLoadTestRequest(Message):
    dag_spec: str
    load_spec: str
    seed: int
    parallelism: int
    pod_patch: str
    state_id: str
    def __init__(
        self,
        *,
        dag_spec: str | None = ...,
        load_spec: str | None = ...,
        seed: int | None = ...,
        parallelism: int | None = ...,
        pod_patch: str | None = ...,
        state_id: str | None = ...,
    ) -> None: ...

class RunLoadTestResponse(Message):
    error: str
    state_id: str
    def __init__(self, *, error: str | None = ..., state_id: str | None = ...) -> None: ...

class RunPipelineRequest(Message):
    @property
    def pipeline(self) -> Pipeline: ...
    @property
    def provenance(self) -> RepeatedMessages[_pfs.Commit]: ...
    job_id: str
    def __init__(
        self,
        *,
        pipeline: Pipeline | None = ...,
        provenance: Iterable[_pfs.Commit] | None = ...,
        job_id: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["pipeline"]) -> bool: ...

class SchedulingSpec(Message):
    @property
    def node_selector(self) -> ScalarMap[str, str]: ...
    priority_class_name: str
    def __init__(self, *, node_selector: Mapping[str, str] | None = ..., priority_class_name: str | None = ...) -> None: ...

class Secret(Message):
    name: str
    def __init__(self, *, name: str | None = ...) -> None: ...

class SecretInfo(Message):
    @property
    def secret(self) -> Secret: ...
    type: str
    @property
    def creation_timestamp(self) -> _google.Timestamp: ...
    def __init__(
        self,
        *,
        secret: Secret | None = ...,
        type: str | None = ...,
        creation_timestamp: _google.Timestamp | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["secret", "creation_timestamp"]) -> bool: ...

class SecretInfos(Message):
    @property
    def secret_info(self) -> RepeatedMessages[SecretInfo]: ...
    def __init__(self, *, secret_info: Iterable[SecretInfo] | None = ...) -> None: ...

class SecretMount(Message):
    name: str
    key: str
    mount_path: str
    env_var: str
    def __init__(
        self,
        *,
        name: str | None = ...,
        key: str | None = ...,
        mount_path: str | None = ...,
        env_var: str | None = ...,
    ) -> None: ...

class Service(Message):
    internal_port: int
    external_port: int
    ip: str
    type: str
    def __init__(
        self,
        *,
        internal_port: int | None = ...,
        external_port: int | None = ...,
        ip: str | None = ...,
        type: str | None = ...,
    ) -> None: ...

class SetClusterDefaultsRequest(Message):
    regenerate: bool
    reprocess: bool
    dry_run: bool
    cluster_defaults_json: str
    def __init__(
        self,
        *,
        regenerate: bool | None = ...,
        reprocess: bool | None = ...,
        dry_run: bool | None = ...,
        cluster_defaults_json: str | None = ...,
    ) -> None: ...

class SetClusterDefaultsResponse(Message):
    @property
    def affected_pipelines(self) -> RepeatedMessages[Pipeline]: ...
    def __init__(self, *, affected_pipelines: Iterable[Pipeline] | None = ...) -> None: ...

class SetProjectDefaultsRequest(Message):
    @property
    def project(self) -> _pfs.Project: ...
    regenerate: bool
    reprocess: bool
    dry_run: bool
    project_defaults_json: str
    def __init__(
        self,
        *,
        project: _pfs.Project | None = ...,
        regenerate: bool | None = ...,
        reprocess: bool | None = ...,
        dry_run: bool | None = ...,
        project_defaults_json: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["project"]) -> bool: ...

class SetProjectDefaultsResponse(Message):
    @property
    def affected_pipelines(self) -> RepeatedMessages[Pipeline]: ...
    def __init__(self, *, affected_pipelines: Iterable[Pipeline] | None = ...) -> None: ...

class Spout(Message):
    @property
    def service(self) -> Service: ...
    def __init__(self, *, service: Service | None = ...) -> None: ...
    def HasField(self, field_name: Literal["service"]) -> bool: ...

class StartCreateDatumRequest(Message):
    @property
    def input(self) -> Input: ...
    number: int
    def __init__(self, *, input: Input | None = ..., number: int | None = ...) -> None: ...
    def HasField(self, field_name: Literal["input"]) -> bool: ...

class StartPipelineRequest(Message):
    @property
    def pipeline(self) -> Pipeline: ...
    def __init__(self, *, pipeline: Pipeline | None = ...) -> None: ...
    def HasField(self, field_name: Literal["pipeline"]) -> bool: ...

class StopJobRequest(Message):
    @property
    def job(self) -> Job: ...
    reason: str
    def __init__(self, *, job: Job | None = ..., reason: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["job"]) -> bool: ...

class StopPipelineRequest(Message):
    @property
    def pipeline(self) -> Pipeline: ...
    must_exist: bool
    def __init__(self, *, pipeline: Pipeline | None = ..., must_exist: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["pipeline"]) -> bool: ...

class SubscribeJobRequest(Message):
    @property
    def pipeline(self) -> Pipeline: ...
    details: bool
    def __init__(self, *, pipeline: Pipeline | None = ..., details: bool | None = ...) -> None: ...
    def HasField(self, field_name: Literal["pipeline"]) -> bool: ...

class TfJob(Message):
    tf_job: str
    def __init__(self, *, tf_job: str | None = ...) -> None: ...

class Toleration(Message):
    key: str
    operator: int
    value: str
    effect: int
    @property
    def toleration_seconds(self) -> _google.Int64Value: ...
    def __init__(
        self,
        *,
        key: str | None = ...,
        operator: int | None = ...,
        value: str | None = ...,
        effect: int | None = ...,
        toleration_seconds: _google.Int64Value | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["toleration_seconds"]) -> bool: ...

class Transform(Message):
    image: str
    @property
    def cmd(self) -> Repeated[str]: ...
    @property
    def err_cmd(self) -> Repeated[str]: ...
    @property
    def env(self) -> ScalarMap[str, str]: ...
    @property
    def secrets(self) -> RepeatedMessages[SecretMount]: ...
    @property
    def image_pull_secrets(self) -> Repeated[str]: ...
    @property
    def stdin(self) -> Repeated[str]: ...
    @property
    def err_stdin(self) -> Repeated[str]: ...
    @property
    def accept_return_code(self) -> Repeated[int]: ...
    debug: bool
    user: str
    working_dir: str
    dockerfile: str
    memory_volume: bool
    datum_batching: bool
    def __init__(
        self,
        *,
        image: str | None = ...,
        cmd: Iterable[str] | None = ...,
        err_cmd: Iterable[str] | None = ...,
        env: Mapping[str, str] | None = ...,
        secrets: Iterable[SecretMount] | None = ...,
        image_pull_secrets: Iterable[str] | None = ...,
        stdin: Iterable[str] | None = ...,
        err_stdin: Iterable[str] | None = ...,
        accept_return_code: Iterable[int] | None = ...,
        debug: bool | None = ...,
        user: str | None = ...,
        working_dir: str | None = ...,
        dockerfile: str | None = ...,
        memory_volume: bool | None = ...,
        datum_batching: bool | None = ...,
    ) -> None: ...

class UpdateJobStateRequest(Message):
    @property
    def job(self) -> Job: ...
    state: int
    reason: str
    restart: int
    data_processed: int
    data_skipped: int
    data_failed: int
    data_recovered: int
    data_total: int
    @property
    def stats(self) -> ProcessStats: ...
    def __init__(
        self,
        *,
        job: Job | None = ...,
        state: int | None = ...,
        reason: str | None = ...,
        restart: int | None = ...,
        data_processed: int | None = ...,
        data_skipped: int | None = ...,
        data_failed: int | None = ...,
        data_recovered: int | None = ...,
        data_total: int | None = ...,
        stats: ProcessStats | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["job", "stats"]) -> bool: ...

class Worker(Message):
    name: str
    state: int
    def __init__(self, *, name: str | None = ..., state: int | None = ...) -> None: ...

class WorkerStatus(Message):
    worker_id: str
    job_id: str
    @property
    def datum_status(self) -> DatumStatus: ...
    def __init__(
        self,
        *,
        worker_id: str | None = ...,
        job_id: str | None = ...,
        datum_status: DatumStatus | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["datum_status"]) -> bool: ...
