"""The pytorch runtime as a process: the data that TorchServe's handlers get, and the answers that clients get."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceGRPCClient
from tests.conftest import wait_for
from tests.minipdk.services.kserve.conftest import Archiver, broken_handler
from tests.minipdk.services.kserve.predictors.conftest import ModelServer, StartModelServer

CONFIG = "max_request_size=100000\n"
IMAGE = "pytorch/torchserve-kfs:0.12.0"
TENSOR = {"name": "x", "shape": [2], "datatype": "INT64", "data": [1, 2]}
StartServer = Callable[..., ModelServer]


@pytest.fixture(scope="module")
def start_server(start_model_server: StartModelServer, tmp_path_factory: pytest.TempPathFactory) -> StartServer:
    """``start_server(archive, *options, config=, **environment)`` serves a model archive."""

    def start(archive: Path, *options: str, config: str = "", **environment: str) -> ModelServer:
        folder = tmp_path_factory.mktemp("models")
        (folder / "model-store").mkdir()
        (folder / "config").mkdir()
        (folder / "model-store" / archive.name).write_bytes(archive.read_bytes())
        (folder / "config" / "config.properties").write_text(CONFIG + config)
        return start_model_server(IMAGE, folder, "--model-store=/mnt/models/model-store", *options, **environment)

    return start


@pytest.fixture(scope="module")
def server(start_server: StartServer, make_archive: Archiver) -> ModelServer:
    server = start_server(make_archive())
    server.wait_until_ready()
    return server


def rows(*values: object) -> dict[str, Any]:
    return {"instances": [{"data": {"x": value}} for value in values]}


def test_each_instance_is_a_row_of_the_handlers_data(server: ModelServer) -> None:
    answer = server.predict(rows(1, 2, 3))
    assert (answer.status_code, answer.json()) == (200, {"predictions": [2.0, 4.0, 6.0]})


@pytest.mark.parametrize("model", ["linear", "service"])
def test_the_model_has_the_archives_name_and_the_services(server: ModelServer, model: str) -> None:
    assert server.predict(rows(1), model=model).json() == {"predictions": [2.0]}
    assert requests.get(f"{server.url}/v1/models/{model}", timeout=5).json() == {"name": model, "ready": True}


def test_another_model_is_404(server: ModelServer) -> None:
    answer = server.predict(rows(1), model="none")
    assert (answer.status_code, answer.json()) == (404, {"error": "Model with name none does not exist."})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"hello", "Unrecognized request format: unexpected character"),
        (b"", "Unrecognized request format"),
        (b'{"instances": [{"data": {"x": NaN}}]}', "Unrecognized request format"),
        (b'{"instances": [{"data": {"x": Infinity}}]}', "Unrecognized request format"),
        (b'{"instances": ' + b"[" * 5000 + b"]" * 5000 + b"}", "depth limit exceeded"),
        (b"\xff\xfe", "Unrecognized request format"),
        (b'{"instances": {}}', 'Expected a body of the form {"instances": [...]}'),
        (b'{"instances": []}', 'Expected a body of the form {"instances": [...]}'),
        (b"[1]", 'Expected a body of the form {"instances": [...]}'),
        (b"{}", 'Expected a body of the form {"instances": [...]}'),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_a_request_is_400(server: ModelServer, body: bytes, message: str, content_type: str) -> None:
    answer = requests.post(
        f"{server.url}/v1/models/linear:predict", data=body, headers={"Content-Type": content_type}, timeout=5
    )
    assert answer.status_code == 400
    assert message in answer.json()["error"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_torchserves_limit_is_413(server: ModelServer, chunked: bool) -> None:
    body = b" " * 200_000
    data = (piece for piece in [body]) if chunked else body
    answer = requests.post(f"{server.url}/v1/models/linear:predict", data=data, timeout=5)
    assert (answer.status_code, answer.json()) == (
        413,
        {"error": "the request body is larger than the limit of 100000 bytes"},
    )


def test_a_prediction_exception_is_answered_with_its_code_and_message(server: ModelServer) -> None:
    answer = server.predict({"instances": [{"data": {}}]})
    assert (answer.status_code, answer.json()) == (400, {"error": "the column x is missing"})


def test_another_exception_is_500_and_its_traceback_is_in_the_log(server: ModelServer) -> None:
    answer = server.predict(rows("crash"))
    assert (answer.status_code, answer.json()) == (500, {"error": "ValueError: cannot scale a crash"})
    assert 'raise ValueError("cannot scale a crash")' in server.log.read_text()
    assert server.predict(rows(1)).ok


def test_each_of_several_simultaneous_requests_gets_its_own_answer(server: ModelServer) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda x: server.predict(rows(x)).json()["predictions"], range(100)))
    assert answers == [[x * 2.0] for x in range(100)]


def test_explain_is_not_supported(server: ModelServer) -> None:
    answer = requests.post(f"{server.url}/v1/models/linear:explain", json=rows(1), timeout=5)
    assert (answer.status_code, answer.json()) == (501, {"error": ":explain is not supported by minipdk"})


@pytest.mark.parametrize("verb", ["load", "unload"])
def test_models_are_not_loaded_and_unloaded_by_request(server: ModelServer, verb: str) -> None:
    answer = requests.post(f"{server.url}/v2/repository/models/linear/{verb}", timeout=30)
    error = f"{verb}ing linear by request is not supported by minipdk"
    assert (answer.status_code, answer.json()) == (501, {"error": error})
    assert server.predict(rows(1)).ok


@pytest.fixture(scope="module")
def tensor_server(start_server: StartServer, make_archive: Archiver) -> ModelServer:
    """A server of protocol v2, started as KServe's own runtime starts TorchServe."""
    handler = """
from ts.torch_handler.base_handler import BaseHandler


class Handler(BaseHandler):
    def handle(self, data, context):
        context.set_response_header(0, "x-rows", str(len(data)))
        return [[value * 2 for value in row["data"]] for row in data]
"""
    vendors = ["torchserve", "--start", "--ts-config=/mnt/models/config/config.properties", "--disable-token-auth"]
    vendors += ["--enable-model-api", "--ncs", "--foreground", "--log-config=log4j2.xml", "--models", "linear=linear.mar"]
    server = start_server(make_archive(handler=handler), *vendors, TS_SERVICE_ENVELOPE="kservev2")
    server.wait_until_ready()
    return server


