"""The storage: the files of the project, below a folder that no path leads out of.

Jobs write to the same folders and may leave any symlink there, so each path is resolved beneath the project's open folder
(openat2, RESOLVE_BENEATH). A new file has its name only once it is complete and on disk.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from minipdk.common.home import private_dir
from minipdk.sandbox.syscalls import open_beneath
from minipdk.services.neuro.errors import (
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    PlatformError,
    of_system,
)
from minipdk.services.neuro.model import FileStatus, FileType
from minipdk.services.neuro.names import CLUSTER, ORGANIZATION, PROJECT
from minipdk.storage.space import needing_space

UPLOADS = ".uploads"
BLOCK = 1 << 20


@dataclass(frozen=True)
class Place:
    """A path below the project's folder, as its parts; ``full`` is the path below the storage, for messages."""

    parts: tuple[str, ...]

    @property
    def relative(self) -> str:
        return "/".join(self.parts) or "."

    @property
    def full(self) -> str:
        return "/" + "/".join((ORGANIZATION, PROJECT, *self.parts))

    @property
    def parent(self) -> Place:
        return Place(self.parts[:-1])

    @property
    def name(self) -> str:
        """The last part. Raises InvalidArgumentError for the project's own folder."""
        if not self.parts:
            raise InvalidArgumentError(f"{self.full} is the project's own folder: name a file or a folder in it", "EPERM")
        return self.parts[-1]


def place(path: str) -> Place:
    """The place that ``path``, ``organization/project/...``, names. Raises PlatformError."""
    organization, _, rest = path.strip("/").partition("/")
    project, _, below = rest.partition("/")
    if (organization, project) != (ORGANIZATION, PROJECT):
        raise PermissionDeniedError(
            f"there is no project {organization}/{project} here: the cluster {CLUSTER} has {ORGANIZATION}/{PROJECT} alone"
        )
    parts = tuple(part for part in below.split("/") if part)
    if any(part in (".", "..") or "\0" in part for part in parts):
        raise InvalidArgumentError(f"{path!r} must not have the part '.' or '..', or a null character", "EINVAL")
    return Place(parts)


class Upload:
    """A file that is being received. It is discarded unless it is put in its place."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self.path = file, path
        self.size = 0

    def write(self, data: bytes) -> None:
        with needing_space(self.path):
            self._file.write(data)
        self.size += len(data)

    def sync(self) -> None:
        with needing_space(self.path):
            self._file.flush()
            os.fdatasync(self._file.fileno())

    def blocks(self) -> Iterator[bytes]:
        self._file.seek(0)
        while block := self._file.read(BLOCK):
            yield block

    def discard(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


class Storage:
    """The project's files, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = private_dir(private_dir(folder / ORGANIZATION) / PROJECT)
        self._uploads = folder / UPLOADS
        shutil.rmtree(self._uploads, ignore_errors=True)  # of requests that a killed service left: files alone
        private_dir(self._uploads)
        self._numbers = itertools.count()
        self._root = os.open(self.project, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def resolve(self, where: Place) -> Path:
        """The file or folder's path on this machine, without symlinks. Raises PlatformError."""
        with self._opened(where) as descriptor:
            return Path(f"/proc/self/fd/{descriptor}").readlink()

    def make_folders(self, where: Place) -> None:
        """Make the folder and the folders above it, unless they exist."""
        for depth in range(len(where.parts)):
            above, name = Place(where.parts[:depth]), where.parts[depth]
            with self._opened(above) as folder, _of(Place(where.parts[: depth + 1])), suppress(FileExistsError):
                os.mkdir(name, 0o777, dir_fd=folder)
        if not self._is_folder(where):
            raise InvalidArgumentError(f"{where.full}: file exists", "EEXIST")

    def begin_upload(self) -> Upload:
        path = self._uploads / str(next(self._numbers))
        with needing_space(path):
            return Upload(path.open("w+b"), path)

    def put(self, upload: Upload, where: Place) -> None:
        """Give a received file its place. Raises NotFoundError if its folder is missing."""
        name = where.name
        with suppress(NotFoundError):
            if self._is_folder(where):
                raise InvalidArgumentError(f"{where.full}: is a directory", "EISDIR")
        with self._opened(where.parent) as folder, _of(where):
            upload.sync()
            os.rename(upload.path, name, dst_dir_fd=folder)
            _sync(folder)

    def write(self, upload: Upload, where: Place, offset: int) -> None:
        """Write the received bytes into an existing file. They may follow its end immediately, but not leave a gap."""
        with self._opened(where) as descriptor, _of(where), Path(f"/proc/self/fd/{descriptor}").open("r+b") as file:
            size = os.fstat(file.fileno()).st_size
            if offset > size:
                raise InvalidArgumentError(
                    f"{where.full} has {size} bytes: writing at {offset} would leave a gap; write at {size} or before",
                    "EINVAL",
                )
            with needing_space(self.folder):
                file.seek(offset)
                for block in upload.blocks():
                    file.write(block)
                file.flush()
                os.fdatasync(file.fileno())

    def status(self, where: Place) -> FileStatus:
        with self._opened(where) as descriptor:
            return _status(where.full, os.fstat(descriptor))

    def entries(self, where: Place) -> Iterator[FileStatus]:
        """The files in a folder, by name; a symlink is shown as the file it leads to, if that is in the project."""
        with self._opened(where) as descriptor, _of(where):
            names = sorted(os.listdir(f"/proc/self/fd/{descriptor}"))  # noqa: PTH208  (of an open folder)
            for name in names:
                with suppress(FileNotFoundError):
                    yield self._entry(where, descriptor, name)

    def read(self, where: Place) -> BinaryIO:
        """The open file. Raises PlatformError for a folder, and for a file that is neither."""
        with self._opened(where) as descriptor, _of(where):
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                raise InvalidArgumentError(f"{where.full}: is a directory", "EISDIR")
            if not stat.S_ISREG(mode):
                raise InvalidArgumentError(f"{where.full} is not a regular file", "EINVAL")
            return Path(f"/proc/self/fd/{descriptor}").open("rb")

    def delete(self, where: Place, *, recursive: bool) -> list[tuple[str, bool]]:
        """Delete a file, or with ``recursive`` a folder with everything in it.

        Returns the path that was deleted, and whether it was a folder. A symlink is deleted, never followed.
        """
        name = where.name
        with self._opened(where.parent) as parent, _of(where):
            is_folder = stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
            if is_folder and not recursive:
                raise InvalidArgumentError(f"{where.full}: is a directory", "EISDIR")
            if is_folder:
                _remove_tree(parent, name)
            else:
                os.unlink(name, dir_fd=parent)
        return [(where.full, is_folder)]

    def rename(self, source: Place, destination: Place) -> None:
        old, new = source.name, destination.name
        with self._opened(source.parent) as before, self._opened(destination.parent) as after, _of(source):
            os.rename(old, new, src_dir_fd=before, dst_dir_fd=after)

    def usage(self) -> tuple[int, int, int]:
        """The disk's bytes in all, used and free."""
        return shutil.disk_usage(self.project)

    def _is_folder(self, where: Place) -> bool:
        with self._opened(where) as descriptor:
            return stat.S_ISDIR(os.fstat(descriptor).st_mode)

    def _entry(self, where: Place, folder: int, name: str) -> FileStatus:
        link = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(link.st_mode):
            try:
                return _status(name, self._stat(Place((*where.parts, name))))
            except PlatformError:
                target = os.readlink(name, dir_fd=folder)
                return FileStatus(_text(name), FileType.SYMLINK, link.st_size, link.st_mtime, _text(target))
        return _status(name, link)

    def _stat(self, where: Place) -> os.stat_result:
        with self._opened(where) as descriptor:
            return os.fstat(descriptor)

    @contextmanager
    def _opened(self, where: Place) -> Iterator[int]:
        """A descriptor (O_PATH) of the file or folder. Raises PlatformError."""
        try:
            descriptor = open_beneath(self._root, where.relative)
        except OSError as error:
            raise of_system(error, where.full) from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)


