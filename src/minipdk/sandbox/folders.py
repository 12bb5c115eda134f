"""The private folders of running containers: ``containers/<id>``, each locked by the process that will remove it.

The lock distinguishes the folder of a running container from a folder that a killed launcher left behind. Process ids could
not, because the kernel reuses them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from minipdk.common.home import Home
from minipdk.sandbox import launcher
from minipdk.sandbox.errors import ContainerSpecError

_swept: set[Path] = set()


def create(home: Home) -> tuple[Path, int]:
    """A new private folder and the descriptor that holds its lock. The first call of a process also removes leftovers."""
    folders = home.folder("containers")
    if folders not in _swept:
        _swept.add(folders)
        sweep(home)
    with _registry(folders, fcntl.LOCK_SH):
        folder = folders / uuid.uuid4().hex[:16]
        folder.mkdir(mode=0o700)
        lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return folder, lock


def sweep(home: Home) -> int:
    """Remove the folders that killed launchers left behind; return how many. Running containers are not touched."""
    folders = home.folder("containers")
    with _registry(folders, fcntl.LOCK_EX):
        return sum(remove_unused(folder) for folder in folders.iterdir() if folder.is_dir())


def remove_unused(folder: Path) -> bool:
    """Remove ``folder``, even parts without permissions, unless a container holds its lock; return whether it is gone."""
    lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        launcher.remove(str(folder))
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def hold(layers: Sequence[str]) -> list[int]:
    """Descriptors whose shared locks keep layers from being removed while a container uses them."""
    held: list[int] = []
    for layer in layers:
        try:
            held.append(os.open(layer, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            for descriptor in held:
                os.close(descriptor)
            raise ContainerSpecError(f"the image's layer {layer} is gone: build the image again") from None
        fcntl.flock(held[-1], fcntl.LOCK_SH)
    return held


@contextlib.contextmanager
def _registry(folders: Path, mode: int) -> Iterator[None]:
    """Creating and sweeping exclude each other, because a new folder is not locked yet."""
    lock = os.open(folders, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, mode)
        yield
    finally:
        os.close(lock)
