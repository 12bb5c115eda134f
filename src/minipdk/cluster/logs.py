"""Bounds the logs of services: anybody who may connect to a port can make its service write lines."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LARGEST = 16 << 20
"""Bytes of a log, and of the older part that is kept beside it."""


def bound(log: Path, largest: int = LARGEST) -> None:
    """Move the newest part of a log that is too large to ``<log>.1`` and empty it; its writers append, so they go on."""
    size = log.stat().st_size
    if size <= largest:
        return
    with log.open("rb") as full, log.with_name(f"{log.name}.1").open("wb") as older:
        full.seek(size - largest)
        shutil.copyfileobj(full, older)
    os.truncate(log, 0)
