"""Unpack untrusted archives: nothing is written outside the folder, and size and number of files are limited.

The formats' modules are imported on use, because the storage initializer imports this one before every model.
"""

from __future__ import annotations

import shutil
import stat
import zlib
from pathlib import Path, PurePosixPath

from .errors import ArchiveError

MAX_BYTES = 16 << 30
MAX_MEMBERS = 100_000
ZIP, TAR = (".zip",), (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def is_archive(name: str) -> bool:
    """Whether KServe unpacks a file of this name."""
    return name.lower().endswith((*ZIP, *TAR))


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar archive, compressed or not, below ``folder``. Raises ArchiveError."""
    (unpack_zip if archive.name.lower().endswith(ZIP) else unpack_tar)(archive, folder)


def unpack_zip(archive: Path, folder: Path) -> None:
    """Unpack a zip archive below ``folder``. Raises ArchiveError."""
    import zipfile

    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check_size(archive, len(members), sum(member.file_size for member in members))
            for member in members:
                # zipfile replaces the host's separators in `filename`; the original name has its backslashes.
                _check_name(archive, member.orig_filename, plain=not stat.S_ISLNK(member.external_attr >> 16))
            for member in members:
                opened.extract(member, folder)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise ArchiveError(f"{archive.name} is broken or no zip archive: {error}") from None


def unpack_tar(archive: Path, folder: Path) -> None:
    """Unpack a tar archive below ``folder``. Raises ArchiveError."""
    import lzma
    import tarfile

    # tarfile's own filter="data" came with Python 3.11.4.
    try:
        with tarfile.open(archive) as opened:
            count, size = 0, 0
            for member in opened:
                count, size = count + 1, size + member.size
                _check_size(archive, count, size)
                _check_name(archive, member.name, plain=member.isfile() or member.isdir())
                path = folder / member.name
                (path if member.isdir() else path.parent).mkdir(parents=True, exist_ok=True)
                content = opened.extractfile(member)
                if content:
                    with path.open("wb") as file:
                        shutil.copyfileobj(content, file)
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError) as error:
        raise ArchiveError(f"{archive.name} is broken or no tar archive: {error}") from None


def _check_size(archive: Path, members: int, size: int) -> None:
    if members > MAX_MEMBERS or size > MAX_BYTES:
        raise ArchiveError(f"{archive.name} unpacks to more than {MAX_BYTES >> 30} GiB or {MAX_MEMBERS} files")


def _check_name(archive: Path, name: str, *, plain: bool) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name:
        raise ArchiveError(f"{archive.name} holds the unsafe path {name!r}")
    if not plain:
        raise ArchiveError(f"{archive.name} holds the link or device {name!r}: archives hold plain files")
