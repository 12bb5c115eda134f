"""The serving runtimes that come with the cluster: their ClusterServingRuntime manifests, and the images these name.

A manifest is ``<name>.yaml`` here, an image's Dockerfile lies in a folder of its own and its program in
`minipdk.services.kserve.predictors`; `images` builds them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from minipdk.controller.api import Object

STORAGE_INITIALIZER_IMAGE = "kserve/storage-initializer:v0.21.0"


@cache
def manifests() -> tuple[Object, ...]:
    """The ClusterServingRuntimes, by name."""
    import yaml  # the cluster's list of services imports this package, and the command line starts quickly

    return tuple(yaml.safe_load(path.read_text()) for path in sorted(Path(__file__).parent.glob("*.yaml")))
