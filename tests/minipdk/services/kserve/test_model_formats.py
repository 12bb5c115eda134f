"""Models of each format and storage, from their InferenceService's manifest to an answer through the ingress."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import requests
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceGRPCClient
from kubernetes import client as k8s
from kubernetes import config
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier
from tests.conftest import ServiceProcess, wait_for
from tests.minipdk.services.kserve.conftest import FakeWeb

from minipdk.common.home import Home
from minipdk.services.kubernetes.certificates import write_kubeconfig
from minipdk.services.kubernetes.service import kubeconfig

NAMESPACE = "formats"
IRIS = [[6.8, 2.8, 4.8, 1.4], [5.1, 3.5, 1.4, 0.2]]


@dataclass
class Cluster:
    home: Home

    def __post_init__(self) -> None:
        write_kubeconfig(self.home)
        config.load_kube_config(str(kubeconfig(self.home)))
        self.core, self.objects = k8s.CoreV1Api(), k8s.CustomObjectsApi()
        self.core.create_namespace(k8s.V1Namespace(metadata=k8s.V1ObjectMeta(name=NAMESPACE)))

    def deploy(self, name: str, predictor: dict[str, Any]) -> None:
        body = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": name},
            "spec": {"predictor": predictor},
        }
        where = ("serving.kserve.io", "v1beta1", NAMESPACE, "inferenceservices")
        self.objects.create_namespaced_custom_object(*where, body)
        wait_for(lambda: self.is_ready(name), what=f"{name} to be ready")

    def is_ready(self, name: str) -> bool:
        where = ("serving.kserve.io", "v1beta1", NAMESPACE, "inferenceservices", name)
        status = self.objects.get_namespaced_custom_object(*where).get("status", {})
        return any((item["type"], item["status"]) == ("Ready", "True") for item in status.get("conditions", ()))

    def predict(self, name: str, instances: list[Any]) -> Any:
        url = f"http://127.0.0.1:{self.home.port('ingress')}/v1/models/{name}:predict"
        headers = {"Host": f"{name}.{NAMESPACE}.example.com"}
        answer = requests.post(url, json={"instances": instances}, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()["predictions"]


@pytest.fixture(scope="module")
def cluster(home: Home, run_service: Callable[..., ServiceProcess]) -> Cluster:
    run_service(home, "kubernetes", "kubernetes")
    run_service(home, "serving", "ingress")
    return Cluster(home)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of Fisher's flowers."""
    folder = tmp_path_factory.mktemp("iris")
    flowers = load_iris()
    joblib.dump(DecisionTreeClassifier(random_state=1).fit(flowers.data, flowers.target), folder / "model.joblib")
    return folder


def test_a_model_behind_a_url_is_fetched_with_a_secrets_headers_and_answers_over_rest_and_grpc(
    cluster: Cluster, web: FakeWeb, iris: Path
) -> None:
    web.put("/iris/model.joblib", (iris / "model.joblib").read_bytes())
    headers = {"https-host": "localhost", "headers": json.dumps({"X-Token": "the-token"})}
    cluster.core.create_namespaced_secret(
        NAMESPACE, k8s.V1Secret(metadata=k8s.V1ObjectMeta(name="web"), string_data=headers)
    )
    account = k8s.V1ServiceAccount(metadata=k8s.V1ObjectMeta(name="web"), secrets=[{"name": "web"}])
    cluster.core.create_namespaced_service_account(NAMESPACE, account)
    uri = f"http://localhost:{web.port}/iris/model.joblib"
    cluster.deploy("iris", {"serviceAccountName": "web", "sklearn": {"storageUri": uri}})
    assert [seen["x-token"] for seen in web.seen] == ["the-token"]
    assert cluster.predict("iris", IRIS) == [1, 0]

    async def ask() -> list[int]:
        options = [("grpc.default_authority", f"iris.{NAMESPACE}.example.com")]
        client = InferenceGRPCClient(f"127.0.0.1:{cluster.home.port('ingress')}", channel_args=options)
        tensor = InferInput("rows", [2, 4], "FP64")
        tensor.set_data_from_numpy(np.array(IRIS))
        answer = await client.infer(InferRequest("iris", [tensor]))
        await client.close()
        labels: list[int] = answer.outputs[0].as_numpy().tolist()
        return labels

    assert asyncio.run(ask()) == [1, 0]


def test_a_model_in_a_folder_of_this_machine_is_copied(cluster: Cluster, iris: Path) -> None:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": f"file://{iris}", "protocolVersion": "v2"}
    cluster.deploy("local", {"model": model})
    assert cluster.predict("local", IRIS) == [1, 0]


def test_an_onnx_model_on_a_claim_is_mounted(cluster: Cluster, double_onnx: Path) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    cluster.core.create_namespaced_persistent_volume_claim(NAMESPACE, {"metadata": {"name": "models"}, "spec": spec})
    folder = cluster.home.folder("volumes") / NAMESPACE / "models" / "double"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(double_onnx.read_bytes())
    cluster.deploy("double", {"onnx": {"storageUri": "pvc://models/double"}})
    assert cluster.predict("double", [[1, 2, 3]]) == [[2.0, 4.0, 6.0]]
