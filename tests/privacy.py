"""Find files of a folder that other users can read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

GROUP_OR_OTHERS_READ, GROUP_OR_OTHERS_ENTER = 0o044, 0o011
LARGEST = 16 << 20


def readable_by_others(folder: Path, leave_out: Iterable[str] = ()) -> Iterator[Path]:
    """The files below ``folder`` that other users can read, if they can enter the folders above it; links are skipped."""
    for root, folders, names in os.walk(folder):
        if not Path(root).stat().st_mode & GROUP_OR_OTHERS_ENTER and Path(root) != folder:
            folders.clear()
            continue
        folders[:] = [name for name in folders if name not in leave_out]
        files = (Path(root) / name for name in names)
        yield from (file for file in files if not file.is_symlink() and file.stat().st_mode & GROUP_OR_OTHERS_READ)


def with_secrets(files: Iterable[Path], secrets: Iterable[bytes]) -> list[Path]:
    """The ``files`` that contain one of the ``secrets``."""
    secrets = [*secrets, b"PRIVATE" + b" KEY-----"]
    return [
        file
        for file in files
        if file.is_file()
        and file.stat().st_size < LARGEST
        and (content := file.read_bytes())
        and any(secret in content for secret in secrets)
    ]
