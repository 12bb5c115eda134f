"""Serving images and servers of them, model archives as torch-model-archiver makes them, and an S3 server to fetch from."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest
import requests
from tests.conftest import free_ports, new_home, wait_for

from minipdk.common.home import Home
from minipdk.images import Image, ImageStore
from minipdk.sandbox import STDOUT, ContainerSpec, Mount, start
from minipdk.services.kserve.runtimes.images import IMAGES

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
            },  # it works in a folder there that is called as the model
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
# The exporter wants the onnx package for functions of onnxscript alone, and these models have none.
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
    """An S3 server that keeps its objects in a dict; ``failure`` is an error code that it answers to everything."""

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

    def put(self, bucket: str, folder: Path | None = None, prefix: str = "", **objects: bytes) -> None:
        """Add ``objects``, and every file below ``folder`` under ``prefix``."""
        self.objects |= {(bucket, key): content for key, content in objects.items()}
        for path in folder.rglob("*") if folder else ():
            if path.is_file():
                self.objects[bucket, f"{prefix}{path.relative_to(folder)}"] = path.read_bytes()

    def answer(self, target: str, authorization: str) -> tuple[int, bytes]:
        url = urlsplit(target)
        bucket, _, key = unquote(url.path).removeprefix("/").partition("/")
        if self.failure:
            return self.failure[0], self._error(self.failure[1])
        if f"Credential={self.access_key}/" not in authorization:
            return 403, self._error("InvalidAccessKeyId")
        if bucket not in {one for one, _ in self.objects}:
            return 404, self._error("NoSuchBucket")
        if not key:
            prefix = parse_qs(url.query).get("prefix", [""])[0]
            sizes = {one: len(body) for (where, one), body in self.objects.items() if where == bucket}
            contents = "".join(
                f"<Contents><Key>{escape(one)}</Key><Size>{sizes[one]}</Size></Contents>"
                for one in sorted(sizes)
                if one.startswith(prefix)
            )
            return 200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>".encode()
        found = self.objects.get((bucket, key))
        return (404, self._error("NoSuchKey")) if found is None else (200, found)

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
    """The home whose image store the tests of serving share, so that each serving image is built once."""
    return new_home(tmp_path_factory.mktemp("images") / "home")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, image_home: Home) -> Home:
    """A fresh cluster's folder, shared by one module's tests, with the images of the others."""
    home = new_home(tmp_path_factory.mktemp("cluster") / "home")
    (home.path / "images").symlink_to(image_home.folder("images"))
    return home


class ModelServer:
    """A container of a serving image, on free ports of this machine."""

    def __init__(self, home: Home, image: Image, folder: Path, log: Path, *options: str, **environment: str) -> None:
        self.log = log
        port, grpc_port = free_ports(2)
        self.url, self.grpc_address = f"http://127.0.0.1:{port}", f"127.0.0.1:{grpc_port}"
        self.http = requests.Session()
        spec = ContainerSpec(
            image,
            [*image.config.entrypoint, "--model_name=service", *options],
            {"PORT": str(port), "GRPC_PORT": str(grpc_port), **environment},
            mounts=[Mount(folder, "/mnt/models", read_only=True)],
        )
        with log.open("wb") as output:
            self.container = start(home, spec, stdout=output, stderr=STDOUT)

    def wait_until_ready(self) -> None:
        wait_for(self._is_ready, seconds=120, what="the model server")

    def _is_ready(self) -> bool:
        assert self.container.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.url}/v2/health/ready", timeout=5).ok
        except requests.ConnectionError:
            return False

    def post(self, path: str, body: object, **arguments: Any) -> requests.Response:
        return self.http.post(f"{self.url}{path}", json=body, timeout=30, **arguments)

    def predict(self, body: object, *, model: str = "service", **arguments: Any) -> requests.Response:
        return self.post(f"/v1/models/{model}:predict", body, **arguments)

    def stop(self) -> int:
        return self.container.stop(grace=20)


def build_image(home: Home, name: str, progress: Callable[[str], None] = lambda _line: None) -> Image:
    """Build the serving image ``name`` as the node does."""
    source = IMAGES[name]
    return ImageStore(home).build(source.context, name, dockerfile=source.dockerfile, progress=progress)


StartModelServer = Callable[..., ModelServer]


@pytest.fixture(scope="module")
def start_model_server(image_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartModelServer]:
    """``start_model_server(image, folder, *options, **environment)`` serves the model in ``folder``."""
    servers: list[ModelServer] = []

    def start_server(name: str, folder: Path, *options: str, **environment: str) -> ModelServer:
        log = tmp_path_factory.mktemp("server") / "log"
        servers.append(ModelServer(image_home, build_image(image_home, name), folder, log, *options, **environment))
        return servers[-1]

    yield start_server
    for server in servers:
        server.stop()