@contextmanager
def _of(where: Place) -> Iterator[None]:
    """Refuse with the errors of the operating system about ``where``."""
    try:
        yield
    except OSError as error:
        raise of_system(error, where.full) from error


def _status(path: str, result: os.stat_result) -> FileStatus:
    kind = FileType.DIRECTORY if stat.S_ISDIR(result.st_mode) else FileType.FILE
    length = result.st_size if kind is FileType.FILE else 0
    return FileStatus(_text(path), kind, length, result.st_mtime)


def _text(name: str) -> str:
    """A file's name as text; bytes that are no UTF-8 are replaced."""
    return os.fsencode(name).decode(errors="replace")


def _remove_tree(parent: int, name: str) -> None:
    """Remove the folder ``name`` of the open folder ``parent``. Symlinks are not followed.

    Unlike shutil.rmtree, it needs neither a stack frame nor an open file for each level, of which there may be thousands.
    """
    here = _open_folder(name, parent)
    try:
        levels = [(name, _identity(here), _remove_files(here))]
        while True:
            if folders := levels[-1][2]:
                child = folders.pop()
                here = _step(here, child)
                levels.append((child, _identity(here), _remove_files(here)))
                continue
            removed, _, _ = levels.pop()
            if not levels:
                break
            here = _step(here, "..")
            if _identity(here) != levels[-1][1]:
                raise OSError(errno.ESTALE, "the folder was moved while it was being deleted")
            os.rmdir(removed, dir_fd=here)
    finally:
        os.close(here)
    os.rmdir(name, dir_fd=parent)


def _open_folder(name: str, folder: int) -> int:
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)


def _step(folder: int, name: str) -> int:
    """Open the folder ``name`` of ``folder``, which is closed."""
    following = _open_folder(name, folder)
    os.close(folder)
    return following


def _identity(folder: int) -> tuple[int, int]:
    result = os.fstat(folder)
    return result.st_dev, result.st_ino


def _remove_files(folder: int) -> list[str]:
    """Remove everything in the open folder but its folders, whose names are returned."""
    with os.scandir(folder) as entries:
        folders = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    for name in (name for name, is_folder in folders.items() if not is_folder):
        os.unlink(name, dir_fd=folder)
    return [name for name, is_folder in folders.items() if is_folder]


def _sync(folder: int) -> None:
    descriptor = os.open(f"/proc/self/fd/{folder}", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some filesystems cannot sync folders
            raise
    finally:
        os.close(descriptor)
