"""The `pytorch` runtime: TorchServe's model archives, served by KServe's own ModelServer.

    python -m predictors.torchserve --model_name churn --model_dir /mnt/models      # listens on $PORT and $GRPC_PORT

TorchServe's own command line, ``torchserve --start --model-store DIR --ts-config FILE``, is understood too. The handler is
loaded by torchserve's own loader and called through torchserve's own KServe envelope, so a handler gets the same data as
under TorchServe: for ``{"instances": [a, b]}`` its ``handle`` gets ``[a, b]``. Java is not needed. Each core has a worker, a
process with a separate handler, within the bounds of minWorkers and maxWorkers in config.properties.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import ts.torch_handler.base_handler  # noqa: F401  # with torch: imported once, for all workers
from kserve import InferRequest, InferResponse
from kserve.errors import InvalidInput
from ts.utils.util import PredictionException

from .calls import Calls
from .errors import AnswerError, ArchiveError
from .model_archive import Model, find_archive, named_models, read_config, unpack
from .model_server import ServedModel, arguments, serve, set_up_logging
from .tensors import array_of
from .workers import become_worker

ENVELOPES = {"v1": "kserve", "v2": "kservev2"}
SETTLED = (
    *(["--start"], ["--foreground"], ["--no-config-snapshots", "--ncs"]),
    *(["--disable-token-auth", "--dt"], ["--enable-model-api"]),
)
"""TorchServe's switches. There are no tokens, which only a client inside the container could read, and no management API."""
NO_PART = (["--log-config"], ["--cpp-log-config"], ["--workflow-store"])
"""TorchServe's files for its logs in Java and C++, and its workflows."""
USAGE = {"v1": 'POST {"instances": [...]} to /v1/models/<name>:predict', "v2": "POST tensors to /v2/models/<name>/infer"}
log = logging.getLogger("torchserve")


