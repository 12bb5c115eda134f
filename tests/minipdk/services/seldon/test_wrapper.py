"""Seldon's own wrapper, in the image that stands for its builder's, as a model of a SeldonDeployment."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import new_home, share_images
from tests.minipdk.services.seldon.conftest import Cluster, predictor

from minipdk.common.home import Home
from minipdk.images import ImageStore
from minipdk.images.errors import StepFailedError
from minipdk.images.sources import build_source
from minipdk.sandbox import PIPE, STDOUT, ContainerSpec, start
from minipdk.services.seldon.runtimes import IMAGES

WRAPPER, CLIENTS = IMAGES
MODEL = """
import io
import torch
from PIL import Image

class Pixels:
    def __init__(self, scale=1):
        self.layer = torch.nn.Linear(16, 2)
        torch.nn.init.constant_(self.layer.weight, scale)

    def predict(self, image, names):
        pixels = torch.tensor(list(Image.open(io.BytesIO(image)).getdata()), dtype=torch.float32)
        return (self.layer(pixels[None]) - self.layer.bias).detach().numpy()
"""
DOCKERFILE = """
FROM seldonio/seldon-core-s2i-python3:0.18
ENV MODEL_NAME="Pixels" \\
    API_TYPE="REST" \\
    SERVICE_TYPE="MODEL" \\
    PERSISTENCE="0"
COPY . /tmp/src
RUN /s2i/bin/assemble
CMD /s2i/bin/run
"""
# A grey image of 4 x 4 pixels, each 1, in PNG.
IMAGE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAAAAACMmsGiAAAADklEQVR4nGNgBAIGVAIAALQAEQQWJ64AAAAASUVORK5CYII=")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = new_home(tmp_path_factory.mktemp("cluster") / "home")
    share_images(home)
    for name, source in IMAGES.items():
        build_source(ImageStore(home), name, source, lambda _line: None)
    return home


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("context")
    (folder / "Pixels.py").write_text(MODEL)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    return folder


@pytest.fixture(scope="module")
def served(cluster: Cluster, context: Path) -> str:
    """The name of a SeldonDeployment with the wrapped model, without Seldon's delay."""
    ImageStore(cluster.home).build(context, "pixels:1")
    probe = {"tcpSocket": {"port": 9000}, "periodSeconds": 1}
    graph = {"name": "model", "type": "MODEL", "parameters": [{"name": "scale", "value": "2", "type": "INT"}]}
    cluster.apply("pixels", predictor({"name": "model", "image": "pixels:1", "readinessProbe": probe}, graph=graph))
    cluster.wait_until_available("pixels")
    return "pixels"


@pytest.mark.parametrize("path", ["api/v1.0/predictions", "api/v0.1/predictions", "predict"])
def test_a_torch_model_answers_an_image(cluster: Cluster, served: str, tmp_path: Path, path: str) -> None:
    (tmp_path / "one.png").write_bytes(IMAGE)
    status, body = cluster.curl("--form", f"binData=@{tmp_path}/one.png", cluster.url(served, path))
    tensor = {"shape": [1, 2], "values": pytest.approx([32.0, 32.0])}  # the order of torch's sums differs
    assert (status, body) == ("200", {"data": {"names": ["t:0", "t:1"], "tensor": tensor}, "meta": {}})


def test_a_text_file_as_image_is_the_wrappers_error(cluster: Cluster, served: str) -> None:
    status, body = cluster.curl("--form", "binData=@/etc/hostname", cluster.url(served))
    assert (status, body["status"]["reason"]) == ("500", "MICROSERVICE_INTERNAL_ERROR")
    assert "cannot identify image file" in body["status"]["info"]


def test_a_request_without_data_is_the_wrappers_error(cluster: Cluster, served: str) -> None:
    status, body = cluster.curl("--request", "POST", cluster.url(served))
    assert (status, body["status"]["reason"]) == ("400", "MICROSERVICE_BAD_DATA")


def test_feedback_is_taken(cluster: Cluster, served: str) -> None:
    feedback: tuple[str, ...] = ("--header", "Content-Type: application/json", "--data", '{"reward": 1}')
    status, body = cluster.curl(*feedback, cluster.url(served, "api/v1.0/feedback"))
    assert (status, body["meta"]) == ("200", {})


def output(home: Home, name: str, *command: str, **variables: str) -> tuple[int, str]:
    """The status and output of a command in an image."""
    spec: Any = ContainerSpec(ImageStore(home).resolve(name), list(command), env=variables)
    running = start(home, spec, stdout=PIPE, stderr=STDOUT)
    text, _ = running.communicate(timeout=60)
    return running.wait(), text.decode()


def test_the_images_stand_for_every_tag(home: Home) -> None:
    assert ImageStore(home).resolve("seldonio/seldon-core-s2i-python3:0.18").name == WRAPPER
    assert ImageStore(home).resolve("docker.io/seldonio/seldon-core-s2i-python3").name == WRAPPER
    assert ImageStore(home).resolve("ghcr.io/neuro-inc/apolo-extras:22.1").name == CLIENTS


def test_the_clients_image_has_the_commands_of_the_generated_init_container(home: Home) -> None:
    status, text = output(home, CLIENTS, "bash", "-c", "apolo --version && neuro --version && neuro-extras --version")
    assert (status, "24.10.0" in text) == (0, True)


def test_a_model_without_its_variables_is_not_assembled(home: Home, context: Path) -> None:
    (context / "bare").write_text("FROM seldonio/seldon-core-s2i-python3:1.17.1\nRUN /s2i/bin/assemble\n")
    with pytest.raises(StepFailedError, match="Failed to find required env var MODEL_NAME"):
        ImageStore(home).build(context, "bare:1", dockerfile=context / "bare")
