"""Passes gRPC calls to the objects that answer them, and returns failures as statuses.

A servicer is any object whose methods are named like the SDK's (``inspect_repo``) and take ``(request, context)``: they
return one message, or yield several if the call streams; a client's stream arrives as an iterator. A method that may wait is
a generator (`waiting`). A call without a method answers UNIMPLEMENTED.
"""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, NoReturn, Protocol, TypeVar, cast

import grpc

from minipdk.common.ports import HOST, PortError
from minipdk.services.pachyderm import callers, wire
from minipdk.services.pachyderm.errors import (
    BadTokenError,
    CancelledError,
    NotSignedInError,
    PachydermError,
    UnsupportedError,
)
from minipdk.services.pachyderm.waiting import Steps, WaitingCalls, may_wait
from minipdk.storage import DiskFullError

T = TypeVar("T")
Answer = Callable[[Any, grpc.ServicerContext], object]
"""A method of a servicer: takes a message or an iterator of messages, returns the same or bytes."""

logger = logging.getLogger(__name__)

MAX_MESSAGE = 20 << 20
"""pachd's own limit, MaxMsgSize; the SDK sends messages of 19 MiB."""
MAX_ANSWER = 64 << 20
THREADS = 64
STREAMS = 192
"""Threads for calls whose client sends a stream, which it may stop to send at any time."""
STRANGERS = 4
"""Threads for calls without a token. Each may buffer one message."""
STRANGER_SECONDS = 10.0
HANDSHAKE_MS, IDLE_MS = 10_000, 300_000
OPEN_TO_ALL = frozenset(
    {
        "/admin_v2.API/InspectCluster",
        "/auth_v2.API/Activate",
        "/auth_v2.API/Authenticate",
        "/auth_v2.API/GetOIDCLogin",
        "/enterprise_v2.API/GetState",
        "/versionpb_v2.API/GetVersion",
    }
)
"""The calls that pachd answers before a user has logged in."""

_HANDLERS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


class Context(Protocol):
    """The part of gRPC's context that `whole` needs."""

    def is_active(self) -> bool: ...


class Server:
    """A gRPC server on loopback for the servicers given by package: ``{"pfs": ..., "pps": ...}``.

    Callers must send ``token``, or one by which ``identify`` knows a pipeline. With an empty ``token`` authentication is off
    and every call is allowed.

    ``parsers`` parse the requests of some calls, by their paths; protobuf parses the others.
    """

    def __init__(
        self,
        port: int,
        token: str,
        servicers: Mapping[str, object],
        parsers: Mapping[str, Callable[[bytes], object]] = MappingProxyType({}),
        identify: Callable[[str], callers.Caller | None] = lambda _: None,
    ) -> None:
        self._grpc = grpc.server(
            ThreadPoolExecutor(THREADS, thread_name_prefix="rpc"),
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.max_send_message_length", MAX_ANSWER),
                ("grpc.so_reuseport", 1),  # the cluster holds the port
                ("grpc.http2.bdp_probe", 0),  # it would buffer ever more of a large file, faster than it can be stored
                ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
                ("grpc.max_connection_idle_ms", IDLE_MS),  # clients connect again when they make a call
            ],
        )
        self._grpc.add_generic_rpc_handlers((Router(token, servicers, parsers, identify),))
        try:
            bound = self._grpc.add_insecure_port(f"{HOST}:{port}")
        except RuntimeError:
            bound = 0
        if bound != port:
            raise PortError(f"cannot listen on {HOST}:{port}: another program has this port")

    def start(self) -> None:
        self._grpc.start()

    def stop(self, grace: float = 1) -> None:
        """Let calls in progress end within ``grace`` seconds, then cancel them."""
        self._grpc.stop(grace).wait()


