"""The serving runtimes: what runs for which kind of predictor, as KServe's ClusterServingRuntimes say it.

A runtime's program lies in `minipdk.serving.predictors` and is mounted into its container; its packages come from the
course's environment, which is what its image name stands for here.
"""

from __future__ import annotations

from dataclasses import dataclass

STORAGE_INITIALIZER_IMAGE = "kserve/storage-initializer:v0.14.1"
STORAGE_INITIALIZER_COMMAND = ("python", "-m", "predictors.storage_initializer")


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

BUILT_IN_IMAGES = frozenset({STORAGE_INITIALIZER_IMAGE, *(runtime.image for runtime in RUNTIMES.values())})
