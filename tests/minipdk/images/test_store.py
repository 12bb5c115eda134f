"""Image names, the stored images, and how long their layers stay."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.conftest import wait_for
from tests.minipdk.images.conftest import Build, Run

from minipdk.common.home import Home
from minipdk.images import ImageStore, names
from minipdk.images.errors import ImageNameError, ImageNotFoundError, ImageStaleError
from minipdk.sandbox import ContainerSpec, start, sweep


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("churn", "churn:latest"),
        ("churn:1.0", "churn:1.0"),
        ("docker.io/library/python:3.11", "python:3.11"),
        ("docker.io/me/churn", "me/churn:latest"),
        ("localhost:5000/me/churn:a_b", "localhost:5000/me/churn:a_b"),
        ("ghcr.io/a/b@sha256:" + "0" * 64, "ghcr.io/a/b:latest"),
    ],
)
def test_names_are_docker_s(name: str, normal: str) -> None:
    assert names.normalise(name) == normal


@pytest.mark.parametrize("name", ["", "Upper", "a b", "a:", ":a", "../a", "a//b", "a:b:c", "-a", "a:" + "x" * 129])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ImageNameError, match="not a valid image name"):
        names.normalise(name)


def test_a_missing_image_is_named_with_the_command_to_build_it(store: ImageStore) -> None:
    with pytest.raises(
        ImageNotFoundError, match=r"image absent:1\.0 is not here: build it with `minipdk image build DIR -t absent"
    ):
        store.resolve("absent:1.0")


@pytest.mark.parametrize(
    "name", ["python:3.11-slim", "pytorch/pytorch", "docker.io/determinedai/environments:py-3.9", "ubuntu:22.04"]
)
def test_known_bases_are_images_without_layers(store: ImageStore, run: Run, name: str) -> None:
    image = store.resolve(name)
    assert image.layers == ()
    assert run(image, "python -c 'print(1)'") == "1"


def test_a_built_image_is_listed_and_found_by_another_process_s_store(
    build: Build, store: ImageStore, context: Path
) -> None:
    (context / "x").write_bytes(b"x" * 1000)
    image = build("COPY x /x", name="listed:1")
    (entry,) = [image for image in store.list() if image.name == "listed:1"]
    assert (entry.id, entry.size) == (image.id, 1000)
    assert type(store)(store.home).resolve("docker.io/listed:1") == image


def test_a_built_image_goes_before_a_known_base(build: Build, store: ImageStore) -> None:
    build("ENV MINE=1", name="python:3.11")
    assert store.resolve("python:3.11").config.env == {"MINE": "1"}
    store.remove("python:3.11")
    assert store.resolve("python:3.11").config.env == {}


def test_a_removed_image_is_gone_and_prune_frees_layers_that_only_it_had(build: Build, store: ImageStore) -> None:
    kept = build("RUN echo one > /one", name="kept")
    gone = build("RUN echo one > /one\nRUN echo two > /two", name="gone")
    store.remove("gone")
    with pytest.raises(ImageNotFoundError):
        store.resolve("gone")
    store.prune()
    assert kept.layers[0].is_dir()
    assert not gone.layers[-1].exists()
    with pytest.raises(ImageNotFoundError):
        store.remove("gone")


def test_prune_waits_for_containers_to_end(build: Build, store: ImageStore, home: Home) -> None:
    image = build("RUN echo busy > /busy", name="busy")
    container = start(home, ContainerSpec(image, ["sleep", "1000"]))
    store.remove("busy")
    store.prune()
    assert image.layers[0].is_dir()
    container.kill()
    container.wait()
    assert store.prune() >= 1
    assert not image.layers[0].exists()


def test_an_image_of_another_python_environment_is_refused(
    build: Build, store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    build("ENV A=1", name="old")
    monkeypatch.setattr(names, "environment", lambda: "/another/venv (Python 3.11.0)")
    with pytest.raises(ImageStaleError, match="build it again with `minipdk image build DIR -t old:latest`"):
        store.resolve("old")


def test_builds_side_by_side_do_not_disturb_each_other(store: ImageStore, tmp_path: Path) -> None:
    def build(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        Path(folder, "Dockerfile").write_text(f"FROM python:3.11\nRUN echo same > /same\nRUN echo {number} > /own\n")
        store.build(folder, f"parallel:{number}")

    threads = [threading.Thread(target=build, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    built = [store.resolve(f"parallel:{number}") for number in range(4)]
    assert len({image.layers[0] for image in built}) == 1
    assert len({image.layers[1] for image in built}) == 4
    assert list(store.folder.glob("layer-*")) == []


BUILD = """
import sys
from pathlib import Path
from minipdk.common import home
from minipdk.images import ImageStore
ImageStore(home.load(Path(sys.argv[1]))).build(Path(sys.argv[2]), "killed", progress=lambda line: print(line, flush=True))
"""


def test_a_killed_build_leaves_nothing_and_the_next_one_continues(store: ImageStore, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM python:3.11\nRUN echo done > /done\nRUN echo now; sleep 1000\n")
    argv = [sys.executable, "-c", BUILD, str(store.home.path), str(context)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while process.stdout.readline() != "now\n":
        assert process.poll() is None
    process.kill()
    process.communicate()
    wait_for(
        lambda: not list(store.home.folder("containers").iterdir()) or sweep(store.home), what="the step's container to go"
    )
    with pytest.raises(ImageNotFoundError):
        store.resolve("killed")
    lines: list[str] = []
    (context / "Dockerfile").write_text("FROM python:3.11\nRUN echo done > /done\nRUN true\n")
    store.build(context, "killed", progress=lines.append)
    assert lines.count(" ---> Using cache") >= 1
    assert [path for pattern in ("layer-*", "step-*") for path in store.folder.glob(pattern)] == []
