"""The private /pfs folders of running datums."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from minipdk.common.home import Home


def pfs_folder(home: Home) -> Path:
    """The parent of all of them: on the store's disk, so that files can be linked."""
    return home.folder("run") / "datums"


def new_folder(home: Home) -> Path:
    """An unused name below `pfs_folder`."""
    return pfs_folder(home) / uuid.uuid4().hex


def remove_folder(folder: Path) -> None:
    """Remove a folder and its files, even if user code removed its own permissions."""

    def unlock(function: Callable[[str], object], path: str, _error: object) -> None:
        Path(path).parent.chmod(0o700)
        function(path)

    if folder.exists():
        shutil.rmtree(folder, onerror=unlock)


def move_files(source: Path, target: Path) -> None:
    """Move the files of one folder into another on the same disk, even if user code removed its own permissions."""
    source.chmod(0o700)
    for path in list(source.iterdir()):
        path.rename(target / path.name)