def test_protocol_v2_gives_the_handler_the_data_of_torchserves_envelope(tensor_server: ModelServer) -> None:
    answer = tensor_server.post("/v2/models/linear/infer", {"inputs": [TENSOR]})
    assert answer.status_code == 200, answer.text
    [output] = answer.json()["outputs"]
    assert (output["name"], output["datatype"], output["data"]) == ("x", "INT64", [2, 4])


def test_a_handlers_response_headers_are_sent(tensor_server: ModelServer) -> None:
    assert tensor_server.post("/v2/models/linear/infer", {"inputs": [TENSOR]}).headers["x-rows"] == "1"


def test_grpc_gives_the_handler_the_same(tensor_server: ModelServer) -> None:
    async def ask() -> None:
        client = InferenceGRPCClient(tensor_server.grpc_address)
        for binary in (False, True):
            tensor = InferInput("x", [2], "INT64")
            tensor.set_data_from_numpy(np.array([1, 2]), binary_data=binary)
            answer = await client.infer(InferRequest("linear", [tensor]))
            assert answer.outputs[0].as_numpy().tolist() == [2, 4]
        await client.close()

    asyncio.run(ask())


def test_a_picture_reaches_the_handler_as_bytes(tensor_server: ModelServer) -> None:
    async def ask() -> None:
        client = InferenceGRPCClient(tensor_server.grpc_address)
        picture = InferInput("x", [1], "BYTES")
        picture.set_data_from_numpy(np.array([b"\xff\xd8\xff"], dtype=object), binary_data=True)
        answer = await client.infer(InferRequest("linear", [picture]))
        assert answer.outputs[0].as_numpy().tolist() == [2 * 0xFF, 2 * 0xD8, 2 * 0xFF]
        await client.close()

    asyncio.run(ask())


def test_a_tensor_that_is_none_is_400_with_its_name(tensor_server: ModelServer) -> None:
    answer = tensor_server.post("/v2/models/linear/infer", {"inputs": [TENSOR | {"shape": [3]}]})
    message = "input 'x': cannot reshape array of size 2 into shape (3,)"
    assert (answer.status_code, answer.json()) == (400, {"error": message})


def test_a_model_reports_its_protocol(server: ModelServer, tensor_server: ModelServer) -> None:
    answer = server.post("/v2/models/linear/infer", {"inputs": [TENSOR]})
    assert (answer.status_code, "served with protocol v1: POST" in answer.json()["error"]) == (400, True)
    answer = tensor_server.predict(rows(1))
    assert (answer.status_code, "served with protocol v2: POST" in answer.json()["error"]) == (400, True)


def test_an_option_that_is_none_of_torchserves_ends_the_server(start_server: StartServer, make_archive: Archiver) -> None:
    server = start_server(make_archive(), "--enable-everything")
    assert server.container.wait(120) == 2
    assert server.log.read_text().splitlines()[-1].endswith("unrecognized arguments: --enable-everything")


@pytest.mark.parametrize(
    ("handler", "last_line"),
    [
        (broken_handler("no weights for you"), "RuntimeError: no weights for you"),
        ("import a_module_that_is_not_there\n", "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"),
    ],
)
def test_a_handler_that_fails_to_load_ends_the_server_with_its_error_last(
    start_server: StartServer, make_archive: Archiver, handler: str, last_line: str
) -> None:
    server = start_server(make_archive(handler=handler))
    assert server.container.wait(120) == 1
    assert server.log.read_text().splitlines()[-1] == last_line


def test_sigterm_ends_the_server_after_the_request_in_flight(server: ModelServer) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.predict, rows("slow"))
        wait_for(lambda: "a slow row" in server.log.read_text(), what="the request to arrive")
        assert server.stop() == 0
    assert answer.result().json() == {"predictions": [0.0]}


PID_HANDLER = """
import os
import signal

from ts.torch_handler.base_handler import BaseHandler


class Handler(BaseHandler):
    def handle(self, data, context):
        if data[0] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return [os.getpid()]
"""


def test_workers_share_the_port_and_tell_of_all_their_requests_and_end_together(
    start_server: StartServer, make_archive: Archiver
) -> None:
    server = start_server(make_archive(handler=PID_HANDLER), config="default_workers_per_model=2\n")
    server.wait_until_ready()
    seen: list[int] = []

    def ask(instance: str = "who") -> requests.Response:
        """On a separate connection."""
        url = f"{server.url}/v1/models/linear:predict"
        return requests.post(url, json={"instances": [instance]}, timeout=30)

    def both_have_answered() -> bool:
        seen.append(ask().json()["predictions"][0])
        return len(set(seen)) == 2

    wait_for(both_have_answered, what="an answer of each of two workers")
    metrics = requests.get(f"{server.url}/metrics", timeout=30).text
    assert f'request_predict_seconds_count{{model_name="linear"}} {float(len(seen))}' in metrics
    with pytest.raises(requests.ConnectionError):
        ask("die")
    assert server.container.wait(60) == 128 + signal.SIGKILL
