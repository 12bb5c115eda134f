"""An image: a stack of layers and the configuration its Dockerfile gave it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Progress = Callable[[str], None]
"""Receives the output of a build, line by line."""


@dataclass(frozen=True)
class ImageConfig:
    """The configuration that containers start with, in Docker's terms. ``exposed_ports`` are like ``8080/tcp``.

    ``user`` is ``name-or-number[:group]``, empty for root. ``shell`` runs the shell forms of RUN, CMD and
    ENTRYPOINT.
    """

    env: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)
    working_dir: str = "/"
    user: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    exposed_ports: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    stop_signal: str = "SIGTERM"
    shell: list[str] = field(default_factory=lambda: ["/bin/sh", "-c"])


@dataclass(frozen=True)
class Image:
    """An image that containers can start from.

    ``id`` names its content (SHA-256 in hex), ``layers`` are folders, the lowest first. A layer holds one folder for each
    part of the root that it changes: ``root`` for /, ``usr`` for /usr, ``environment`` for the Python environment, and so
    on (see `minipdk.sandbox.host`). A known base has no layers.
    """

    name: str
    id: str
    layers: tuple[Path, ...] = ()
    config: ImageConfig = field(default_factory=ImageConfig)
