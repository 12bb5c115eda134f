"""The serving runtimes that come with the cluster: their ClusterServingRuntime manifests, and the images these name.

A manifest is ``<name>.yaml`` here, an image's Dockerfile lies in a folder of its own and its program in
`minipdk.serving.predictors`; `images` builds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from minipdk.serving.api import Object

STORAGE_INITIALIZER_IMAGE = "kserve/storage-initializer:v0.21.0"
STORAGE_INITIALIZER_COMMAND = ("python", "-m", "predictors.storage_initializer")


@cache
def manifests() -> tuple[Object, ...]:
    """The ClusterServingRuntimes, by name."""
    return tuple(yaml.safe_load(path.read_text()) for path in sorted(Path(__file__).parent.glob("*.yaml")))


@dataclass(frozen=True)
class ServingRuntime:
    """``arguments`` are the options of a predictor's `args` that the program takes; any other is refused by name."""

    name: str
    image: str
    command: tuple[str, ...]
    protocol_versions: tuple[str, ...]
    arguments: tuple[str, ...] = ()


RUNTIMES = {
    "pytorch": ServingRuntime(
        name="kserve-torchserve",
        image="pytorch/torchserve-kfs:0.12.0",
        command=("python", "-m", "predictors.torchserve"),
        protocol_versions=("v1", "v2"),
        arguments=("--model-store",),
    ),
}
