"""Transactions as clients see them: calls that are queued, rehearsed at once, and take effect together.

A call that names a transaction (gRPC metadata ``pach-transaction``) is appended to it: everything queued so far is run in a
database transaction that is undone again, so that the call is answered, or refused, as it will be in the end.
FinishTransaction runs them for good, atomically, in one commit set whose id is the transaction's. Calls that cannot be
queued, those about files among them, ignore the transaction: a commit started in it is not there for them before its end.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Collection
from typing import Any

import grpc

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import NotFoundError, PachydermError, UnsupportedError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.storage import Database

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

Call = Callable[[Any, Any], Any]


class TransactionServicer:
    """transaction_v2.API over the servicers whose calls may be queued.

    PPS's tells with ``queued_create_pipeline`` and ``queued_create_pipeline_v2`` what is kept of a call, and runs that with
    ``create_queued_pipeline``.
    """

    def __init__(self, pfs: Pfs, pfs_servicer: Any, pps_servicer: Any) -> None:
        self._pfs = pfs
        self._open = _OpenTransactions(pfs.db)
        self._changing = threading.Lock()
        self._calls: dict[str, Call] = {name: getattr(pfs_servicer, name) for name in PFS_CALLS}
        self._calls |= {"stop_job": pps_servicer.stop_job, "create_pipeline_v2": pps_servicer.create_queued_pipeline}
        self.pfs_servicer = _Joined(self, pfs_servicer, PFS_CALLS)
        self.pps_servicer = _Joined(self, pps_servicer, PPS_CALLS)
        """The same servicers, whose calls join the transaction that the client names."""

    def start_transaction(self, _request: Any, _context: object) -> Any:
        info = wire.transaction.TransactionInfo(transaction=wire.transaction.Transaction(id=uuid.uuid4().hex))
        info.started.GetCurrentTime()
        self._open.put(info)
        return info.transaction

    def inspect_transaction(self, request: Any, _context: object) -> Any:
        return self._open.get(request.transaction.id)

    def list_transaction(self, _request: Any, _context: object) -> Any:
        return wire.transaction.TransactionInfos(transaction_info=self._open.all())

    def delete_transaction(self, request: Any, _context: object) -> Any:
        with self._changing:
            self._open.delete(request.transaction.id)
        return wire.Empty()

    def delete_all(self, _request: Any, _context: object) -> Any:
        with self._changing:
            self._open.delete_all()
        return wire.Empty()

    def batch_transaction(self, request: Any, _context: object) -> Any:
        """Run requests at once as one transaction."""
        info = wire.transaction.TransactionInfo(
            transaction=wire.transaction.Transaction(id=uuid.uuid4().hex), requests=request.requests
        )
        info.started.GetCurrentTime()
        with self._pfs.state.transactions.begin(info.transaction.id):
            return self._run(info)

    def finish_transaction(self, request: Any, _context: object) -> Any:
        with self._changing:
            info = self._open.get(request.transaction.id)
            with self._pfs.state.transactions.begin(info.transaction.id):
                self._run(info)
                self._open.delete(info.transaction.id)
        return info

    def append(self, transaction: str, request: Any) -> Any:
        """Add a TransactionRequest to an open transaction; its TransactionResponse."""
        with self._changing:
            info = self._open.get(transaction)
            info.requests.append(request)
            with self._pfs.state.transactions.begin(transaction, rehearsal=True):
                self._run(info)
            info.version += 1
            self._open.put(info)
        return info.responses[-1]

    def _run(self, info: Any) -> Any:
        """Make the requests of ``info`` one after the other and note their responses in it."""
        del info.responses[:]
        for number, request in enumerate(info.requests, start=1):
            response = info.responses.add()
            try:
                self._call(request, response)
            except PachydermError as error:
                error.args = (f"error running request {number} of {len(info.requests)}: {error}",)
                raise
        return info

    def _call(self, request: Any, response: Any) -> None:
        """Make the call that a TransactionRequest holds, the first if several."""
        for field, message in request.ListFields():
            if field.name not in self._calls:
                raise UnsupportedError(f"TransactionRequest.{field.name}")
            answer = self._calls[field.name](message, None)
            if field.name == "start_commit":
                response.commit.CopyFrom(answer)
            return
        raise PachydermError("unrecognized transaction request type")


class _Joined:
    """A servicer some of whose calls are appended to the transaction that the client names, if it names one."""

    def __init__(self, transactions: TransactionServicer, servicer: Any, names: Collection[str]) -> None:
        self._transactions, self._servicer, self._names = transactions, servicer, names

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._servicer, name)
        return self._joining(name, call) if name in self._names else call

    def _joining(self, name: str, call: Call) -> Call:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            transaction = _transaction_of(context)
            if not transaction or getattr(request, "dry_run", False):
                return call(request, context)
            return self._appended(transaction, name, request)

        return answer

    def _appended(self, transaction: str, name: str, request: Any) -> Any:
        queued = wire.transaction.TransactionRequest()
        if name.startswith("create_pipeline"):
            queued.create_pipeline_v2.CopyFrom(getattr(self._servicer, f"queued_{name}")(request))
        else:
            getattr(queued, name).CopyFrom(request)
        response = self._transactions.append(transaction, queued)
        if name == "start_commit":
            return response.commit
        if name == "delete_repo":
            return wire.pfs.DeleteRepoResponse(deleted=True)
        if name == "create_pipeline_v2":
            effective = queued.create_pipeline_v2.effective_json
            return wire.pps.CreatePipelineV2Response(effective_create_pipeline_request_json=effective)
        return wire.Empty()


def _transaction_of(context: grpc.ServicerContext) -> str:
    """The transaction that a call names; empty for none, as the SDK sends it after it has finished one."""
    found = [str(value) for key, value in context.invocation_metadata() if key == METADATA_KEY]
    if len(found) > 1:
        raise PachydermError("multiple active transactions found in context")
    return found[0] if found else ""


class _OpenTransactions:
    """The TransactionInfos that were not finished yet, on disk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, transaction: str) -> Any:
        """Raises NotFoundError."""
        query = "SELECT info FROM client_transactions WHERE id = ?"
        row = self._database.connection().execute(query, (transaction,)).fetchone()
        if row is None:
            raise NotFoundError(f"transactions {transaction} not found")
        return wire.transaction.TransactionInfo.FromString(row["info"])

    def all(self) -> list[Any]:
        """Those that were changed last first."""
        rows = self._database.connection().execute("SELECT info FROM client_transactions ORDER BY updated DESC").fetchall()
        return [wire.transaction.TransactionInfo.FromString(row["info"]) for row in rows]

    def put(self, info: Any) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO client_transactions VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET info = ?2, updated = ?3",
                (info.transaction.id, info.SerializeToString(), time.time_ns()),
            )

    def delete(self, transaction: str) -> None:
        """Raises NotFoundError."""
        self.get(transaction)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM client_transactions WHERE id = ?", (transaction,))

    def delete_all(self) -> None:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM client_transactions")
