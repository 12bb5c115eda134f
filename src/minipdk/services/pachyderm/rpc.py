"""Passes gRPC calls to the objects that answer them, and returns failures as statuses.

A servicer is any object whose methods are named like the SDK's (``inspect_repo``) and take ``(request, context)``: they
return one message, or yield several if the call streams; a client's stream arrives as an iterator. A call without a method
answers UNIMPLEMENTED.
"""

from __future__ import annotations

import hmac
import logging
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

T = TypeVar("T")
Answer = Callable[[Any, grpc.ServicerContext], object]
"""A method of a servicer: takes a message or an iterator of messages, returns the same or bytes."""

logger = logging.getLogger(__name__)

MAX_MESSAGE = 64 << 20  # the SDK sends messages of 19 MiB
THREADS = 256  # a call that waits or subscribes occupies one
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
        self._token, self._identify = token, identify
        self._parsers = parsers
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="rpc")
        self._grpc = grpc.server(
            self._pool,
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.max_send_message_length", MAX_MESSAGE),
                ("grpc.so_reuseport", 1),  # the cluster holds the port
                ("grpc.http2.bdp_probe", 0),  # it would buffer ever more of a large file, faster than it can be stored
            ],
        )
        handlers: dict[str, dict[str, grpc.RpcMethodHandler]] = {}
        for call in wire.rpcs():
            answer = getattr(servicers.get(call.package), call.name, None) or _unsupported(call)
            handlers.setdefault(call.service, {})[call.method] = self._handler(call, answer)
        for service, methods in handlers.items():
            self._grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
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

    def _handler(self, call: wire.Rpc, answer: Answer) -> grpc.RpcMethodHandler:
        guarded = self._stream(call, answer) if call.server_streams else self._unary(call, answer)
        return _HANDLERS[call.client_streams, call.server_streams](
            guarded,
            request_deserializer=self._parsers.get(call.path) or wire.message_class(call.request).FromString,
            response_serializer=_serialized,
        )

    def _unary(self, call: wire.Rpc, answer: Answer) -> Answer:
        def handle(request: object, context: grpc.ServicerContext) -> object:
            try:
                self._authenticate(call, context)
                return answer(whole(cast("Iterator[object]", request), context) if call.client_streams else request, context)
            except Exception as error:
                _abort(call, error, context)
                return None  # it raises

        return handle

    def _stream(self, call: wire.Rpc, answer: Answer) -> Callable[[object, grpc.ServicerContext], Iterator[object]]:
        def handle(request: object, context: grpc.ServicerContext) -> Iterator[object]:
            try:
                self._authenticate(call, context)
                yield from cast("Iterator[object]", answer(request, context))
            except Exception as error:
                _abort(call, error, context)

        return handle

    def _authenticate(self, call: wire.Rpc, context: grpc.ServicerContext) -> None:
        tokens = [value for key, value in context.invocation_metadata() if key == "authn-token"]
        caller = self._identify(str(tokens[0])) if tokens else None
        callers.current.set(caller)
        if caller is not None or not self._token or call.path in OPEN_TO_ALL:
            return
        if not tokens or not tokens[0]:
            raise NotSignedInError
        if not hmac.compare_digest(str(tokens[0]).encode(), self._token.encode()):
            raise BadTokenError


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


def _abort(call: wire.Rpc, error: Exception, context: grpc.ServicerContext) -> None:
    """End the call with the failure's status: raises, as grpc's abort does."""
    if isinstance(error, PachydermError):
        context.abort(error.code, str(error))
    if isinstance(error, grpc.RpcError) or not context.is_active():  # the client has gone away
        context.abort(grpc.StatusCode.CANCELLED, "the call was cancelled")
    logger.error("%s failed", call.path, exc_info=error)
    context.abort(grpc.StatusCode.INTERNAL, f"{call.service}.{call.method}: {type(error).__name__}: {error}")
