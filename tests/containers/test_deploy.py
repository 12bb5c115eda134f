"""The deployment step against a real Determined master and a real Kubernetes API."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import yaml
from kubernetes.client import CustomObjectsApi
from kubernetes.config import new_client_from_config

from minipdk.common.home import Home
from minipdk.services.kubernetes.service import kubeconfig

ROOT = Path(__file__).parents[2]
NAMESPACE, SERVICE, MODEL = "models", "customer-churn", "customer-churn"
JOB = "d" * 32

pytestmark = pytest.mark.filterwarnings(
    "ignore:GitWildMatchPattern:DeprecationWarning",
    "ignore:.*torch.jit:DeprecationWarning",
    "ignore::FutureWarning:(determined|google)",
    "ignore:Please install grpcio-status:ImportWarning",
)


@pytest.fixture
def info(
    train: Callable[..., dict[str, Any]],
    commit: Callable[[dict[str, bytes | None]], str],
    sample: pd.DataFrame,
    tmp_path: Path,
    determined: Any,
) -> Path:
    """The model-info.yaml of a model that the training step has registered."""
    models = [model.name for model in determined.list_models()]
    latest = determined.get_model(MODEL).get_version() if MODEL in models else None
    job = latest.name if latest else commit({"/data.csv": pd.concat([sample] * 6).to_csv(index=False).encode()})
    path = tmp_path / "given" / "model-info.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(train(job)))
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "deployed"


@pytest.fixture
def deploy(
    services: Home,
    info: Path,
    output: Path,
    import_from: Callable[[str, str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., None]:
    module = import_from("containers/deploy", "deploy")
    monkeypatch.setattr(module, "MODEL_INFO", info)
    monkeypatch.setattr(module.model_store, "OUTPUT", output)
    monkeypatch.setitem(sys.modules, "google.cloud.storage", None)  # the image has none
    if cloud := sys.modules.get("google.cloud"):
        monkeypatch.delattr(cloud, "storage", raising=False)
    monkeypatch.setenv("SERVING_MODE", "")  # the step sets it for itself: restored after the test
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")

    def run(*options: str, **environment: str) -> None:
        variables = {
            "HOME": str(output.parent / "home"),  # as in a container, no token is kept there
            "KSERVE_NAMESPACE": NAMESPACE,
            "PACH_JOB_ID": JOB,
            "PPS_PIPELINE_NAME": "customer-churn-deploy",
            "PPS_PROJECT_NAME": "pdk-customer-churn",
        }
        for name, value in (variables | environment).items():
            monkeypatch.setenv(name, value)
        command = ["deploy.py", "--deployment-name", SERVICE, "--k8s-config-file", str(kubeconfig(services))]
        monkeypatch.setattr(sys, "argv", [*command, *options])
        module.main()

    return run


@pytest.fixture
def service(services: Home) -> Callable[[], dict[str, Any]]:
    """Read the InferenceService from the cluster."""
    client = CustomObjectsApi(new_client_from_config(str(kubeconfig(services))))
    kind = ("serving.kserve.io", "v1beta1", NAMESPACE, "inferenceservices")
    return lambda: dict(client.get_namespaced_custom_object(*kind, SERVICE))


def test_a_model_is_packed_stored_and_served_and_then_replaced(
    deploy: Callable[..., None], service: Callable[[], dict[str, Any]], info: Path, output: Path
) -> None:
    version = yaml.safe_load(info.read_text())["version"]
    options = ["--service-account-name", "pach-deploy", "--resource-requests", "cpu=2,memory=4Gi"]
    deploy(*options, "--resource-limits", "cpu=10,memory=8Gi", "--tolerations", "gpu=true")

    archive = zipfile.ZipFile(output / MODEL / "model-store" / f"{MODEL}.mar")
    assert {"customer_churn_handler.py", "preprocessing.py", "numscale.json", "scriptmodule.pt"} <= set(archive.namelist())
    properties = dict(
        line.split("=", 1) for line in (output / MODEL / "config" / "config.properties").read_text().splitlines()
    )
    assert properties["model_store"] == "/mnt/models/model-store"
    assert properties["disable_token_authorization"] == "true"
    assert json.loads(properties["model_snapshot"])["models"][MODEL][version]["marName"] == f"{MODEL}.mar"

    created = service()
    assert (
        created["metadata"]["annotations"] | {"sidecar.istio.io/inject": "false", "pach_id": version}
        == (created["metadata"]["annotations"])
    )
    predictor = created["spec"]["predictor"]
    assert predictor["serviceAccountName"] == "pach-deploy"
    assert predictor["tolerations"] == [{"effect": "NoSchedule", "key": "gpu", "operator": "Equal", "value": "true"}]
    assert predictor["model"]["protocolVersion"] == "v1"
    assert predictor["model"]["resources"] == {
        "requests": {"cpu": "2", "memory": "4Gi"},
        "limits": {"cpu": "10", "memory": "8Gi"},
    }
    uri = predictor["model"]["storageUri"]
    assert uri == f"s3://{JOB}.master.customer-churn-deploy.pdk-customer-churn/{MODEL}"

    deploy(*options, PACH_JOB_ID="e" * 32)
    replaced = service()
    assert replaced["metadata"]["uid"] == created["metadata"]["uid"]
    assert replaced["spec"]["predictor"]["model"]["storageUri"] == uri.replace(JOB, "e" * 32)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """The objects that an S3 server that accepts everything has received, by path."""
    objects: dict[str, bytes] = {}

    class Bucket(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            objects[self.path.partition("?")[0]] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("ETag", '"0"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        }.items():
            monkeypatch.setenv(name, value)
        yield objects
        server.shutdown()


@pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore")
def test_a_model_can_be_stored_in_a_bucket(
    deploy: Callable[..., None], service: Callable[[], dict[str, Any]], bucket: dict[str, bytes], output: Path
) -> None:
    deploy("--cloud-model-host", "aws", "--cloud-model-bucket", "models")
    assert set(bucket) == {f"/models/{MODEL}/config/config.properties", f"/models/{MODEL}/model-store/{MODEL}.mar"}
    assert b"model_store=/mnt/models\n" in bucket[f"/models/{MODEL}/config/config.properties"]
    model = service()["spec"]["predictor"]["model"]
    assert model["storageUri"] == f"s3://models/{MODEL}"
    assert model["args"] == ["--model-store=/mnt/models"]
    assert not output.exists()


@pytest.mark.parametrize(
    ("spoil", "options", "environment", "message"),
    [
        (None, [], {"DET_PASSWORD": "wrong"}, "cannot log in to Determined at"),
        (None, [], {"KSERVE_NAMESPACE": ""}, "KSERVE_NAMESPACE is not set"),
        (None, [], {"KSERVE_NAMESPACE": "none"}, "Kubernetes refuses the InferenceService none/customer-churn"),
        (None, [], {"PPS_PROJECT_NAME": ""}, "PPS_PROJECT_NAME is not set"),
        (None, ["--k8s-config-file", "/none"], {}, "no Kubernetes cluster to deploy to"),
        (None, ["--cloud-model-host", "gcp", "--cloud-model-bucket", "b"], {}, "google-cloud-storage"),
        ({"name": "none", "version": "v"}, [], {}, "Determined has no model none"),
        ({"name": MODEL, "version": "v"}, [], {}, f"the model {MODEL} has no version named v"),
        ({"name": MODEL}, [], {}, "does not name a model's name and version"),
    ],
)
def test_a_wrong_setting_gives_one_message_that_names_it(
    deploy: Callable[..., None],
    info: Path,
    spoil: dict[str, str] | None,
    options: list[str],
    environment: dict[str, str],
    message: str,
) -> None:
    if spoil is not None:
        info.write_text(yaml.safe_dump(spoil))
    with pytest.raises(sys.modules["deployment_errors"].DeploymentError, match=message):
        deploy(*options, **environment)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--resource-requests", "cpu"], "'cpu' is not of the form key=value"),
        (["--cloud-model-host", "azure", "--cloud-model-bucket", "b"], "invalid choice: 'azure'"),
        (["--cloud-model-host", "aws"], "belong together"),
        (["--wait"], "--wait needs --cloud-model-host"),
    ],
)
def test_a_wrong_flag_is_refused_before_anything_happens(options: list[str], message: str) -> None:
    command = [sys.executable, str(ROOT / "containers/deploy/deploy.py"), "--deployment-name", "x", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr
