"""The names of the registry's images, which outlive the registry's port, and arguments of a build on the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from minipdk.common.home import Home
from minipdk.images import ImageStore
from minipdk.images.errors import ImageNotFoundError
from minipdk.images.registry import stored_name

MNIST = "registry.neuro/course/default/examples/mnist"


@pytest.mark.parametrize(
    ("reference", "stored"),
    [
        ("127.0.0.1:8082/course/default/examples/mnist:train", f"{MNIST}:train"),
        ("127.0.0.1:9/course/default/examples/mnist:train", f"{MNIST}:train"),
        ("localhost:8082/course/default/examples/mnist", f"{MNIST}:latest"),
        (f"{MNIST}:train", f"{MNIST}:train"),
        ("python:3.11", None),
        ("ghcr.io/course/default:1", None),
        ("127.0.0.1.example.com/a/b:1", None),
        ("registry.neuro.example.com/a/b:1", None),
        ("127.0.0.1:8082/a/b@sha256:" + "0" * 64, None),
    ],
)
def test_an_image_of_the_registry_is_stored_without_its_port(reference: str, stored: str | None) -> None:
    assert stored_name(reference) == stored


def test_a_missing_image_of_the_registry_says_how_to_build_it(home: Home) -> None:
    with pytest.raises(ImageNotFoundError, match=r"mnist:1 is not in the cluster's registry: build it with `neuro-extras"):
        ImageStore(home).resolve("127.0.0.1:8082/course/default/mnist:1")


def test_the_command_line_sets_arguments_of_a_build(home: Home, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM ubuntu\nARG WORD=default\nARG OTHER\nENV SAID=$WORD HEARD=$OTHER\n")
    minipdk: str | Path = Path(sys.executable).with_name("minipdk")
    command: list[str | Path] = [
        minipdk,
        "image",
        "build",
        tmp_path,
        "-t",
        "said",
        "--build-arg",
        "WORD=hello",
        "--build-arg",
        "OTHER",
    ]
    subprocess.run([*command, "--home", home.path], check=True, env={"OTHER": "world"}, stdout=subprocess.DEVNULL)
    assert ImageStore(home).resolve("said").config.env == {"SAID": "hello", "HEARD": "world"}
    refused = subprocess.run([*command, "--build-arg", "=x", "--home", home.path], capture_output=True, text=True)
    assert (refused.returncode, refused.stderr) == (1, "minipdk: --build-arg '=x' has no name: use NAME=VALUE\n")
