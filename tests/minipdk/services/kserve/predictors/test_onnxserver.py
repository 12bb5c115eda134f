"""The onnx runtime in its image: its metadata, tensors in and out, and its refusals by name."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceGRPCClient
from tests.minipdk.services.kserve.predictors.conftest import ModelServer, StartModelServer

IMAGE = "kserve/onnxserver:v0.21.0"


@pytest.fixture(scope="module")
def models(double_onnx: Path, scale_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of a model with one input and one output, and of one with two of each as Triton lays it out."""
    scale = tmp_path_factory.mktemp("scale")
    (scale / "1").mkdir()
    (scale / "1" / "model.onnx").write_bytes(scale_onnx.read_bytes())
    return double_onnx.parent, scale


@pytest.fixture(scope="module")
def double(models: tuple[Path, Path], start_model_server: StartModelServer) -> ModelServer:
    server = start_model_server(IMAGE, models[0])
    server.wait_until_ready()
    return server


@pytest.fixture(scope="module")
def scale(models: tuple[Path, Path], start_model_server: StartModelServer) -> ModelServer:
    server = start_model_server(IMAGE, models[1])
    server.wait_until_ready()
    return server


def tensor(name: str, datatype: str, rows: list[Any]) -> dict[str, Any]:
    array = np.array(rows)
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": array.ravel().tolist()}


X, K = tensor("x", "FP32", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), tensor("k", "INT64", [1, 10])


def test_the_metadata_names_inputs_and_outputs_with_datatypes_and_shapes(scale: ModelServer) -> None:
    answer = scale.http.get(f"{scale.url}/v2/models/service", timeout=10)
    assert answer.json() == {
        "name": "service",
        "versions": None,
        "platform": "",
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [-1, 3]},
            {"name": "k", "datatype": "INT64", "shape": [-1]},
        ],
        "outputs": [
            {"name": "scaled", "datatype": "FP32", "shape": [-1, 3]},
            {"name": "total", "datatype": "FP32", "shape": [-1]},
        ],
    }


def test_v1_instances_are_rows_of_the_one_input(double: ModelServer) -> None:
    answer = double.predict({"instances": [[1, 2, 3], [0.5, 0, -1]]})
    assert (answer.status_code, answer.json()) == (200, {"predictions": [[2, 4, 6], [1, 0, -2]]})


def test_v1_instances_of_several_inputs_are_objects_and_so_are_their_predictions(scale: ModelServer) -> None:
    answer = scale.predict({"instances": [{"x": [1, 2, 3], "k": 1}, {"k": 10, "x": [4, 5, 6]}]})
    assert answer.json() == {
        "predictions": [{"scaled": [1, 2, 3], "total": 6}, {"scaled": [40, 50, 60], "total": 15}],
    }


def test_v2_answers_the_outputs_that_are_asked_for(scale: ModelServer) -> None:
    answer = scale.post("/v2/models/service/infer", {"inputs": [K, X], "outputs": [{"name": "total"}]})
    assert answer.status_code == 200, answer.text
    [output] = answer.json()["outputs"]
    assert (output["name"], output["datatype"], output["shape"], output["data"]) == ("total", "FP32", [2], [6, 15])


