"""Run commands in containers of the host's own environment and read their output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from minipdk.common.home import Home
from minipdk.images import Image
from minipdk.sandbox import PIPE, STDOUT, ContainerSpec, start

Run = Callable[..., tuple[int, str]]
BASE = Image("python:3.11", "base:python")


@pytest.fixture
def run(home: Home) -> Run:
    """``run("id -u", user="1000")`` is (status, output) of a shell command in a container."""

    def run(
        command: str | list[str], *, stdin: bytes | None = None, image: Image = BASE, cluster: Home = home, **spec: Any
    ) -> tuple[int, str]:
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        container = start(cluster, ContainerSpec(image, argv, **spec), stdin=stdin, stdout=PIPE, stderr=STDOUT)
        output, _ = container.communicate(timeout=60)
        return container.wait(), output.decode().strip()

    return run