class Router(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Finds the handler of a call, after its caller was authenticated by its metadata.

    No message of a refused call is read, and such a call never waits for one. A call without a token, which pachd answers
    for any client, has few threads and little time, so it can only keep other such calls waiting.
    """

    def __init__(
        self,
        token: str,
        servicers: Mapping[str, object],
        parsers: Mapping[str, Callable[[bytes], object]],
        identify: Callable[[str], callers.Caller | None],
    ) -> None:
        self._token, self._identify = token, identify
        self._waiting = WaitingCalls()
        self._streams = ThreadPoolExecutor(STREAMS, thread_name_prefix="rpc stream")
        self._strangers = ThreadPoolExecutor(STRANGERS, thread_name_prefix="rpc stranger")
        self._handlers: dict[str, grpc.RpcMethodHandler] = {}
        self._open_handlers: dict[str, grpc.RpcMethodHandler] = {}
        for call in wire.rpcs():
            answer = getattr(servicers.get(call.package), call.name, None) or _unsupported(call)
            parse = parsers.get(call.path) or wire.message_class(call.request).FromString
            self._handlers[call.path] = self._handler(call, answer, parse)
            if call.path in OPEN_TO_ALL:
                self._open_handlers[call.path] = self._open_handler(call, answer, parse)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Called by the thread that takes calls, in the call's context."""
        path = details.method
        if path not in self._handlers:
            return None
        tokens = [str(value) for key, value in details.invocation_metadata if key == "authn-token"]
        try:
            known = self._is_known(tokens[0] if tokens else "", open_to_all=path in OPEN_TO_ALL)
        except PachydermError as error:
            return _refusing(error)
        return self._handlers[path] if known else self._open_handlers[path]

    def _is_known(self, token: str, *, open_to_all: bool) -> bool:
        """Whether the caller is known, whom it notes. Raises NotSignedInError or BadTokenError."""
        caller = self._identify(token) if token else None
        callers.current.set(caller)
        if caller is not None or not self._token:
            return True
        if hmac.compare_digest(token.encode(), self._token.encode()):
            return True
        if open_to_all:
            return False
        raise BadTokenError if token else NotSignedInError

    def _handler(self, call: wire.Rpc, answer: Answer, parse: Callable[[bytes], object]) -> grpc.RpcMethodHandler:
        if may_wait(answer):
            # One response, or a stream of one: they are the same on the wire.
            return grpc.unary_stream_rpc_method_handler(self._waits(call, answer), parse, _serialized)
        guarded: Any = _stream(call, answer) if call.server_streams else _unary(call, answer)
        if call.client_streams:
            guarded.experimental_thread_pool = self._streams
        return _HANDLERS[call.client_streams, call.server_streams](guarded, parse, _serialized)

    def _open_handler(self, call: wire.Rpc, answer: Answer, parse: Callable[[bytes], object]) -> grpc.RpcMethodHandler:
        """The handler of a call of one message by any client. It is a stream, so that the wait for the message can end."""
        answered = _unary(call, answer)

        def handle(requests: Iterator[object], context: grpc.ServicerContext) -> object:
            patience = threading.Timer(STRANGER_SECONDS, context.cancel)
            patience.start()
            try:
                request = next(requests)
            except StopIteration:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{call.path} requires exactly one request message.")
            finally:
                patience.cancel()
            return answered(request, context)

        handle.experimental_thread_pool = self._strangers  # type: ignore[attr-defined]
        return grpc.stream_unary_rpc_method_handler(handle, parse, _serialized)

    def _waits(self, call: wire.Rpc, answer: Answer) -> Callable[..., None]:
        def handle(request: object, context: grpc.ServicerContext, send: Callable[[object], None]) -> None:
            steps = cast("Steps[object]", answer(request, context))
            self._waiting.start(steps, _Answers(call, context, send), context.add_callback)

        handle.experimental_non_blocking = True  # type: ignore[attr-defined]  # grpc: the call ends with `send(None)`
        return handle


class _Answers:
    """Sends the responses to a call, and its status, from any thread."""

    def __init__(self, call: wire.Rpc, context: grpc.ServicerContext, send: Callable[[object], None]) -> None:
        self._call, self._context = call, context
        self.send = send

    def end(self, error: Exception | None) -> None:
        if error is not None:
            code, details = _status(self._call, error, self._context)
            self._context.set_code(code)
            self._context.set_details(details)
        self.send(None)


def _unary(call: wire.Rpc, answer: Answer) -> Answer:
    def handle(request: object, context: grpc.ServicerContext) -> object:
        try:
            return answer(whole(cast("Iterator[object]", request), context) if call.client_streams else request, context)
        except Exception as error:
            context.abort(*_status(call, error, context))
            return None  # it raises

    return handle


def _stream(call: wire.Rpc, answer: Answer) -> Callable[[object, grpc.ServicerContext], Iterator[object]]:
    def handle(request: object, context: grpc.ServicerContext) -> Iterator[object]:
        try:
            yield from cast("Iterator[object]", answer(request, context))
        except Exception as error:
            context.abort(*_status(call, error, context))

    return handle


def _refusing(error: PachydermError) -> grpc.RpcMethodHandler:
    """A handler that reads nothing."""

    def refuse(_requests: object, context: grpc.ServicerContext) -> NoReturn:
        context.abort(error.code, str(error))
        raise AssertionError  # abort raises

    return grpc.stream_unary_rpc_method_handler(refuse)


def whole(requests: Iterator[T], context: Context) -> Iterator[T]:
    """A client's stream that fails if the client went away before its end; gRPC may end it as if it were complete.

    Another `next` lets gRPC's queue deliver the state of the call: a cancellation is reported after the end.
    """
    yield from requests
    next(requests, None)
    if not context.is_active():
        raise CancelledError


def _serialized(message: wire.Message | bytes) -> bytes:
    """The bytes of an answer; some answers are bytes already (`wire.bytes_value`)."""
    return message if isinstance(message, bytes) else message.SerializeToString()


def _unsupported(call: wire.Rpc) -> Answer:
    def refuse(_request: object, _context: grpc.ServicerContext) -> NoReturn:
        raise UnsupportedError(f"{call.service}.{call.method}")

    return refuse


def _status(call: wire.Rpc, error: Exception, context: grpc.ServicerContext) -> tuple[grpc.StatusCode, str]:
    """The status with which a call fails."""
    if isinstance(error, PachydermError):
        return error.code, str(error)
    if isinstance(error, DiskFullError):
        return grpc.StatusCode.RESOURCE_EXHAUSTED, str(error)
    if isinstance(error, grpc.RpcError) or not context.is_active():  # the client has gone away
        return grpc.StatusCode.CANCELLED, "the call was cancelled"
    logger.error("%s failed", call.path, exc_info=error)
    return grpc.StatusCode.INTERNAL, f"{call.service}.{call.method}: {type(error).__name__}: {error}"
