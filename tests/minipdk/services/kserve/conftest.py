"""Models in every format, servers to fetch them from, the serving images, and a cluster with InferenceServices."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest
import requests
from kserve import (
    KServeClient,
    V1beta1InferenceService,
    V1beta1InferenceServiceSpec,
    V1beta1PredictorSpec,
    V1beta1TorchServeSpec,
)
from kubernetes import client as k8s
from tests.conftest import ServiceProcess, new_home, share_images, wait_for

from minipdk.common.home import Home
from minipdk.images import Image, ImageStore
from minipdk.services.kserve.runtimes import IMAGES
from minipdk.services.kubernetes.certificates import write_kubeconfig
from minipdk.services.kubernetes.service import kubeconfig

HANDLER = """
import json
import logging
import os
import signal
import time

import torch
from ts.torch_handler.base_handler import BaseHandler
from ts.utils.util import PredictionException

import scaling


class LinearHandler(BaseHandler):
    def initialize(self, context):
        super().initialize(context)
        with open("factor.json") as file:
            self.factor = scaling.factor(json.load(file))

    def preprocess(self, data):
        rows = [self.row(one["data"]) for one in data]
        return torch.tensor(rows)

    def row(self, row):
        if "x" not in row:
            raise PredictionException("the column x is missing", 400)
        if row["x"] == "crash":
            raise ValueError("cannot scale a crash")
        if row["x"] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if row["x"] == "slow":
            print("a slow row", flush=True)
            time.sleep(0.5)
            return [0.0]
        return [float(row["x"])]

    def postprocess(self, result):
        return [value * self.factor for (value,) in result.tolist()]
"""


def broken_handler(message: str) -> str:
    """A handler that raises RuntimeError(message) when it is loaded."""
    return HANDLER.replace("super().initialize(context)", f"raise RuntimeError({message!r})")


DOUBLE = """
import sys, torch
torch.jit.save(torch.jit.trace(lambda x: x * 2, torch.ones(1)), sys.argv[1])
"""

Archiver = Callable[..., Path]
NAMESPACE = "models"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def archiver(folder: Path) -> Archiver:
    """``archiver(folder)(name="linear", factor=1)``: a .mar below ``folder`` whose model doubles x, times ``factor``."""
    weights = folder / "double.pt"
    subprocess.run([sys.executable, "-W", "ignore", "-c", DOUBLE, weights], check=True)

    def make(name: str = "linear", *, factor: int = 1, handler: str = HANDLER) -> Path:
        place = Path(tempfile.mkdtemp(dir=folder))
        (place / "handler.py").write_text(handler)
        (place / "factor.json").write_text(f'{{"factor": {factor}}}')
        (place / "scaling.py").write_text("def factor(content):\n    return content['factor']\n")
        archiver = Path(sys.executable).with_name("torch-model-archiver")
        subprocess.run(
            [
                *(archiver, "--model-name", name, "--version", "1.0", "--serialized-file", weights),
                *("--handler", "handler.py", "--extra-files", "factor.json,scaling.py", "--export-path", place),
            ],
            cwd=place,
            env={
                **os.environ,
                "TMPDIR": tempfile.mkdtemp(dir=folder),
            },  # the archiver works in a folder there, named after the model
            check=True,
            capture_output=True,
        )
        return place / f"{name}.mar"

    return make


@pytest.fixture(scope="session")
def make_archive(tmp_path_factory: pytest.TempPathFactory) -> Archiver:
    return archiver(tmp_path_factory.mktemp("archives"))


EXPORT_ONNX = """
import sys, torch
from torch.onnx._internal.torchscript_exporter import onnx_proto_utils
# The exporter needs the onnx package only for functions of onnxscript, and these models have none.
onnx_proto_utils._add_onnxscript_fn = lambda model, _: model

class Double(torch.nn.Module):
    def forward(self, x): return x * 2

class Scale(torch.nn.Module):
    def forward(self, x, k): return x * k.unsqueeze(1), x.sum(1)

