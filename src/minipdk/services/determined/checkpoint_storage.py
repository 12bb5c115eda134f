"""The folders of an experiment's checkpoint storage: checkpoints, and the files that the harness writes for TensorBoard.

A checkpoint's files are in ``<host_path>/<storage_path>/<uuid>``; a trial sees the same folder in /determined_shared_fs.
"""

from __future__ import annotations

import fnmatch
import gzip
import io
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minipdk.services.determined.model import Json


def storage_folder(config: Json) -> Path:
    """The folder that contains the checkpoints of an experiment with this configuration."""
    storage = config["checkpoint_storage"]
    return Path(storage["host_path"]) / (storage["storage_path"] or "")


def remove_tensorboard_files(config: Json, cluster_id: str, experiment_id: int) -> None:
    """Remove ``<storage>/<cluster>/tensorboard/experiment/<id>``."""
    folder = storage_folder(config) / cluster_id / "tensorboard" / "experiment" / str(experiment_id)
    shutil.rmtree(folder, ignore_errors=True)


def remove_matching(folder: Path, globs: list[str]) -> dict[str, int]:
    """Remove the files whose path matches any of ``globs``; returns the remaining files with their sizes in bytes."""
    for file in _files(folder):
        if any(fnmatch.fnmatchcase(str(file), glob) for glob in globs):
            (folder / file).unlink()
    return {str(file): (folder / file).stat().st_size for file in _files(folder)}


def archive(folder: Path, kind: str) -> Iterator[bytes]:
    """The folder's files as ``tgz`` or ``zip``, in chunks."""
    buffer = _Buffer()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
            for file in _files(folder):
                target.write(folder / file, str(file))
                yield buffer.take()
    else:
        zipped = gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1)
        with zipped, tarfile.open(fileobj=zipped, mode="w|") as tar:
            for file in _files(folder):
                tar.add(folder / file, str(file), recursive=False)
                yield buffer.take()
    yield buffer.take()


class _Buffer(io.RawIOBase):
    """A file to write an archive to; `take` empties it."""

    def __init__(self) -> None:
        self.pending = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.pending += data
        return len(data)

    def take(self) -> bytes:
        content = bytes(self.pending)
        self.pending.clear()
        return content


def _files(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
