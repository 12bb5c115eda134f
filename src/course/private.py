"""Files that can contain secrets: executed notebooks, and checkpoints, whose configuration can have the cluster's token."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OTHERS = 0o077


@contextmanager
def private(build: Path) -> Iterator[None]:
    """Make the folder ``build``, to which only its owner has access, and keep the files written meanwhile from others."""
    before = os.umask(OTHERS)
    try:
        build.mkdir(parents=True, exist_ok=True)
        build.chmod(0o700)  # it may have been made with another umask
        yield
    finally:
        os.umask(before)
