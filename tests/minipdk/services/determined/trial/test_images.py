"""Images and resource pools of trials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.conftest import new_home
from tests.minipdk.services.determined.conftest import TRIAL, Cluster, best, configuration, finish

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
    """A cluster with two resource pools and its own image."""
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


def test_trial_sees_the_files_and_variables_of_its_image(pooled: Cluster) -> None:
    script = "import os; print(open('/opt/words.txt').read().strip(), os.environ['COLOUR'], os.getcwd())"
    experiment = pooled.submit({"main.py": script}, entrypoint="python3 main.py", environment={"image": "trainer:1.0"})
    assert finish(experiment) == "COMPLETED", pooled.logs(experiment)
    assert "in the image green /run/determined/workdir" in pooled.logs(experiment)


def test_legacy_trial_trains_in_an_image_and_a_named_pool(pooled: Cluster) -> None:
    experiment = pooled.submit(
        {"model_def.py": TRIAL}, environment={"image": "trainer:1.0"}, resources={"resource_pool": "gpu-pool"}
    )
    assert finish(experiment) == "COMPLETED", pooled.logs(experiment)
    assert best(experiment).training.experiment_config["resources"]["resource_pool"] == "gpu-pool"
    assert "gpu-pool" in pooled.det("agent", "list")
    tensorboard = Path(pooled.home.folder("shared_fs")) / pooled.home.identity.cluster_id / "tensorboard"
    assert list(tensorboard.glob(f"experiment/{experiment.id}/trial/*/events*"))
    experiment.delete()
    assert not list(tensorboard.glob(f"experiment/{experiment.id}"))


def test_trial_whose_image_was_removed_ends_with_a_clear_message(pooled: Cluster) -> None:
    folder = pooled.write({"Dockerfile": "FROM python:3.11\nENV A=b\n"})
    store = ImageStore(pooled.home)
    store.build(folder, "fleeting:1")
    body = {"config": yaml.safe_dump(configuration(environment={"image": "fleeting:1"}))}
    experiment = pooled.sdk.get_experiment(pooled.session().post("api/v1/experiments", json=body).json()["experiment"]["id"])
    store.remove("fleeting:1")
    experiment.activate()
    assert finish(experiment) == "ERROR"
    assert "the trial cannot be started: invalid experiment configuration: environment.image: " in pooled.logs(experiment)
