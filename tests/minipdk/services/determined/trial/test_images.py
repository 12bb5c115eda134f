"""A trial runs in the image that its configuration names, and in a resource pool that the cluster has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.conftest import new_home
from tests.minipdk.services.determined.conftest import TRIAL, Cluster, best, experiment, finish

from minipdk.common.home import save
from minipdk.images import ImageStore

DOCKERFILE = """
FROM determinedai/environments:py-3.10-pytorch-2.0-cpu
WORKDIR /somewhere
COPY words.txt /opt/words.txt
ENV COLOUR=green
"""


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with two resource pools and an image of its own."""
    folder = tmp_path_factory.mktemp("pooled")
    home = new_home(folder / "home")
    home = save(home.path, replace(home.identity, resource_pools=["default", "gpu-pool"]))
    (folder / "context").mkdir()
    (folder / "context" / "Dockerfile").write_text(DOCKERFILE)
    (folder / "context" / "words.txt").write_text("in the image\n")
    ImageStore(home).build(folder / "context", "trainer:1.0")
    running = Cluster(home, folder / "files")
    running.service.start()
    yield running
    running.service.stop()


def test_the_images_files_and_variables_are_there(pooled: Cluster) -> None:
    script = "import os; print(open('/opt/words.txt').read().strip(), os.environ['COLOUR'], os.getcwd())"
    one = pooled.submit({"main.py": script}, entrypoint="python3 main.py", environment={"image": "trainer:1.0"})
    assert finish(one) == "COMPLETED", pooled.logs(one)
    assert "in the image green /run/determined/workdir" in pooled.logs(one)


def test_a_legacy_trial_trains_in_an_image_and_a_named_pool(pooled: Cluster) -> None:
    one = pooled.submit(
        {"model_def.py": TRIAL}, environment={"image": "trainer:1.0"}, resources={"resource_pool": "gpu-pool"}
    )
    assert finish(one) == "COMPLETED", pooled.logs(one)
    assert best(one).training.experiment_config["resources"]["resource_pool"] == "gpu-pool"
    assert "gpu-pool" in pooled.det("agent", "list")
    tensorboard = Path(pooled.home.folder("shared_fs")) / pooled.home.identity.cluster_id / "tensorboard"
    assert list(tensorboard.glob(f"experiment/{one.id}/trial/*/events*"))
    one.delete()
    assert not list(tensorboard.glob(f"experiment/{one.id}"))


def test_an_image_that_has_gone_ends_the_trial_plainly(pooled: Cluster) -> None:
    folder = pooled.write({"Dockerfile": "FROM python:3.11\nENV A=b\n"})
    store = ImageStore(pooled.home)
    store.build(folder, "fleeting:1")
    body = {"config": yaml.safe_dump(experiment(environment={"image": "fleeting:1"}))}
    one = pooled.sdk.get_experiment(pooled.session().post("api/v1/experiments", json=body).json()["experiment"]["id"])
    store.remove("fleeting:1")
    one.activate()
    assert finish(one) == "ERROR"
    assert "the trial cannot be started: invalid experiment configuration: environment.image: " in pooled.logs(one)
