"""The worker's gRPC service, pachyderm.worker.Worker, for user code of a pipeline with datum batching.

The vendor's client calls it at ``localhost:$PPS_WORKER_GRPC_PORT`` without a token. The owner of the client's end of the
connection must be the user that runs the cluster; every other user is refused, and no answer holds a secret.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

import grpc

from minipdk.common.ports import HOST
from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import BadTokenError, PachydermError

Request = TypeVar("Request", bound=wire.Message)

THREADS = 4
CONNECTIONS = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
"""The second has clients whose sockets support both protocols; their addresses end in the IPv4 address."""
LOCAL, REMOTE, UID = 1, 2, 7
"""The columns that name a connection's two ends and its owner."""


class WorkerInterface(Protocol):
    """The answers of a worker, named like the calls."""

    def status(self) -> wire.pps.WorkerStatus:
        """The pps.WorkerStatus of the datum in progress."""

    def cancel(self, job: str, filters: list[str]) -> bool:
        """End the present try of the datum that matches; returns whether one matched."""

    def next_datum(self, error: str, context: grpc.ServicerContext) -> Mapping[str, str]:
        """Wait for the next datum and return its variables; ``error`` is why the previous one failed, "" if it did not."""


class WorkerServer:
    """Serves one worker on a port of loopback that the system chooses, between `start` and `stop`."""

    def __init__(self, worker: WorkerInterface) -> None:
        self._worker = worker
        self._grpc = grpc.server(ThreadPoolExecutor(THREADS, "worker api"), options=[("grpc.so_reuseport", 0)])
        calls = {call.name: call for call in wire.rpcs() if call.package == "worker"}
        answers: dict[str, Callable[..., wire.Message]] = {
            "status": self._status,
            "cancel": self._cancel,
            "next_datum": self._next_datum,
        }
        handlers = {call.method: self._handler(call, answers[name]) for name, call in calls.items()}
        service = calls["next_datum"].service
        self._grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self.port: int = self._grpc.add_insecure_port(f"{HOST}:0")

    def start(self) -> None:
        self._grpc.start()

    def stop(self) -> None:
        self._grpc.stop(0).wait()

    def _handler(
        self, call: wire.Rpc, answer: Callable[[Request, grpc.ServicerContext], wire.Message]
    ) -> grpc.RpcMethodHandler:
        def handle(request: Request, context: grpc.ServicerContext) -> wire.Message | None:
            try:
                if not is_own(context.peer(), self.port):
                    raise BadTokenError
                return answer(request, context)
            except PachydermError as error:
                context.abort(error.code, str(error))
                return None  # abort raises

        return grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=wire.message_class(call.request).FromString,
            response_serializer=wire.message_class(call.response).SerializeToString,
        )

    def _status(self, _request: wire.Empty, _context: grpc.ServicerContext) -> wire.pps.WorkerStatus:
        return self._worker.status()

    def _cancel(self, request: wire.worker.CancelRequest, _context: grpc.ServicerContext) -> wire.worker.CancelResponse:
        return wire.worker.CancelResponse(success=self._worker.cancel(request.job_id, list(request.data_filters)))

    def _next_datum(
        self, request: wire.worker.NextDatumRequest, context: grpc.ServicerContext
    ) -> wire.worker.NextDatumResponse:
        variables = self._worker.next_datum(request.error, context)
        return wire.worker.NextDatumResponse(env=[f"{name}={value}" for name, value in variables.items()])


def is_own(peer: str, port: int) -> bool:
    """Whether the connection from ``peer`` ("ipv4:127.0.0.1:40000") to ``port`` here belongs to this process's user."""
    caller = _hexadecimal(int(peer.rpartition(":")[2]))
    server = _hexadecimal(port)
    for table in CONNECTIONS:
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            columns = line.split()
            if columns[LOCAL].endswith(caller) and columns[REMOTE].endswith(server):
                return int(columns[UID]) == os.getuid()
    return False


def _hexadecimal(port: int) -> str:
    """A port of loopback as /proc/net/tcp writes it: the address in the machine's byte order."""
    address = int.from_bytes(bytes(map(int, HOST.split("."))), sys.byteorder)
    return f"{address:08X}:{port:04X}"