def test_grpc_carries_tensors_as_numbers_and_as_raw_bytes(scale: ModelServer) -> None:
    async def ask() -> None:
        client = InferenceGRPCClient(scale.grpc_address)
        x, k = np.array([[1, 2, 3]], np.float32), np.array([3], np.int64)
        for binary in (False, True):
            inputs = [InferInput("x", [1, 3], "FP32"), InferInput("k", [1], "INT64")]
            for tensor, array in zip(inputs, (x, k), strict=True):
                tensor.set_data_from_numpy(array, binary_data=binary)
            answer = await client.infer(InferRequest("service", inputs))
            assert {tensor.name: tensor.as_numpy().tolist() for tensor in answer.outputs} == {
                "scaled": [[3, 6, 9]],
                "total": [6],
            }
        with pytest.raises(grpc.RpcError) as failure:
            await client.infer(InferRequest("service", [InferInput("x", [1, 3], "FP32", data=[1.0, 2.0, 3.0])]))
        assert (failure.value.code(), failure.value.details()) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "missing input 'k': the model has x, k",
        )
        await client.close()

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([X], "missing input 'k': the model has x, k"),
        ([X, K, K | {"name": "z"}], "unknown input 'z': the model has x, k"),
        ([tensor("x", "FP32", [[1.0, 2.0]]), K], "input 'x' must have the shape [-1, 3], not [1, 2]"),
        ([X, tensor("k", "INT64", [[1], [2]])], "input 'k' must have the shape [-1], not [2, 1]"),
        ([X, tensor("k", "FP64", [1.5, 2.0])], "input 'k' must be INT64: 1.5 (float64) cannot be"),
        ([X | {"datatype": "FP64", "data": [1e300] * 6}, K], "input 'x' must be FP32: 1e+300 (float64) cannot be"),
        ([X, tensor("k", "BYTES", ["a", "b"])], "input 'k' must be INT64: 'a' (object) cannot be"),
        ([X, tensor("k", "BOOL", [True, False])], "input 'k' must be INT64: True (bool) cannot be"),
        ([X | {"shape": [3, 3]}, K], "input 'x': cannot reshape array of size 6 into shape (3,3)"),
        ([X | {"data": ["a"] * 6}, K], "input 'x': could not convert string to float: 'a'"),
        ([X | {"datatype": "FP31"}, K], "there is no datatype 'FP31'"),
        ([X, tensor("k", "INT64", [1, 2, 3])], "input 'k' has 3 rows, but 'x' has 2"),
    ],
)
def test_a_v2_request_that_does_not_fit_is_400_with_the_inputs_name(
    scale: ModelServer, inputs: list[dict[str, Any]], message: str
) -> None:
    answer = scale.post("/v2/models/service/infer", {"inputs": inputs})
    assert (answer.status_code, message in answer.json()["error"]) == (400, True), answer.text


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ([[1, 2, 3], [1, 2]], "input 'x': rows of different lengths are no tensor"),
        ([[1, 2]], "input 'x' must have the shape [-1, 3], not [1, 2]"),
        ([1, 2], "input 'x' must have the shape [-1, 3], not [2]"),
        ([["a", "b", "c"]], "input 'x' must be FP32: 'a' (<U1) cannot be"),
        ([[1, None, 3]], "input 'x' must be FP32: 1 (object) cannot be"),
        ([{"x": [1, 2, 3]}, {"y": [1, 2, 3]}], "every instance must name the same inputs: {'y': [1, 2, 3]}"),
        ([{"x": [1, 2, 3], "y": 1}], "unknown input 'y': the model has x"),
        ([{}], "missing input 'x': the model has x"),
    ],
)
def test_v1_instances_that_do_not_fit_are_400(double: ModelServer, instances: list[Any], message: str) -> None:
    answer = double.predict({"instances": instances})
    assert (answer.status_code, message in answer.json()["error"]) == (400, True), answer.text


def test_an_unknown_output_is_400(scale: ModelServer) -> None:
    answer = scale.post("/v2/models/service/infer", {"inputs": [X, K], "outputs": [{"name": "z"}]})
    assert (answer.status_code, answer.json()) == (400, {"error": "unknown output 'z': the model has scaled, total"})


@pytest.mark.parametrize(
    ("files", "last_line"),
    [
        ({}, "no .onnx model in /mnt/models: it holds no files"),
        ({"notes.txt": b""}, "no .onnx model in /mnt/models: it holds notes.txt"),
        (
            {"a.onnx": b"", "b.onnx": b""},
            "more than one model file is detected, only one is allowed within /mnt/models: a.onnx",
        ),
        ({"a.onnx": b"hello"}, "INVALID_PROTOBUF : Load model from /mnt/models/a.onnx failed"),
    ],
)
def test_a_folder_that_holds_no_model_ends_the_server_with_the_reason_last(
    start_model_server: StartModelServer, tmp_path: Path, files: dict[str, bytes], last_line: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    server = start_model_server(IMAGE, tmp_path)
    assert server.container.wait(120) == 1
    assert last_line in server.log.read_text().splitlines()[-1]
