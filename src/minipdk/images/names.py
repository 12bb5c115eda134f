"""Image names, and the public images that stand for the host's own environment."""

from __future__ import annotations

import platform
import re
import sys

from minipdk.images.errors import ImageNameError

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<repository>(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_DEFAULT_REGISTRY = ("docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/", "library/")

_PYTHON = f"this environment's Python {platform.python_version()}"
_SYSTEM = "this machine's own system"
KNOWN_BASES = {
    "python": _PYTHON,
    "pytorch/pytorch": _PYTHON,
    "pytorch/torchserve": _PYTHON,
    "determinedai/environments": _PYTHON,
    "determinedai/pytorch-ngc": _PYTHON,
    "determinedai/pytorch-ngc-dev": _PYTHON,
    "continuumio/miniconda3": _PYTHON,
    "jupyter/base-notebook": _PYTHON,
    "alpine": _SYSTEM,
    "bash": _SYSTEM,
    "busybox": _SYSTEM,
    "debian": _SYSTEM,
    "ubuntu": _SYSTEM,
    "buildpack-deps": _SYSTEM,
}
"""Public images (any tag) and their local equivalent: the host's system folders with its Python environment first on PATH.

They are starting points, not copies: they contain the packages of the environment. Each build prints the equivalent of its
base.
"""


def parse(name: str) -> tuple[str, str]:
    """``(repository, tag)`` of an image name, without Docker Hub's own prefixes. Raises ImageNameError."""
    match = _REFERENCE.fullmatch(name)
    if match is None:
        raise ImageNameError(f"{name!r} is not a valid image name: use NAME[:TAG] in lower case, such as churn-train:1.0")
    repository = match["repository"]
    prefix = next(filter(repository.startswith, _DEFAULT_REGISTRY), "")
    return repository.removeprefix(prefix), match["tag"] or "latest"


def normalise(name: str) -> str:
    """The name under which an image is stored: ``repository:tag``."""
    return ":".join(parse(name))


def stands_for(name: str) -> str | None:
    """The local equivalent of the known base ``name``, of any tag or digest; None for any other image."""
    return KNOWN_BASES.get(parse(name)[0])


def environment() -> str:
    """The Python environment below the layers, as a string: an image works only with the environment it was built on."""
    return f"{sys.prefix} (Python {platform.python_version()})"
