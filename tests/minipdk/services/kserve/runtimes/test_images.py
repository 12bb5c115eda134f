"""The serving images: each has a separate environment without remains of the packages that it replaces."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.minipdk.services.kserve.conftest import build_image

from minipdk.common.home import Home
from minipdk.images import ImageStore
from minipdk.sandbox import PIPE, STDOUT, ContainerSpec, start
from minipdk.services.kserve.runtimes import CONTEXT, FOLDER, IMAGES, MODEL_SERVERS, manifests

SHOW = """
import importlib.metadata, importlib.util, sys
assert importlib.metadata.version("kserve") == "0.21.0"
assert importlib.util.find_spec("kserve.storage") is None  # of the course's 0.14.1, and of no later one
assert not [one.metadata["Name"] for one in importlib.metadata.distributions() if one.metadata["Name"] == "pachyderm-sdk"]
"""


@pytest.mark.parametrize("name", MODEL_SERVERS)
def test_a_model_servers_image_holds_kserve_0_21_alone_and_its_packages_agree(image_home: Home, name: str) -> None:
    image = build_image(image_home, name)
    for argv in (["python", "-c", SHOW], ["pip", "check"]):
        container = start(image_home, ContainerSpec(image, argv), stdout=PIPE, stderr=STDOUT)
        output, _ = container.communicate(timeout=120)
        assert container.wait() == 0, output.decode()


def test_an_image_that_is_built_is_found_and_built_again_only_after_a_change(image_home: Home) -> None:
    lines: list[str] = []
    name = "kserve/storage-initializer:v0.21.0"
    first = build_image(image_home, name)
    assert build_image(image_home, name, lines.append) == first
    assert " ---> Using cache" in lines


def pull(home: Home, *names: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("minipdk")), "image", "pull", *names, "--home", str(home.path)]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_pull_makes_every_image_that_comes_with_minipdk(image_home: Home) -> None:
    done = pull(image_home)
    assert done.returncode == 0, done.stderr
    assert {image.name for image in ImageStore(image_home).list()} >= IMAGES.keys()
    assert [name for name in IMAGES if f"Building the image {name} ..." not in done.stdout] == []


def test_a_pull_of_another_image_names_the_ones_that_there_are(image_home: Home) -> None:
    done = pull(image_home, "nowhere:1.0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("minipdk: nowhere:1.0 does not come with minipdk: choose from kserve/storage-initializer")


def test_every_image_that_a_runtime_names_comes_with_minipdk() -> None:
    named = {container["image"] for runtime in manifests() for container in runtime["spec"]["containers"]}
    assert named < IMAGES.keys()


def test_every_dockerfile_makes_an_image() -> None:
    assert set(FOLDER.glob("*/Dockerfile")) == {source.dockerfile for source in IMAGES.values()}


def test_the_programs_of_the_images_import_only_what_is_copied() -> None:
    copied = {
        f"minipdk.common.{name}" for name in ("ports", *(f"web.{path.stem}" for path in CONTEXT.glob("common/web/*.py")))
    }
    programs = [path.read_text() for path in (CONTEXT / "services/kserve/predictors").glob("*.py")]
    assert programs
    named = {name for text in programs for name in re.findall(r"^(?:from|import) (minipdk[\w.]*)", text, re.M)}
    assert named <= copied | {"minipdk.common.web"}
