"""Find changes in a container's private layer."""

from __future__ import annotations

import os
from pathlib import Path

from minipdk.sandbox import host

BYTECODE = "__pycache__"


def parts(prefix: str) -> list[str]:
    """The paths below a layer's folder that correspond to ``prefix`` in the container."""
    prefix = os.path.normpath(prefix)
    overlays = host.view().overlays
    paths = [f"root{prefix if prefix != '/' else ''}"]
    for key, folder in overlays.items():
        if prefix == folder or prefix.startswith(f"{folder}/"):
            return [f"{key}{prefix.removeprefix(folder)}"]
        if prefix == "/" or folder.startswith(f"{prefix}/"):
            paths.append(key)
    return paths


def changed(upper: Path | int, prefix: str) -> bool:
    """Whether the layer ``upper`` (a path or a folder's descriptor) changes a file below ``prefix``."""
    if isinstance(upper, Path):
        try:
            upper = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return changed(upper, prefix)
        finally:
            os.close(upper)
    return any(_has_a_file(part, upper) for part in parts(prefix))


def _has_a_file(path: str, folder: int) -> bool:
    """Whether ``path`` below ``folder`` is, or contains, more than folders and bytecode. Whiteouts of deletions count."""
    try:
        os.stat(path, dir_fd=folder, follow_symlinks=False)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return False
    except OSError:  # a file, a link, a whiteout
        return True
    try:
        return any(_has_a_file(name, descriptor) for name in os.listdir(descriptor) if name != BYTECODE)
    finally:
        os.close(descriptor)