class Worker:
    """The loaded handler. Calls are made one at a time, as in a worker of TorchServe."""

    def __init__(self, model: Model, protocol: str) -> None:
        import ts
        from ts.metrics.metric_cache_yaml_impl import MetricsCacheYamlImpl
        from ts.model_loader import ModelLoaderFactory

        # Handlers open their extra files by relative name and import their helper modules.
        os.chdir(model.folder)
        sys.path.insert(0, str(model.folder))
        metrics = MetricsCacheYamlImpl(str(Path(ts.__file__).parent / "configs" / "metrics.yaml"))
        metrics.initialize_cache()
        try:
            self._service = ModelLoaderFactory.get_model_loader().load(
                model.name, str(model.folder), model.handler, None, 1, ENVELOPES[protocol], True, metrics
            )
        except ModuleNotFoundError as error:
            # When the archive's handler cannot be imported, the loader looks for a built-in one and complains about that.
            if isinstance(error.__context__, ImportError) and model.handler_file.exists():
                raise error.__context__ from None
            raise
        self.protocol = protocol
        self._calls = Calls("handler")

    async def handle(self, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        """The status code, the answer and the headers of the handler to a request's ``body``."""
        return await self._calls.make(self._handle, body, headers)

    def _handle(self, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        from ts.context import RequestProcessor

        context = self._service.context
        context.request_ids = {0: headers.get("x-request-id") or str(uuid.uuid4())}
        context.request_processor = [RequestProcessor(headers)]
        context.metrics.request_ids = context.request_ids
        answers = self._service._entry_point([{"body": body}], context)
        if not isinstance(answers, list) or len(answers) != 1:
            raise TypeError(f"the handler must return a list with one answer for each instance, not {answers!r:.100}")
        return context.get_response_status(0)[0], answers[0], context.get_response_headers(0)


def install_requirements(model: Model) -> None:
    """TorchServe's install_py_dep_per_model: install the archive's requirements into the container's private layer."""
    if model.requirements is None:
        return
    log.info("installing %s", model.requirements.name)
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-q", "-r", str(model.requirements)]
    finished = subprocess.run(command, check=False)
    if finished.returncode:
        raise ArchiveError(f"pip install -r {model.requirements.name} of the archive failed: see the pod's log")


class TorchServeModel(ServedModel):
    """One name under which the worker is served."""

    def __init__(self, name: str, worker: Worker) -> None:
        super().__init__(name, return_response_headers=True)
        self._worker = worker

    async def predict(
        self, payload: Any, headers: dict[str, str] | None = None, response_headers: dict[str, str] | None = None
    ) -> Any:
        v2 = isinstance(payload, InferRequest)
        if v2 != (self._worker.protocol == "v2"):
            raise InvalidInput(
                f"this model is served with protocol {self._worker.protocol}: {USAGE[self._worker.protocol]} "
                "(the InferenceService's protocolVersion chooses it)"
            )
        try:
            status, answer, own_headers = await self._worker.handle(_body(payload) if v2 else payload, headers or {})
        except InvalidInput:
            raise
        except PredictionException as error:
            raise AnswerError(error.error_code, {"error": error.message}) from error
        except Exception as error:
            log.exception("the handler failed")
            raise AnswerError(500, {"error": f"{type(error).__name__}: {error}"}) from error
        if status != 200:
            raise AnswerError(status, answer)
        if response_headers is not None:
            response_headers.update(own_headers)
        return InferResponse.from_rest(answer) if v2 else answer


def _body(request: InferRequest) -> dict[str, Any]:
    """The body for TorchServe's envelope, however the tensors arrived: JSON, except for bytes that are no string."""
    inputs = [
        {
            "name": tensor.name,
            "shape": tensor.shape,
            "datatype": tensor.datatype,
            "data": array_of(tensor, binary=True).ravel().tolist(),
        }
        for tensor in request.inputs
    ]
    return {"id": request.id or str(uuid.uuid4()), "inputs": inputs}


def add_torchserves_options(parser: argparse.ArgumentParser) -> None:
    """The options of the ``torchserve`` command.

    Those of SETTLED ask for what is so here anyway, or concern parts that TorchServe has and this server does not.
    """
    parser.add_argument("torchserve", nargs="?", choices=["torchserve"], help=argparse.SUPPRESS)
    parser.add_argument("--models", nargs="+", default=[], help="the model to serve, [name=]archive")
    for names in SETTLED:
        parser.add_argument(*names, action="store_true", dest="settled", help=argparse.SUPPRESS)
    for names in NO_PART:
        parser.add_argument(*names, dest="no_part", help=argparse.SUPPRESS)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--model-store", type=Path, help="the only folder to look for the archive in, as TorchServe's")
    envelope = os.environ.get("TS_SERVICE_ENVELOPE")
    protocol = next((protocol for protocol, name in ENVELOPES.items() if name == envelope), "v1")
    parser.add_argument("--protocol", choices=sorted(ENVELOPES), default=protocol)
    parser.add_argument("--ts-config", type=Path, help="TorchServe's config.properties")
    add_torchserves_options(parser)
    options = parser.parse_args()
    set_up_logging()
    logging.getLogger("ts").setLevel(logging.WARNING)  # one line for each request otherwise
    try:
        config = read_config(options.model_dir, options.ts_config)
        if models := named_models(options.models):
            config = dataclasses.replace(config, models=models)
        archive, name = find_archive(options.model_dir, config, options.model_store)
        model = unpack(archive, Path(tempfile.mkdtemp(prefix="model-")), name)
        if config.install_requirements:
            install_requirements(model)
    except ArchiveError as error:
        sys.exit(f"{error}")
    log.info("loading %s %s from %s with handler %s", model.name, model.version, archive.name, model.handler)
    workers = options.workers or config.workers(model.name, len(os.sched_getaffinity(0)))
    report_loaded = become_worker(workers)
    worker = Worker(model, options.protocol)
    report_loaded()
    names = dict.fromkeys([model.name, options.model_name])
    serve(
        [TorchServeModel(name, worker) for name in names],
        http_port=options.http_port,
        grpc_port=options.grpc_port,
        max_body=config.max_request_size,
        workers=workers,
    )


if __name__ == "__main__":
    main()