rows = {0: "rows"}
torch.onnx.export(Double(), (torch.ones(1, 3),), sys.argv[1], dynamo=False,
                  input_names=["x"], output_names=["y"], dynamic_axes={"x": rows, "y": rows})
torch.onnx.export(Scale(), (torch.ones(1, 3), torch.ones(1, dtype=torch.int64)), sys.argv[2], dynamo=False,
                  input_names=["x", "k"], output_names=["scaled", "total"],
                  dynamic_axes={"x": rows, "k": rows, "scaled": rows, "total": rows})
"""


@pytest.fixture(scope="session")
def onnx_models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    double, scale = tmp_path_factory.mktemp("double") / "model.onnx", tmp_path_factory.mktemp("scale") / "model.onnx"
    subprocess.run([sys.executable, "-W", "ignore", "-c", EXPORT_ONNX, double, scale], check=True, capture_output=True)
    return double, scale


@pytest.fixture(scope="session")
def double_onnx(onnx_models: tuple[Path, Path]) -> Path:
    """A model that doubles rows x of three numbers."""
    return onnx_models[0]


@pytest.fixture(scope="session")
def scale_onnx(onnx_models: tuple[Path, Path]) -> Path:
    """A model that multiplies rows x by numbers k, and adds each up."""
    return onnx_models[1]


class FakeS3:
    """An S3 server that keeps its objects in a dict; ``failure`` is its answer to every request, if it is set."""

    def __init__(self) -> None:
        self.access_key = "the-key"
        self.objects: dict[tuple[str, str], bytes] = {}
        self.failure: tuple[int, str] | None = None
        self.requests = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                owner.requests += 1
                status, content = owner.answer(self.path, self.headers.get("Authorization", ""))
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("ETag", '"none"')
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def put(self, bucket: str, objects: Mapping[str, bytes]) -> None:
        self.objects |= {(bucket, key): content for key, content in objects.items()}

    def put_folder(self, bucket: str, folder: Path, prefix: str) -> None:
        """Add every file below ``folder`` under ``prefix``."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        self.put(bucket, {f"{prefix}{path.relative_to(folder)}": path.read_bytes() for path in files})

    def answer(self, target: str, authorization: str) -> tuple[int, bytes]:
        url = urlsplit(target)
        bucket, _, key = unquote(url.path).removeprefix("/").partition("/")
        if self.failure:
            return self.failure[0], self._error(self.failure[1])
        if f"Credential={self.access_key}/" not in authorization:
            return 403, self._error("InvalidAccessKeyId")
        if bucket not in {name for name, _ in self.objects}:
            return 404, self._error("NoSuchBucket")
        if not key:
            prefix = parse_qs(url.query).get("prefix", [""])[0]
            sizes = {name: len(body) for (place, name), body in self.objects.items() if place == bucket}
            contents = "".join(
                f"<Contents><Key>{escape(name)}</Key><Size>{sizes[name]}</Size></Contents>"
                for name in sorted(sizes)
                if name.startswith(prefix)
            )
            return 200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>".encode()
        content = self.objects.get((bucket, key))
        return (404, self._error("NoSuchKey")) if content is None else (200, content)

    def _error(self, code: str) -> bytes:
        return f"<Error><Code>{code}</Code><Message>{re.sub('(?=[A-Z])', ' ', code).strip()}</Message></Error>".encode()


@pytest.fixture
def s3() -> Iterator[FakeS3]:
    server = FakeS3()
    yield server
    server.close()


