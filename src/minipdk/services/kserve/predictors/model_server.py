"""KServe's data plane on loopback, for every model server: protocols v1 and v2 over REST, v2 over gRPC.

A server's program parses its `arguments`, loads a `ServedModel` and calls `serve`. Each kind of failure has one HTTP status
and the corresponding gRPC code:

400  INVALID_ARGUMENT    the body is not JSON, or does not fit the protocol or the model; the message names the fault
404  NOT_FOUND           no such model
413  RESOURCE_EXHAUSTED  the body is larger than the limit
500  INTERNAL            the model raised; the answer has the exception's class and message, the pod's log the traceback
501  UNIMPLEMENTED       explanations, loading and unloading models
xxx                      the model raised AnswerError with the status xxx
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import orjson
import uvloop
from fastapi.exceptions import RequestValidationError
from kserve import InferRequest, Model, ModelRepository
from kserve.errors import InferenceError, InvalidInput, ModelNotFound
from kserve.model_server import app
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.server import RESTServer
from prometheus_client import CollectorRegistry, exposition
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response

from minipdk.common.ports import HOST
from minipdk.common.web.server import HttpServer, bind

from .asgi import JsonByDefault, JSONResponse, V1Predict, policy
from .calls import Calls
from .errors import AnswerError

HANDSHAKE_MS = 10_000
GRACE_SECONDS = 3600.0  # as long as a request may take: the kubelet decides when to kill the server
MAX_BODY = 100 << 20
SWITCH_SECONDS = 0.0005  # with Python's 5 ms the loop would wait that long for a thread that computes, and the reverse
MAX_DETAILS = 20  # faults reported for the tensors of one request
GRPC_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ABORTED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
CLIENT_ERRORS = {InvalidInput: GRPC_CODES[400], ModelNotFound: GRPC_CODES[404]}
"""kserve gives the same codes, and would also log each of these errors with its traceback."""
log = logging.getLogger("predictor")


class ServedModel(Model):  # type: ignore[misc]  # kserve has no type annotations
    """A loaded model under one of its names."""

    def __init__(self, name: str, *, return_response_headers: bool = False) -> None:
        super().__init__(name, return_response_headers)
        self.ready = True

    async def preprocess(self, payload: Any, headers: dict[str, str] | None = None) -> Any:  # noqa: ARG002  # kserve's
        """A v1 request must have instances, which may also be called inputs. kserve has checked v2 requests already."""
        if isinstance(payload, InferRequest):
            return payload
        if isinstance(payload, dict) and "inputs" in payload:
            payload = {**payload, "instances": payload["inputs"]}
        if not isinstance(payload, dict) or not isinstance(payload.get("instances"), list) or not payload["instances"]:
            raise InvalidInput('Expected a body of the form {"instances": [...]} with at least one instance')
        return payload

    async def explain(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        raise NotImplementedError(":explain is not supported by minipdk")


class CalledModel(ServedModel):
    """A model that answers one request at a time."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._calls = Calls("model")

    def answer(self, payload: dict[str, Any] | InferRequest) -> Any:
        """The answer to a request of protocol v1 or v2. Raises InvalidInput, which names the fault in the request."""
        raise NotImplementedError

    async def predict(self, payload: Any, headers: dict[str, str] | None = None) -> Any:  # noqa: ARG002  # kserve's
        try:
            return await self._calls.make(self.answer, payload)
        except (InvalidInput, AnswerError):
            raise
        except Exception as error:
            log.exception("the model failed")
            raise AnswerError(500, {"error": f"{type(error).__name__}: {error}"}) from error


async def _answer_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, AnswerError)
    return JSONResponse(error.answer, status_code=error.status)


async def _answer_invalid_input(_: Request, error: Exception) -> Response:
    """Like kserve's handler, which would also log a traceback, so that any client could fill the log."""
    return JSONResponse({"error": str(error)}, status_code=400)


async def _answer_invalid_tensors(_: Request, error: Exception) -> Response:
    """Like FastAPI's handler, without the input, which may be large or, like NaN and lone surrogates, no valid JSON."""
    assert isinstance(error, RequestValidationError)
    details = [{key: fault[key] for key in ("type", "loc", "msg")} for fault in error.errors()]
    return Response(json.dumps({"detail": details[:MAX_DETAILS]}), 422, media_type="application/json")


async def _metrics_of_all_workers(request: Request) -> Response:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client's
    encode, media_type = exposition.choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"content-type": media_type})


