"""The serving runtimes that come with the cluster: their ClusterServingRuntime manifests, and the images these name.

A manifest is ``<name>.yaml`` here, an image's Dockerfile lies in a folder of its own and its program in
`minipdk.serving.predictors`; `images` builds them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from minipdk.serving.api import Object

STORAGE_INITIALIZER_IMAGE = "kserve/storage-initializer:v0.21.0"


@cache
def manifests() -> tuple[Object, ...]:
    """The ClusterServingRuntimes, by name."""
    return tuple(yaml.safe_load(path.read_text()) for path in sorted(Path(__file__).parent.glob("*.yaml")))
