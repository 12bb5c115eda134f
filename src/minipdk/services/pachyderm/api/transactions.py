"""transaction_v2.API, and the servicers whose calls join the transaction that a client names.

A client names it in the gRPC metadata ``pach-transaction``.
"""

from __future__ import annotations

from collections.abc import Collection

import grpc

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pfs.api import PfsServicer
from minipdk.services.pachyderm.pps.api.servicer import PpsServicer
from minipdk.services.pachyderm.required_fields import require
from minipdk.services.pachyderm.transactions import Call, ClientTransactions

METADATA_KEY = "pach-transaction"

PFS_CALLS = (
    "create_repo",
    "delete_repo",
    "start_commit",
    "finish_commit",
    "squash_commit_set",
    "create_branch",
    "delete_branch",
)
PPS_CALLS = ("stop_job", "create_pipeline", "create_pipeline_v2")
"""The calls that may be queued."""


class TransactionServicer:
    """transaction_v2.API. ``pfs_servicer`` and ``pps_servicer`` are the given servicers, able to join transactions."""

    def __init__(self, pfs: Pfs, pfs_servicer: PfsServicer, pps_servicer: PpsServicer) -> None:
        calls: dict[str, Call] = {name: getattr(pfs_servicer, name) for name in PFS_CALLS}
        calls |= {"stop_job": pps_servicer.stop_job, "create_pipeline_v2": pps_servicer.create_queued_pipeline}
        self._transactions = ClientTransactions(pfs, calls)
        self.pfs_servicer = _Joining(self._transactions, pfs_servicer, PFS_CALLS)
        self.pps_servicer = _Joining(self._transactions, pps_servicer, PPS_CALLS)

    def start_transaction(
        self, _request: wire.transaction.StartTransactionRequest, _context: object
    ) -> wire.transaction.Transaction:
        return self._transactions.start()

    def inspect_transaction(
        self, request: wire.transaction.InspectTransactionRequest, _context: object
    ) -> wire.transaction.TransactionInfo:
        return self._transactions.get(request.transaction.id)

    def list_transaction(
        self, _request: wire.transaction.ListTransactionRequest, _context: object
    ) -> wire.transaction.TransactionInfos:
        return wire.transaction.TransactionInfos(transaction_info=self._transactions.all())

    def delete_transaction(self, request: wire.transaction.DeleteTransactionRequest, _context: object) -> wire.Empty:
        self._transactions.delete(request.transaction.id)
        return wire.Empty()

    def delete_all(self, _request: wire.transaction.DeleteAllRequest, _context: object) -> wire.Empty:
        self._transactions.delete_all()
        return wire.Empty()

    def batch_transaction(
        self, request: wire.transaction.BatchTransactionRequest, _context: object
    ) -> wire.transaction.TransactionInfo:
        return self._transactions.run_batch(request.requests)

    def finish_transaction(
        self, request: wire.transaction.FinishTransactionRequest, _context: object
    ) -> wire.transaction.TransactionInfo:
        require(request, "transaction")
        return self._transactions.finish(request.transaction.id)


class _Joining:
    """A servicer whose calls called ``names`` are appended to the client's transaction, if the client names one."""

    def __init__(
        self, transactions: ClientTransactions, servicer: PfsServicer | PpsServicer, names: Collection[str]
    ) -> None:
        self._transactions, self._servicer, self._names = transactions, servicer, names

    def __getattr__(self, name: str) -> Call:
        call: Call = getattr(self._servicer, name)
        return self._joining(name, call) if name in self._names else call

    def _joining(self, name: str, call: Call) -> Call:
        def answer(request: wire.Message, context: grpc.ServicerContext) -> wire.Message:
            transaction = _transaction_of(context)
            if not transaction or getattr(request, "dry_run", False):
                return call(request, context)
            return self._append(transaction, name, request)

        return answer

    def _append(self, transaction: str, name: str, request: wire.Message) -> wire.Message:
        queued = wire.transaction.TransactionRequest()
        if name.startswith("create_pipeline"):
            queued.create_pipeline_v2.CopyFrom(getattr(self._servicer, f"queued_{name}")(request))
        else:
            getattr(queued, name).CopyFrom(request)
        response = self._transactions.append(transaction, queued)
        match name:
            case "start_commit":
                return response.commit
            case "delete_repo":
                return wire.pfs.DeleteRepoResponse(deleted=True)
            case "create_pipeline_v2":
                effective = queued.create_pipeline_v2.effective_json
                return wire.pps.CreatePipelineV2Response(effective_create_pipeline_request_json=effective)
            case _:
                return wire.Empty()


def _transaction_of(context: grpc.ServicerContext) -> str:
    """The transaction that a call names; empty for none, as the SDK sends it after it has finished one."""
    named = [str(value) for key, value in context.invocation_metadata() if key == METADATA_KEY]
    if len(named) > 1:
        raise PachydermError("multiple active transactions found in context")
    return named[0] if named else ""
