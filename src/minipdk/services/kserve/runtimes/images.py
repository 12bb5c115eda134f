"""The serving images, which the node builds on first use from the Dockerfiles in this folder."""

from __future__ import annotations

from pathlib import Path

from minipdk.common.service import ImageSource

CONTEXT = Path(__file__).parents[1]
"""The build context: the folder with `runtimes` and `predictors`."""

FOLDERS = {
    "kserve/storage-initializer:v0.21.0": "storage-initializer",
    "kserve/sklearnserver:v0.21.0": "sklearnserver",
    "kserve/onnxserver:v0.21.0": "onnxserver",
    "pytorch/torchserve-kfs:0.12.0": "torchserve",
}
"""Each image's name and the folder of its Dockerfile."""

IMAGES = {name: ImageSource(CONTEXT, Path(__file__).parent / folder / "Dockerfile") for name, folder in FOLDERS.items()}
