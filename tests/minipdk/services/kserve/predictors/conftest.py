"""Model servers in containers of their images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.conftest import free_ports, wait_for
from tests.minipdk.services.kserve.conftest import build_image

from minipdk.common.home import Home
from minipdk.images import Image
from minipdk.sandbox import STDOUT, ContainerSpec, Mount, start


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
