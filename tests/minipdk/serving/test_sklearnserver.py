"""The sklearn runtime in its image: rows in, predictions out, over REST and gRPC, and one clear answer for what is wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import joblib
import numpy as np
import pandas as pd
import pytest
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier
from tests.minipdk.serving.conftest import ModelServer, StartModelServer

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
            one = InferInput("input-0", [2, 4], "FP32")
            one.set_data_from_numpy(array, binary_data=binary)
            request = InferRequest("service", [one], parameters={"binary_data_output": True} if binary else None)
            assert (await rest.infer(iris.url, request, model_name="service")).outputs[0].as_numpy().tolist() == [1, 1]
            one.set_data_from_numpy(array, binary_data=binary)
            assert (await rpc.infer(InferRequest("service", [one]))).outputs[0].as_numpy().tolist() == [1, 1]
        assert await rest.is_model_ready(iris.url, "service")
        assert await rpc.is_server_live()
        assert await rpc.is_server_ready()
        assert await rpc.is_model_ready("service")
        with pytest.raises(grpc.RpcError) as failure:
            await rpc.infer(InferRequest("another", [one]))
        assert failure.value.code() == grpc.StatusCode.NOT_FOUND
        one = InferInput("input-0", [1, 2], "FP32", data=[1.0, 2.0])
        with pytest.raises(grpc.RpcError) as failure:
            await rpc.infer(InferRequest("service", [one]))
        assert failure.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "X has 2 features, but RandomForestClassifier is expecting 4" in failure.value.details()
        await rpc.close()
        await rest.close()

    asyncio.run(ask())
