"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from collections.abc import Iterable
from typing import Literal

from minipdk.services.pachyderm.wire import google as _google
from minipdk.services.pachyderm.wire import pfs as _pfs
from minipdk.services.pachyderm.wire import pps as _pps
from minipdk.services.pachyderm.wire.message import Message, RepeatedMessages

class BatchTransactionRequest(Message):
    @property
    def requests(self) -> RepeatedMessages[TransactionRequest]: ...
    def __init__(self, *, requests: Iterable[TransactionRequest] | None = ...) -> None: ...

class DeleteAllRequest(Message):
    def __init__(self) -> None: ...

class DeleteTransactionRequest(Message):
    @property
    def transaction(self) -> Transaction: ...
    def __init__(self, *, transaction: Transaction | None = ...) -> None: ...
    def HasField(self, field_name: Literal["transaction"]) -> bool: ...

class FinishTransactionRequest(Message):
    @property
    def transaction(self) -> Transaction: ...
    def __init__(self, *, transaction: Transaction | None = ...) -> None: ...
    def HasField(self, field_name: Literal["transaction"]) -> bool: ...

class InspectTransactionRequest(Message):
    @property
    def transaction(self) -> Transaction: ...
    def __init__(self, *, transaction: Transaction | None = ...) -> None: ...
    def HasField(self, field_name: Literal["transaction"]) -> bool: ...

class ListTransactionRequest(Message):
    def __init__(self) -> None: ...

class StartTransactionRequest(Message):
    def __init__(self) -> None: ...

class Transaction(Message):
    id: str
    def __init__(self, *, id: str | None = ...) -> None: ...

class TransactionInfo(Message):
    @property
    def transaction(self) -> Transaction: ...
    @property
    def requests(self) -> RepeatedMessages[TransactionRequest]: ...
    @property
    def responses(self) -> RepeatedMessages[TransactionResponse]: ...
    @property
    def started(self) -> _google.Timestamp: ...
    version: int
    def __init__(
        self,
        *,
        transaction: Transaction | None = ...,
        requests: Iterable[TransactionRequest] | None = ...,
        responses: Iterable[TransactionResponse] | None = ...,
        started: _google.Timestamp | None = ...,
        version: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["transaction", "started"]) -> bool: ...

class TransactionInfos(Message):
    @property
    def transaction_info(self) -> RepeatedMessages[TransactionInfo]: ...
    def __init__(self, *, transaction_info: Iterable[TransactionInfo] | None = ...) -> None: ...

class TransactionRequest(Message):
    @property
    def create_repo(self) -> _pfs.CreateRepoRequest: ...
    @property
    def delete_repo(self) -> _pfs.DeleteRepoRequest: ...
    @property
    def start_commit(self) -> _pfs.StartCommitRequest: ...
    @property
    def finish_commit(self) -> _pfs.FinishCommitRequest: ...
    @property
    def squash_commit_set(self) -> _pfs.SquashCommitSetRequest: ...
    @property
    def create_branch(self) -> _pfs.CreateBranchRequest: ...
    @property
    def delete_branch(self) -> _pfs.DeleteBranchRequest: ...
    @property
    def update_job_state(self) -> _pps.UpdateJobStateRequest: ...
    @property
    def stop_job(self) -> _pps.StopJobRequest: ...
    @property
    def create_pipeline_v2(self) -> _pps.CreatePipelineTransaction: ...
    def __init__(
        self,
        *,
        create_repo: _pfs.CreateRepoRequest | None = ...,
        delete_repo: _pfs.DeleteRepoRequest | None = ...,
        start_commit: _pfs.StartCommitRequest | None = ...,
        finish_commit: _pfs.FinishCommitRequest | None = ...,
        squash_commit_set: _pfs.SquashCommitSetRequest | None = ...,
        create_branch: _pfs.CreateBranchRequest | None = ...,
        delete_branch: _pfs.DeleteBranchRequest | None = ...,
        update_job_state: _pps.UpdateJobStateRequest | None = ...,
        stop_job: _pps.StopJobRequest | None = ...,
        create_pipeline_v2: _pps.CreatePipelineTransaction | None = ...,
    ) -> None: ...
    def HasField(
        self,
        field_name: Literal[
            "create_repo",
            "delete_repo",
            "start_commit",
            "finish_commit",
            "squash_commit_set",
            "create_branch",
            "delete_branch",
            "update_job_state",
            "stop_job",
            "create_pipeline_v2",
        ],
    ) -> bool: ...

class TransactionResponse(Message):
    @property
    def commit(self) -> _pfs.Commit: ...
    def __init__(self, *, commit: _pfs.Commit | None = ...) -> None: ...
    def HasField(self, field_name: Literal["commit"]) -> bool: ...
