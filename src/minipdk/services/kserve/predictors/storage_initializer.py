"""The storage initializer: brings a model to a folder before its server starts.

    python -m predictors.storage_initializer s3://<bucket>/<prefix> /mnt/models

It fetches from ``s3://``, ``http://`` and ``https://``, and ``file://``, a path in its own container. STORAGE_WAIT_SECONDS
says how long to wait for a model that is not there yet: a pipeline deploys from its own output commit, which can be read
only after the pipeline's code has ended. The last line of the output says what it waits for, and at the end what went wrong.

Files are laid out as KServe's own storage code does: https://github.com/kserve/kserve/tree/v0.21.0/python/storage. That code
itself is not used: it does not wait, bounds no archive, and brings sixty packages that contradict the course's.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from minipdk.services.kserve.predictors.storage_errors import NotYetError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Fetch = Callable[[str, Path, Mapping[str, str]], None]

DEFAULT_WAIT_SECONDS = 300.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0


def fetch(uri: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Bring ``uri`` into ``folder``, waiting for it while it is not there yet. Raises StorageError."""
    copy = _copier(uri)
    limit = float(environment.get("STORAGE_WAIT_SECONDS", DEFAULT_WAIT_SECONDS))
    started, pause = time.monotonic(), FIRST_PAUSE
    print(f"Copying contents of {uri} to {folder}", flush=True)  # noqa: T201  # the container's log
    while True:
        _empty(folder)
        try:
            copy(uri, folder, environment)
            break
        except NotYetError as error:
            waited = time.monotonic() - started
            if waited + pause > limit:
                raise StorageError(
                    f"{error} (waited {waited:.0f} s): check the storageUri, and whether its commit was finished"
                ) from None
            print(f"waiting for the model, {waited:.0f} of {limit:.0f} s: {error}", flush=True)  # noqa: T201
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
    _unpack_single(folder)
    count = sum(path.is_file() for path in folder.rglob("*"))
    print(f"Model of {count} files copied in {time.monotonic() - started:.1f} s", flush=True)  # noqa: T201


def _copier(uri: str) -> Fetch:
    """What fetches ``uri``; only that is imported, because this program starts before every model."""
    scheme = uri.partition("://")[0]
    if scheme == "s3":
        from minipdk.services.kserve.predictors import storage_s3

        return storage_s3.fetch
    if scheme in ("http", "https"):
        from minipdk.services.kserve.predictors import storage_http

        return storage_http.fetch
    if scheme == "file":
        return _copy_local
    raise StorageError(f"{uri}: {scheme}:// is not supported by minipdk: use s3, http, https, file or pvc")


def _copy_local(uri: str, folder: Path, _environment: Mapping[str, str]) -> None:
    """Copy a file, or what is in a folder."""
    path = Path(uri.removeprefix("file://"))
    try:
        for source in path.iterdir() if path.is_dir() else [path]:
            if source.is_dir():
                shutil.copytree(source, folder / source.name)
            else:
                shutil.copy2(source, folder / source.name)
    except FileNotFoundError as error:
        raise StorageError(f"{uri}: {error.filename} does not exist") from None
    except (OSError, shutil.Error) as error:
        raise StorageError(f"{uri}: {error}") from None


def _unpack_single(folder: Path) -> None:
    """A model that is one archive is what is in it."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    if not files:
        raise StorageError("no model found: the folder is empty")
    if len(files) > 1:
        return
    from minipdk.services.kserve.predictors.unpacking import ArchiveError, is_archive, unpack

    if is_archive(files[0].name):
        try:
            unpack(files[0], folder)
        except ArchiveError as error:
            raise StorageError(f"{error}") from None
        files[0].unlink()


def _empty(folder: Path) -> None:
    """Remove what an attempt that broke off has left."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def main() -> None:
    uri, folder = sys.argv[1:]
    try:
        fetch(uri, Path(folder), os.environ)
    except StorageError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
