"""A layer that makes system folders writable in containers of a user who does not own them.

Overlayfs copies a folder up before its content changes, and refuses to copy a folder of an id that the container does not
have. On a laptop /usr and /etc belong to root. So a layer between the host's folders and the images repeats their tree of
folders, owned by the user: only existing files cannot be written in place (they can be replaced). The files of /etc and of
dpkg's database are repeated too. The layer is made once for a cluster, in a second or so; root does not need it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from minipdk.common.home import Home
from minipdk.sandbox import host
from minipdk.sandbox.folders import remove_unused

WITH_FILES = ("etc", "dpkg")
WITHOUT_FILES = ("/var/lib/dpkg/info",)  # ten thousand files that are only ever added to
WITHOUT_FOLDERS = ("/usr/src", "/usr/lib/modules", "/usr/share/doc", "/usr/share/icons", "/usr/share/help")


def folder(home: Home) -> Path | None:
    """The folder with the layer's parts, named as in `host.HostView.overlays`; None if no layer is needed."""
    return None if os.geteuid() == 0 else _folder(home.folder("images"))


@functools.cache
def _folder(images: Path) -> Path | None:
    foreign = {key: path for key, path in host.view().overlays.items() if not _is_ours(path)}
    if not foreign:
        return None
    folders = images / "host"
    folders.mkdir(exist_ok=True, mode=0o700)
    made = folders / _stamp(foreign)
    with (images / "host.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_dir():
            _make(foreign, made)
            for old in folders.iterdir():
                if old != made:
                    remove_unused(old)
    return made


def _make(foreign: dict[str, str], made: Path) -> None:
    temporary = Path(tempfile.mkdtemp(dir=made.parent))  # left behind by a kill, it is removed with the old ones
    for key, path in foreign.items():
        _repeat(path, f"{temporary}/{key}", with_files=key in WITH_FILES)
    temporary.rename(made)


def _repeat(source: str, target: str, *, with_files: bool) -> None:
    """Make ``target`` a folder like ``source``, with its folders and, if ``with_files``, its readable files."""
    os.mkdir(target, 0o755)
    with os.scandir(source) as entries:
        for entry in entries:
            copy = f"{target}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if source not in WITHOUT_FOLDERS and os.access(entry.path, os.R_OK | os.X_OK):
                    _repeat(entry.path, copy, with_files=with_files and entry.path not in WITHOUT_FILES)
            elif with_files:
                _repeat_file(entry, copy)
    os.chmod(target, stat.S_IMODE(os.stat(source).st_mode) | 0o700)


def _repeat_file(entry: os.DirEntry[str], copy: str) -> None:
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), copy)
    elif entry.is_file():
        with contextlib.suppress(PermissionError):
            shutil.copy2(entry.path, copy)
            return
        os.close(os.open(copy, os.O_CREAT | os.O_WRONLY, 0o600))  # a lock or a secret: there, and empty


def _is_ours(path: str) -> bool:
    return os.stat(path).st_uid == os.geteuid()


def _stamp(foreign: dict[str, str]) -> str:
    """A hash that changes when packages of the host's system do."""
    watched = [*foreign.values(), *(f"{host.PACKAGE_FOLDERS['dpkg']}/status", "/etc/passwd", "/etc/ld.so.cache")]
    times = [(path, os.stat(path).st_mtime_ns) for path in watched if os.path.exists(path)]
    return hashlib.sha256(repr((os.geteuid(), times)).encode()).hexdigest()[:16]
