"""KServe's ModelServer around a worker: protocol v1 and v2, limits, and one clear answer for each way to fail.

400  the body is not JSON, or lacks what the protocol wants
404  no such model
413  the body is larger than the limit
500  the handler raised; the answer has the exception's class and message, the pod's log the traceback
xxx  the handler raised PredictionException(message, xxx) or set the status xxx
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from typing import Any, Protocol

import orjson
import uvloop
from kserve import InferRequest, InferResponse, ModelServer
from kserve import Model as KServeModel
from kserve.errors import InvalidInput
from kserve.model_server import app
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ts.utils.util import PredictionException

HOST = "127.0.0.1"
KEEP_ALIVE_SECONDS = 75  # longer than the ingress keeps an idle connection, so that it is never the one surprised
log = logging.getLogger("predictor")


class Worker(Protocol):
    """What answers: the status code and the answer for a request's body."""

    async def handle(self, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any]: ...


class HandlerError(Exception):
    """The handler's own answer with a status other than 200."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(status)
        self.status, self.answer = status, answer


class JSONResponse(Response):
    """An answer serialised by orjson, which knows numpy's numbers."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


class WorkerModel(KServeModel):  # type: ignore[misc]  # kserve has no type annotations
    """One name under which a worker is served."""

    def __init__(self, name: str, worker: Worker) -> None:
        super().__init__(name)
        self._worker = worker
        self.ready = True

    async def preprocess(self, payload: Any, headers: dict[str, str] | None = None) -> Any:  # noqa: ARG002  # kserve's
        """A body that is not declared as JSON (curl's default) reaches a model as bytes: it must be JSON all the same."""
        if isinstance(payload, bytes):
            try:
                payload = orjson.loads(payload)
            except orjson.JSONDecodeError as error:
                raise InvalidInput(f"Unrecognized request format: {error}") from None
        if isinstance(payload, InferRequest):
            return payload
        if not isinstance(payload, dict) or not isinstance(payload.get("instances"), list) or not payload["instances"]:
            raise InvalidInput('Expected a body of the form {"instances": [...]} with at least one instance')
        return payload

    async def explain(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        raise NotImplementedError(":explain is not supported by minipdk")

    async def predict(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        body = payload.to_rest()[0] if isinstance(payload, InferRequest) else payload
        try:
            status, answer = await self._worker.handle(body, headers or {})
        except PredictionException as error:
            raise HandlerError(error.error_code, {"error": error.message}) from error
        except Exception as error:
            log.exception("the handler failed")
            raise HandlerError(500, {"error": f"{type(error).__name__}: {error}"}) from error
        if status != 200:
            raise HandlerError(status, answer)
        return InferResponse.from_rest(answer) if isinstance(payload, InferRequest) else answer


class BodyLimit:
    """Answer 413 to a body larger than ``max_body`` bytes, declared or streamed."""

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self._app, self._max_body = app, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
        if declared > self._max_body:
            await self._refuse(scope, receive, send)
            return
        received, refused = 0, False

        async def limited_receive() -> Message:
            nonlocal received, refused
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body:
                refused = True
                return {"type": "http.disconnect"}
            return message

        try:
            await self._app(scope, limited_receive, send)
        except Exception:
            if not refused:
                raise
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"the request body is larger than the limit of {self._max_body} bytes"
        await JSONResponse({"error": message}, status_code=413)(scope, receive, send)


async def _answer_handler_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HandlerError)
    return JSONResponse(error.answer, status_code=error.status)


def serve(worker: Worker, *, names: list[str], port: int, max_body: int) -> None:
    """Serve ``worker`` under ``names`` on the loopback ``port`` until SIGTERM; requests in flight are finished."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.set_event_loop(asyncio.new_event_loop())  # ModelServer sets up the current loop, and uvloop makes none
    warnings.filterwarnings("ignore", "ORJSONResponse is deprecated")  # kserve's, not the reader's to mend
    app.add_exception_handler(HandlerError, _answer_handler_error)
    app.add_middleware(BodyLimit, max_body=max_body)
    server = ModelServer(http_port=port, enable_grpc=False, enable_latency_logging=False)
    # ModelServer offers no options for these: it would listen on every interface.
    config = server._rest_server._server.config
    config.host, config.timeout_keep_alive = HOST, KEEP_ALIVE_SECONDS
    # A line for each request costs a tenth of a request's time, and nothing rotates a container's log.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("kserve.trace").setLevel(logging.WARNING)
    server.start([WorkerModel(name, worker) for name in dict.fromkeys(names)])