class FakeWeb:
    """An HTTP server: ``pages`` maps paths to a status, headers and a body; ``seen`` is the headers of each request."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.seen: list[dict[str, str]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.seen.append({name.lower(): value for name, value in self.headers.items()})
                status, headers, body = owner.pages.get(self.path.partition("?")[0], (404, {}, b""))
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def put(self, path: str, body: bytes, kind: str = "application/octet-stream", status: int = 200) -> str:
        self.pages[path] = (status, {"Content-Type": kind}, body)
        return f"{self.url}{path}"


@pytest.fixture
def web() -> Iterator[FakeWeb]:
    web = FakeWeb()
    yield web
    web.server.shutdown()
    web.server.server_close()


@pytest.fixture(scope="session")
def image_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The home whose image store all tests of KServe share, so that each serving image is built once."""
    home = new_home(tmp_path_factory.mktemp("images") / "home")
    share_images(home)
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, image_home: Home) -> Home:
    """A fresh cluster's folder, shared by one module's tests, with the images of all modules."""
    home = new_home(tmp_path_factory.mktemp("cluster") / "home")
    (home.path / "images").symlink_to(image_home.folder("images"))
    return home


def build_image(home: Home, name: str, progress: Callable[[str], None] = lambda _line: None) -> Image:
    """Build the serving image ``name`` as the node does."""
    source = IMAGES[name]
    return ImageStore(home).build(
        source.context, name, dockerfile=source.dockerfile, arguments=source.arguments, progress=progress
    )


