"""Transactions as clients see them: calls that are queued, rehearsed, and take effect together.

A call that names a transaction is appended to it: every queued call is run in a database transaction that is rolled back, so
that the call is answered, or refused, as it will be at the end. Finishing runs them for good, atomically, in one commit set
whose id is the transaction's. Calls that cannot be queued, calls about files among them, ignore the transaction: a commit
that was started in it does not exist for them before its end.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError, UnsupportedError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.store import OpenTransactions

Call = Callable[..., wire.Message]
"""A call of a servicer, of a request and its context."""


class ClientTransactions:
    """Open transactions, and the ``calls`` that may be queued, by their fields in a TransactionRequest."""

    def __init__(self, pfs: Pfs, calls: Mapping[str, Call]) -> None:
        self._pfs, self._calls = pfs, calls
        self._open = OpenTransactions(pfs.db)
        self._changing = threading.Lock()

    def start(self) -> wire.transaction.Transaction:
        info = _new_info()
        self._open.put(info)
        return info.transaction

    def get(self, transaction: str) -> wire.transaction.TransactionInfo:
        """Raises NotFoundError."""
        return self._open.get(transaction)

    def all(self) -> list[wire.transaction.TransactionInfo]:
        """Every open transaction, the last changed first."""
        return self._open.all()

    def delete(self, transaction: str) -> None:
        with self._changing:
            self._open.delete(transaction)

    def delete_all(self) -> None:
        with self._changing:
            self._open.delete_all()

    def run_batch(self, requests: Iterable[wire.transaction.TransactionRequest]) -> wire.transaction.TransactionInfo:
        """Run requests immediately as one transaction."""
        info = _new_info(requests)
        with self._pfs.transaction(info.transaction.id):
            self._run(info)
        return info

    def finish(self, transaction: str) -> wire.transaction.TransactionInfo:
        with self._changing:
            info = self._open.get(transaction)
            with self._pfs.transaction(info.transaction.id):
                self._run(info)
                self._open.delete(info.transaction.id)
        return info

    def append(self, transaction: str, request: wire.transaction.TransactionRequest) -> wire.transaction.TransactionResponse:
        """Add a request to an open transaction; returns its response."""
        with self._changing:
            info = self._open.get(transaction)
            info.requests.append(request)
            with self._pfs.transaction(transaction, rehearsal=True):
                self._run(info)
            info.version += 1
            self._open.put(info)
        return info.responses[-1]

    def _run(self, info: wire.transaction.TransactionInfo) -> None:
        """Make the requests of ``info`` one after the other, and set their responses in it."""
        del info.responses[:]
        for number, request in enumerate(info.requests, start=1):
            response = info.responses.add()
            try:
                self._call(request, response)
            except PachydermError as error:
                error.args = (f"error running request {number} of {len(info.requests)}: {error}",)
                raise

    def _call(self, request: wire.transaction.TransactionRequest, response: wire.transaction.TransactionResponse) -> None:
        """Make the call of a TransactionRequest, the first if it has several."""
        for field, message in request.ListFields():
            if field.name not in self._calls:
                raise UnsupportedError(f"TransactionRequest.{field.name}")
            answer = self._calls[field.name](message, None)
            if isinstance(answer, wire.pfs.Commit):  # of start_commit
                response.commit.CopyFrom(answer)
            return
        raise PachydermError("unrecognized transaction request type")


def _new_info(
    requests: Iterable[wire.transaction.TransactionRequest] = (),
) -> wire.transaction.TransactionInfo:
    info = wire.transaction.TransactionInfo(transaction=wire.transaction.Transaction(id=uuid.uuid4().hex), requests=requests)
    info.started.GetCurrentTime()
    return info
