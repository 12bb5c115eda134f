"""Write a build context, build it, and run commands in the image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from minipdk.common.home import Home
from minipdk.images import Image, ImageStore
from minipdk.sandbox import PIPE, STDOUT, ContainerSpec, start

Build = Callable[..., Image]
Run = Callable[..., str]


@pytest.fixture
def store(home: Home) -> ImageStore:
    return ImageStore(home)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    return folder


@pytest.fixture
def build(store: ImageStore, context: Path) -> Build:
    """``build("RUN true")`` builds the Dockerfile with that text, after FROM python:3.11 unless it has its own FROM."""

    def build(text: str, name: str = "image", **options: object) -> Image:
        (context / "Dockerfile").write_text(text if "FROM" in text else f"FROM python:3.11\n{text}\n")
        return store.build(context, name, **options)  # type: ignore[arg-type]

    return build


@pytest.fixture
def run(home: Home) -> Run:
    """``run(image, "ls /app")`` is the output of a shell command in a container of ``image``."""

    def run(image: Image, command: str = "", **spec: object) -> str:
        argv = ["/bin/sh", "-c", command] if command else []
        container = start(home, ContainerSpec(image, argv, **spec), stdout=PIPE, stderr=STDOUT)  # type: ignore[arg-type]
        output, _ = container.communicate(timeout=60)
        container.wait()
        return output.decode().strip()

    return run