@dataclass
class Cluster:
    """The Kubernetes API, the process of the controllers and an S3 server with models."""

    home: Home
    serving: ServiceProcess
    s3: FakeS3

    def __post_init__(self) -> None:
        write_kubeconfig(self.home)
        self.kserve = KServeClient(config_file=str(kubeconfig(self.home)))
        self.core = k8s.CoreV1Api()
        self.http = requests.Session()

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig(self.home))}
        command = ["kubectl", "-n", NAMESPACE, *arguments]
        return subprocess.run(command, input=stdin, env=environment, check=True, capture_output=True, text=True).stdout

    def add_credentials(self) -> None:
        annotations = {"serving.kserve.io/s3-endpoint": self.s3.endpoint, "serving.kserve.io/s3-usehttps": "0"}
        keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), self.s3.access_key)
        for name, key in (("pach", keys), ("wrong", {**keys, "AWS_ACCESS_KEY_ID": "wrong"})):
            metadata = k8s.V1ObjectMeta(name=name, annotations=annotations)
            self.core.create_namespaced_secret(NAMESPACE, k8s.V1Secret(metadata=metadata, string_data=key))
            account = k8s.V1ServiceAccount(metadata=k8s.V1ObjectMeta(name=name), secrets=[{"name": name}])
            self.core.create_namespaced_service_account(NAMESPACE, account)

    def create(self, name: str, uri: str, **predictor: Any) -> None:
        self.kserve.create(inference_service(name, uri, **predictor))

    def replace(self, name: str, uri: str) -> None:
        """Replace the spec, again if the controller wrote the status between the client's read and its write."""

        def replaced() -> bool:
            try:
                self.kserve.replace(name, inference_service(name, uri), namespace=NAMESPACE)
            except RuntimeError as error:
                if "(409)" not in str(error):
                    raise
                return False
            return True

        wait_for(replaced, what="a replacement without a conflict")

    def status(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] = self.kserve.get(name, namespace=NAMESPACE).get("status", {})
        return status

    def status_where(self, name: str, matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first status whose modelStatus matches, in one reading: a failing container is tried again meanwhile."""

        def matching() -> dict[str, Any]:
            status = self.status(name)
            return status if matches(status["modelStatus"]) else {}

        return wait_for(matching, what="that model status")

    def condition(self, name: str, kind: str = "Ready") -> dict[str, Any]:
        conditions: list[dict[str, Any]] = self.status(name).get("conditions", [])
        return next((condition for condition in conditions if condition["type"] == kind), {"status": "Unknown"})

    def failed(self, name: str, kind: str = "PredictorReady") -> dict[str, Any]:
        """The condition ``kind``, once it is False."""

        def condition() -> dict[str, Any]:
            found = self.condition(name, kind)
            return found if found["status"] == "False" else {}

        return wait_for(condition, what=f"{kind} to be False")

    def is_ready(self, name: str) -> bool:
        return bool(self.condition(name)["status"] == "True")

    def failure(self, name: str) -> dict[str, Any]:
        def last_failure() -> dict[str, Any]:
            return self.status(name).get("modelStatus", {}).get("lastFailureInfo") or {}

        return wait_for(last_failure, what="a failure")

    def is_shared(self, name: str, *percents: int) -> bool:
        """Whether the service is ready, and its latest and its previous revision have ``percents`` of the requests."""
        isvc = self.kserve.get(name, namespace=NAMESPACE)
        status = isvc["status"]  # one reading: parts of two readings may not match
        ready = any((item["type"], item["status"]) == ("Ready", "True") for item in status["conditions"])
        traffic = status["components"]["predictor"].get("traffic", [])
        observed = bool(status["observedGeneration"] == isvc["metadata"]["generation"])
        return observed and ready and [target["percent"] for target in traffic] == list(percents)

    def pods(self, name: str) -> list[k8s.V1Pod]:
        selector = f"serving.kserve.io/inferenceservice={name}"
        pods: list[k8s.V1Pod] = self.core.list_namespaced_pod(NAMESPACE, label_selector=selector).items
        return pods

    def knative(self, name: str) -> dict[str, Any]:
        """The Knative Service of the service's predictor."""
        service: dict[str, Any] = json.loads(self.kubectl("get", "ksvc", f"{name}-predictor", "-o", "json"))
        return service

    def uid(self, kind: str, name: str) -> str:
        """Empty for an object that does not exist."""
        return self.kubectl("get", kind, name, "--ignore-not-found", "-o", "jsonpath={.metadata.uid}")

    def expect_event(self, name: str, reason: str, message: str) -> None:
        """Wait for an event, which is written after the status that it reports."""
        wait_for(lambda: (reason, message) in self.events(name), what=f"the event {reason}: {message}")

    def events(self, name: str) -> list[tuple[str, str]]:
        events = self.core.list_namespaced_event(NAMESPACE, field_selector=f"involvedObject.name={name}").items
        return [(event.reason, event.message) for event in events]

    def delete(self, name: str) -> None:
        """Delete a service and wait until it is gone, with its finalizer."""
        self.kubectl("delete", "isvc", name)

    def predict(self, name: str, x: object = 1, *, host: str = "{}.models.example.com") -> requests.Response:
        url = f"http://127.0.0.1:{self.home.port('ingress')}/v1/models/linear:predict"
        body = {"instances": [{"data": {"x": x}}]}
        return self.http.post(url, json=body, headers={"Host": host.format(name)}, timeout=30)

    def answers(self, name: str, value: float) -> bool:
        answer = self.predict(name)
        return answer.status_code == 200 and answer.json() == {"predictions": [value]}


def torchserve(uri: str) -> V1beta1TorchServeSpec:
    resources = k8s.V1ResourceRequirements(requests={}, limits={})
    return V1beta1TorchServeSpec(protocol_version="v1", storage_uri=uri, resources=resources)


def inference_service(name: str, uri: str, **predictor: Any) -> V1beta1InferenceService:
    """The object that a deployment step creates; ``predictor`` sets fields of the V1beta1PredictorSpec."""
    settings = {"service_account_name": "pach", "tolerations": [], "pytorch": torchserve(uri)} | predictor
    return V1beta1InferenceService(
        api_version="serving.kserve.io/v1beta1",
        kind="InferenceService",
        metadata=k8s.V1ObjectMeta(name=name, namespace=NAMESPACE, annotations={"sidecar.istio.io/inject": "false"}),
        spec=V1beta1InferenceServiceSpec(predictor=V1beta1PredictorSpec(**settings)),
    )


def predictors(pod_uid: str) -> list[int]:
    """The processes that have the Pod's model mounted."""
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if pod_uid in (process / "mountinfo").read_text():
                pids.append(int(process.name))
    return pids
