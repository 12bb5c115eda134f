"""The serving runtimes that come with the cluster: their ClusterServingRuntime manifests, and the images these name.

A manifest is ``<name>.yaml``. `minipdk image pull` builds the images, or the node does on first use, from a Dockerfile in a
folder here and the programs in `minipdk.services.kserve.predictors`; the model servers share a Dockerfile, with a list of
requirements for each.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from minipdk.common.service import ImageSource
from minipdk.controller.objects import Object

FOLDER = Path(__file__).parent
CONTEXT = FOLDER.parents[2]
"""The build context: the package minipdk, because the model servers share its HTTP server."""

STORAGE_INITIALIZER_IMAGE = "kserve/storage-initializer:v0.21.0"
MODEL_SERVERS = {
    "kserve/sklearnserver:v0.21.0": "sklearnserver",
    "kserve/onnxserver:v0.21.0": "onnxserver",
    "pytorch/torchserve-kfs:0.12.0": "torchserve",
}
"""The images of the model servers, and the program that each runs."""

IMAGES = {
    STORAGE_INITIALIZER_IMAGE: ImageSource(CONTEXT, FOLDER / "storage-initializer" / "Dockerfile"),
    **{
        image: ImageSource(CONTEXT, FOLDER / "model-server" / "Dockerfile", {"SERVER": server})
        for image, server in MODEL_SERVERS.items()
    },
}


@cache
def manifests() -> tuple[Object, ...]:
    """The ClusterServingRuntimes, by name."""
    import yaml  # the cluster's list of services imports this package, and the command line starts quickly

    return tuple(yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml")))