class ErrorStatuses(ExceptionToStatusInterceptor):  # type: ignore[misc]  # kserve has no type annotations
    """gRPC statuses for errors to which kserve gives none, or without their reason."""

    async def handle_exception(self, ex: Exception, request_or_iterator: Any, context: Any, method_name: str) -> None:
        if isinstance(ex, AnswerError):
            message = ex.answer.get("error") if isinstance(ex.answer, dict) else None
            code = GRPC_CODES.get(ex.status, GRPC_CODES[400 if ex.status < 500 else 500])
            await context.abort(code, message or orjson.dumps(ex.answer, default=str).decode())
        elif isinstance(ex, NotImplementedError):
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, str(ex))
        elif isinstance(ex, InferenceError):
            await context.abort(grpc.StatusCode.INTERNAL, str(ex))
        elif code := CLIENT_ERRORS.get(type(ex)):
            await context.abort(code, str(ex))
        else:
            await super().handle_exception(ex, request_or_iterator, context, method_name)


class FixedModels(ModelRepositoryExtension):  # type: ignore[misc]  # kserve has no type annotations
    """Requests cannot load or unload models: they would reach one of several workers, which would then differ."""

    async def load(self, model_name: str) -> None:
        raise NotImplementedError(f"loading {model_name} by request is not supported by minipdk")

    async def unload(self, model_name: str) -> None:
        raise NotImplementedError(f"unloading {model_name} by request is not supported by minipdk")


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The options that every model server takes. The node gives it its ports in the environment."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model_name", default="model", help="the name in the request's path")
    parser.add_argument("--model_dir", type=_folder, default="/mnt/models", help="the folder of the model's files")
    for name, variable, default in (("http", "PORT", "8080"), ("grpc", "GRPC_PORT", "8081")):
        parser.add_argument(f"--{name}_port", type=_port(variable), default=os.environ.get(variable, default))
    parser.add_argument("--workers", type=_positive, help="the number of processes, each with its own model")
    return parser


def _folder(text: str) -> Path:
    """The path of a folder. A claim may have a file in its place: its storageUri then ends the server with a sentence."""
    path = Path(text)
    if path.is_file():
        sys.exit(f"{path} is a file: the storageUri names a file of the claim, and must name the folder that holds it")
    return path


def _port(variable: str) -> Callable[[str], int]:
    """The type of a port. Both variables are set where the node has moved the container's ports: they say where to."""
    moved = {"PORT", "GRPC_PORT"} <= os.environ.keys()
    return lambda text: int(os.environ[variable] if moved else text)


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


def set_up_logging() -> None:
    """Log to stderr, the pod's log; without a line for each request, which cost a tenth of a request's time."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("kserve.trace").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "ORJSONResponse is deprecated")  # kserve's own use of it, which readers cannot fix


def serve(
    models: Sequence[Model],
    *,
    http_port: int,
    grpc_port: int,
    max_body: int = MAX_BODY,
    workers: int = 1,
) -> None:
    """Serve ``models`` on loopback until SIGTERM; requests in flight are finished.

    If this process is one of several ``workers``, the kernel distributes connections among them (SO_REUSEPORT).
    """
    repository = ModelRepository()
    for model in models:
        repository.update(model)
    plane, extension = DataPlane(repository), FixedModels(repository)
    app.add_exception_handler(AnswerError, _answer_error)
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        app.add_route("/metrics", _metrics_of_all_workers)  # before kserve's route, which covers one worker
    RESTServer(app, plane, extension, http_port).create_application()
    app.add_exception_handler(InvalidInput, _answer_invalid_input)
    app.add_exception_handler(RequestValidationError, _answer_invalid_tensors)
    http = HttpServer(JsonByDefault(V1Predict(app, plane)), policy(max_body), grace=None, lifespan="off")
    try:
        listening = bind(http_port, shared=workers > 1)
    except OSError as error:
        sys.exit(f"cannot listen on {HOST}:{http_port}: {error.strerror}")
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()  # the model stays: no later collection has to look through it, which takes hundreds of milliseconds
    uvloop.run(_serve(http, listening, _grpc_server(plane, extension, grpc_port, max_body, shared=workers > 1)))


def _grpc_server(
    plane: DataPlane, extension: ModelRepositoryExtension, port: int, max_body: int, *, shared: bool
) -> Callable[[], grpc.aio.Server]:
    """Makes the gRPC server, inside the event loop."""
    options = [
        ("grpc.max_receive_message_length", max_body),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", int(shared)),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
    ]

    def make() -> grpc.aio.Server:
        server = grpc.aio.server(interceptors=(ErrorStatuses(),), options=options)
        add_GRPCInferenceServiceServicer_to_server(InferenceServicer(plane, extension), server)
        server.add_insecure_port(f"{HOST}:{port}")
        return server

    return make


async def _serve(http: HttpServer, listening: socket.socket, make_grpc_server: Callable[[], grpc.aio.Server]) -> None:
    server = make_grpc_server()
    await server.start()
    stopping: list[asyncio.Task[None]] = []

    def stop() -> None:
        http.should_exit = True
        stopping.append(asyncio.ensure_future(server.stop(GRACE_SECONDS)))

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    log.info("serving http://%s:%d", *listening.getsockname())
    await http.serve([listening])
    await asyncio.gather(*stopping)
