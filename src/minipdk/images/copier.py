"""Copy files into, or out of, an image's root. Runs inside a container, alone: it imports nothing of minipdk.

Reads a JSON plan from stdin::

    {"export": [pattern, ...], "to": folder}    copy matching files, with their full paths, below the folder
    {"folders": [path, ...], "from": folder, "sources": [...], "target": path, "mode": int | null, "extract": bool}

where a source is {"path", "is_folder", "entries": [[path, name], ...]}. The kernel resolves the image's paths inside the
image's own root, so no symlink leads out of it.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import stat
import sys
import tarfile
from pathlib import Path
from typing import Any

GUARD: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
"""Python 3.11.4 and newer (Debian 12 has 3.11.2) check extracted paths. The image's own root confines them anyway."""


def main() -> None:
    plan = json.load(sys.stdin)
    os.umask(0o022)
    try:
        if "export" in plan:
            export(plan["export"], Path(plan["to"]))
        else:
            fill(plan)
    except (OSError, ValueError, tarfile.TarError) as error:
        sys.exit(str(error))


def export(patterns: list[str], folder: Path) -> None:
    for pattern in patterns:
        for match in glob.glob(pattern, include_hidden=True):  # noqa: PTH207  (patterns are absolute)
            source = Path(match).resolve()
            target = folder / match.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
            else:
                shutil.copy2(source, target)


def fill(plan: dict[str, Any]) -> None:
    for folder in plan["folders"]:
        Path(folder).mkdir(parents=True, exist_ok=True)
    for source in plan["sources"]:
        target = Path(plan["target"])
        if not source["is_folder"] and (plan["target"].endswith("/") or target.is_dir()):
            archive = plan["extract"] and tarfile.is_tarfile(Path(plan["from"], source["entries"][0][0]))
            target = target if archive else target / Path(source["path"]).name
        for path, name in source["entries"]:
            place(Path(plan["from"], path), target / name, plan["mode"], extract=plan["extract"] and not source["is_folder"])


def place(source: Path, target: Path, mode: int | None, *, extract: bool) -> None:
    """Copy one file, folder (without its content) or symlink; unpack an archive if ``extract``."""
    status = source.lstat()
    if stat.S_ISDIR(status.st_mode):
        if not target.is_dir():
            target.mkdir(parents=True)
            target.chmod(stat.S_IMODE(status.st_mode) if mode is None else mode)
        return
    if extract and tarfile.is_tarfile(source):
        target.mkdir(parents=True, exist_ok=True)
        with tarfile.open(source) as archive:
            archive.extractall(target, **GUARD)  # noqa: S202  # GUARD is its filter
        return
    if target.is_dir() and not target.is_symlink():
        raise IsADirectoryError(f"cannot copy the file {source.name} over the folder {target}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)
    if mode is not None and not stat.S_ISLNK(status.st_mode):
        target.chmod(mode)


if __name__ == "__main__":
    main()
