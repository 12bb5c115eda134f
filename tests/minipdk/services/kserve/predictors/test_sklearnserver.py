"""The sklearn runtime in its image: rows in, predictions out, over REST and gRPC, and one clear answer for each fault."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import joblib
import numpy as np
import pandas as pd
import pytest
import requests
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier
from tests.conftest import wait_for
from tests.minipdk.services.kserve.predictors.conftest import ModelServer, StartModelServer

IMAGE = "kserve/sklearnserver:v0.21.0"
IRIS = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]


def saved(folder: Path, model: Any, name: str = "model.joblib") -> Path:
    folder.mkdir(exist_ok=True)
    joblib.dump(model, folder / name)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def iris(start_model_server: StartModelServer, folder: Path) -> ModelServer:
    flowers = load_iris()
    model = RandomForestClassifier(n_estimators=5, random_state=1).fit(flowers.data, flowers.target)
    server = start_model_server(IMAGE, saved(folder / "iris", model))
    server.wait_until_ready()
    return server


@pytest.fixture(scope="module")
def mixed(start_model_server: StartModelServer, folder: Path) -> ModelServer:
    """A model of named columns, numbers and strings."""
    table = pd.DataFrame({"colour": ["red", "blue", "red", "blue"], "size": [1.0, 2.0, 3.0, 4.0]})
    encode = make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough")
    model = make_pipeline(encode, DecisionTreeClassifier()).fit(table, ["a", "b", "c", "d"])
    server = start_model_server(IMAGE, saved(folder / "mixed", model, "model.pkl"))
    server.wait_until_ready()
    return server


def tensor(rows: Any, datatype: str = "FP64", name: str = "input-0") -> dict[str, Any]:
    array = np.array(rows, dtype=object if datatype == "BYTES" else None)
    return {"name": name, "shape": list(array.shape), "datatype": datatype, "data": array.ravel().tolist()}


def test_v1_instances_are_rows(iris: ModelServer) -> None:
    answer = iris.predict({"instances": IRIS})
    assert (answer.status_code, answer.json()) == (200, {"predictions": [1, 1]})
    assert answer.headers["content-type"] == "application/json"


def test_v1_instances_may_be_called_inputs(iris: ModelServer) -> None:
    assert iris.predict({"inputs": IRIS}).json() == {"predictions": [1, 1]}


def test_v2_takes_one_tensor_of_rows(iris: ModelServer) -> None:
    answer = iris.post("/v2/models/service/infer", {"id": "7", "inputs": [tensor(IRIS, "FP32")]})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["id"], answer.json()["model_name"]) == ("7", "service")
    assert answer.json()["outputs"] == [
        {"name": "output-0", "shape": [2], "datatype": "INT64", "parameters": None, "data": [1, 1]}
    ]


def test_kserves_own_clients_get_answers_over_rest_and_grpc(iris: ModelServer) -> None:
    async def ask() -> None:
        array = np.array(IRIS, dtype=np.float32)
        rest = InferenceRESTClient(RESTConfig(protocol="v2"))
        rpc = InferenceGRPCClient(iris.grpc_address)
        for binary in (False, True):
            tensor = InferInput("input-0", [2, 4], "FP32")
            tensor.set_data_from_numpy(array, binary_data=binary)
            request = InferRequest("service", [tensor], parameters={"binary_data_output": True} if binary else None)
            assert (await rest.infer(iris.url, request, model_name="service")).outputs[0].as_numpy().tolist() == [1, 1]
            tensor.set_data_from_numpy(array, binary_data=binary)
            assert (await rpc.infer(InferRequest("service", [tensor]))).outputs[0].as_numpy().tolist() == [1, 1]
        assert await rest.is_model_ready(iris.url, "service")
        assert await rpc.is_server_live()
        assert await rpc.is_server_ready()
        assert await rpc.is_model_ready("service")
        with pytest.raises(grpc.RpcError) as failure:
            await rpc.infer(InferRequest("another", [tensor]))
        assert failure.value.code() == grpc.StatusCode.NOT_FOUND
        tensor = InferInput("input-0", [1, 2], "FP32", data=[1.0, 2.0])
        with pytest.raises(grpc.RpcError) as failure:
            await rpc.infer(InferRequest("service", [tensor]))
        assert failure.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "X has 2 features, but RandomForestClassifier is expecting 4" in failure.value.details()
        await rpc.close()
        await rest.close()

    asyncio.run(ask())
    assert "Traceback" not in iris.log.read_text()


def test_columns_of_numbers_and_strings_are_named_in_v1_and_v2(mixed: ModelServer) -> None:
    rows = [{"colour": "red", "size": 1.0}, {"size": 4.0, "colour": "blue"}]
    by_column = {"colour": {"0": "red", "1": "blue"}, "size": {"0": 1.0, "1": 4.0}}
    lists = [{"colour": ["red"], "size": [1.0]}, {"colour": ["blue"], "size": [4.0]}]
    for instances in (rows, [by_column], [rows], lists):
        answer = mixed.predict({"instances": instances})
        assert (answer.status_code, answer.json()) == (200, {"predictions": ["a", "d"]}), answer.text
    tensors = [tensor([1.0, 4.0], name="size"), tensor(["red", "blue"], "BYTES", "colour")]
    for parameters in ({}, {"parameters": {"content_type": "pd"}}):
        answer = mixed.post("/v2/models/service/infer", {"inputs": tensors, **parameters})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["outputs"][0]["datatype"], answer.json()["outputs"][0]["data"]) == ("BYTES", ["a", "d"])


def test_columns_travel_as_raw_bytes_over_grpc(mixed: ModelServer) -> None:
    async def ask() -> None:
        rpc = InferenceGRPCClient(mixed.grpc_address)
        colour, size = InferInput("colour", [2], "BYTES"), InferInput("size", [2], "FP64")
        colour.set_data_from_numpy(np.array(["red", "blue"], dtype=object))
        size.set_data_from_numpy(np.array([3.0, 2.0]))
        answer = await rpc.infer(InferRequest("service", [colour, size], parameters={"content_type": "pd"}))
        assert answer.outputs[0].as_numpy().tolist() == [b"c", b"b"]
        await rpc.close()

    asyncio.run(ask())


def test_a_model_of_texts_takes_strings(start_model_server: StartModelServer, folder: Path) -> None:
    texts = ["the ball is round", "the vote is close", "a round ball", "a close vote"]
    model = make_pipeline(CountVectorizer(), MultinomialNB()).fit(texts, ["sport", "politics"] * 2)
    server = start_model_server(IMAGE, saved(folder / "texts", model, "model.pickle"), PREDICT_PROBA="true")
    server.wait_until_ready()
    [first, second] = server.predict({"instances": ["ball", "vote"]}).json()["predictions"]
    assert first[0] < 0.5 < first[1]
    assert second[0] > 0.5 > second[1]
    answer = server.post("/v2/models/service/infer", {"inputs": [tensor(["ball", "vote"], "BYTES")]})
    assert answer.json()["outputs"][0]["shape"] == [2, 2]
    assert server.predict({"instances": ["ball", 5]}).status_code == 400
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ([[1, 2]], "X has 2 features, but RandomForestClassifier is expecting 4 features as input."),
        ([1, 2, 3, 4], "Expected 2D array, got 1D array instead"),
        ([[1, 2, 3, 4], [1, 2]], "inhomogeneous shape"),
        ([["a", "b", "c", "d"]], "could not convert string to float"),
        ([{"a": 1}], "X has 1 features"),
        ([{"a": 1}, 5], ""),
        ([[{}]], ""),
        ([[[[]]]], ""),
        ([[None, 1, 1, "x"]], ""),
    ],
)
def test_rows_that_the_model_cannot_take_are_400(iris: ModelServer, instances: list[Any], message: str) -> None:
    answer = iris.predict({"instances": instances})
    assert (answer.status_code, message in answer.json()["error"]) == (400, True), answer.text


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "the tensors (none) are columns only with"),
        ([tensor([1.0], name="a"), tensor([2.0], name="b")], "the tensors a, b are columns only with"),
        ([tensor(IRIS) | {"shape": [3, 3]}], "input 'input-0': cannot reshape array of size 8 into shape (3,3)"),
        ([tensor(IRIS) | {"datatype": "FP31"}], "there is no datatype 'FP31'"),
        ([tensor(IRIS) | {"data": ["x"] * 8}], "input 'input-0': could not convert string to float"),
    ],
)
def test_tensors_that_the_model_cannot_take_are_400(iris: ModelServer, inputs: list[dict[str, Any]], message: str) -> None:
    answer = iris.post("/v2/models/service/infer", {"inputs": inputs})
    assert (answer.status_code, message in answer.json()["error"]) == (400, True), answer.text


@pytest.mark.parametrize(
    ("host", "status"),
    [("iris.models.example.com", 200), ("iris-predictor.models.svc.cluster.local", 200), ("evil.example", 403), ("[", 400)],
)
def test_only_names_of_this_machine_and_of_services_are_served(iris: ModelServer, host: str, status: int) -> None:
    assert iris.http.get(f"{iris.url}/v2/health/ready", headers={"Host": host}, timeout=30).status_code == status


@pytest.mark.parametrize("length", ["x", "-1", "1e3", ""])
def test_a_length_of_binary_tensors_that_is_no_number_is_400(iris: ModelServer, length: str) -> None:
    headers = {"Inference-Header-Content-Length": length, "Content-Type": "application/octet-stream"}
    answer = iris.http.post(f"{iris.url}/v2/models/iris/infer", b"{}", headers=headers, timeout=30)
    assert (answer.status_code, "must be a number of bytes" in answer.json()["error"]) == (400, True)
    assert iris.http.get(f"{iris.url}/v2/health/ready", timeout=30).ok


def test_a_model_that_another_version_has_pickled_fails_by_itself_and_is_logged(
    start_model_server: StartModelServer, folder: Path
) -> None:
    model = DecisionTreeClassifier().fit([[0.0], [1.0]], ["a", "b"])
    del model.tree_  # as if this version had kept it under another name
    server = start_model_server(IMAGE, saved(folder / "foreign", model))
    server.wait_until_ready()
    answer = server.predict({"instances": [[1]]})
    assert (answer.status_code, "has no attribute 'tree_'" in answer.json()["error"]) == (500, True), answer.text
    assert "the model failed" in server.log.read_text()


def test_workers_share_the_requests_and_their_metrics_add_up(start_model_server: StartModelServer, folder: Path) -> None:
    model = DecisionTreeClassifier().fit([[0.0], [1.0]], ["a", "b"])
    server = start_model_server(IMAGE, saved(folder / "shared", model), "--workers=2")
    server.wait_until_ready()
    wait_for(lambda: "2 workers" in server.log.read_text(), what="both workers")
    for _ in range(20):  # each on a separate connection, which the kernel gives to one of the two
        answer = requests.post(f"{server.url}/v1/models/service:predict", json={"instances": [[1]]}, timeout=30)
        assert (answer.status_code, answer.json()) == (200, {"predictions": ["b"]})
    metrics = requests.get(f"{server.url}/metrics", timeout=10).text
    assert 'request_predict_seconds_count{model_name="service"} 20.0' in metrics


@pytest.mark.parametrize("option", ["--workers=0", "--workers=two", "--max_asyncio_workers=2"])
def test_an_option_that_is_not_supported_ends_the_server_and_is_named(
    start_model_server: StartModelServer, tmp_path: Path, option: str
) -> None:
    server = start_model_server(IMAGE, tmp_path, option)
    assert server.container.wait(120) == 2
    assert option.partition("=")[0] in server.log.read_text().splitlines()[-1]


def test_metrics_count_the_requests_by_model(iris: ModelServer) -> None:
    assert iris.predict({"instances": IRIS}).ok
    metrics = iris.http.get(f"{iris.url}/metrics", timeout=10).text
    assert 'request_predict_seconds_count{model_name="service"}' in metrics


@pytest.mark.parametrize(
    ("names", "last_line"),
    [
        ((), "no model in /mnt/models: it holds no files, and none ends with .joblib, .pkl, .pickle"),
        (("model.onnx",), "no model in /mnt/models: it holds model.onnx, and none ends with .joblib, .pkl, .pickle"),
        (("a.pkl", "b.joblib"), "only one is allowed within /mnt/models: a.pkl, b.joblib"),
        (("a.pkl",), "a.pkl cannot be read as a pickle of scikit-learn"),
    ],
)
def test_a_folder_without_one_model_ends_the_server_with_the_reason_last(
    start_model_server: StartModelServer, tmp_path: Path, names: tuple[str, ...], last_line: str
) -> None:
    for name in names:
        (tmp_path / name).touch()
    server = start_model_server(IMAGE, tmp_path)
    assert server.container.wait(120) == 1
    assert last_line in server.log.read_text().splitlines()[-1]
