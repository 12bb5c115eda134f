"""The serving images, built on first use from the Dockerfiles that lie here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minipdk.home import Home

if TYPE_CHECKING:
    from minipdk.images import Image
    from minipdk.images.store import Progress

CONTEXT = Path(__file__).parents[1]
"""The build context: the folder with `runtimes` and `predictors`."""

FOLDERS = {
    "kserve/storage-initializer:v0.21.0": "storage-initializer",
    "kserve/sklearnserver:v0.21.0": "sklearnserver",
    "kserve/onnxserver:v0.21.0": "onnxserver",
    "pytorch/torchserve-kfs:0.12.0": "torchserve",
}
"""Each image's name and the folder of its Dockerfile."""


def build(home: Home, name: str, progress: Progress = lambda _line: None) -> Image:
    """Build the serving image ``name``; one that is built and unchanged is found in milliseconds.

    ``progress`` gets one line at a time. Raises minipdk.images' BuildError, and SandboxError.
    """
    from minipdk.images import ImageStore

    dockerfile = Path(__file__).parent / FOLDERS[name] / "Dockerfile"
    return ImageStore(home).build(CONTEXT, name, dockerfile=dockerfile, progress=progress)
