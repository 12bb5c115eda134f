"""Files between this machine and the cluster: one stream for many files, and progress on a terminal.

Local files are opened before the stream begins, so that a name that is wrong fails before anything is written.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import grpc
from pachyderm_sdk.api import pfs

from pachctl.errors import PachctlError

CHUNK = 4 * 1024 * 1024
SHOW_AFTER = 2.0
"""Transfers of fewer seconds end before a progress bar says anything."""

Advance = Callable[[int], None]
"""A callback that gets the number of bytes just transferred."""


@dataclass(frozen=True)
class Upload:
    """One file to write: from a local file, a URL, or standard input (``-``); with ``untar``, an archive's files."""

    path: str
    source: str
    recursive: bool = False
    untar: bool = False

    @property
    def is_url(self) -> bool:
        return is_url(self.source)

    @property
    def size(self) -> int:
        return 0 if self.is_url or self.source == "-" else Path(self.source).stat().st_size


def is_url(source: str) -> bool:
    scheme, separator, _ = source.partition("://")
    return bool(separator) and scheme.replace("+", "").isalnum()


def walk(folder: str, path: str) -> Iterator[Upload]:
    """Every file below ``folder``, in order, at the same place below ``path``."""
    root = Path(folder)
    if root.is_file():
        yield Upload(path, folder)
        return
    if not root.is_dir():
        raise PachctlError(f"{folder} doesn't exist")
    for here, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            source = Path(here) / name
            yield Upload(str(PurePosixPath(path) / source.relative_to(root).as_posix()), str(source))


def check(uploads: Iterable[Upload]) -> None:
    """Refuse sources that cannot be read, before the first byte is sent."""
    for upload in uploads:
        if upload.is_url or upload.source == "-":
            continue
        if Path(upload.source).is_dir():
            raise PachctlError(f"{upload.source} is a directory: use -r to put the files in it")
        if not Path(upload.source).exists():
            raise PachctlError(f"{upload.source} doesn't exist")
        if not os.access(upload.source, os.R_OK):
            raise PachctlError(f"{upload.source} cannot be read: permission denied")


def send(
    cluster: Any, commit: pfs.Commit, uploads: list[Upload], *, append: bool = False, advance: Advance | None = None
) -> None:
    """Write all files in one ``ModifyFile`` stream: one commit, or none of them.

    An existing file is replaced, or extended with ``append``. ``commit`` may name a branch: the stream is then a separate
    commit, finished at its end. Raises PachctlError for a source that cannot be read, before or in the stream.
    """
    check(uploads)
    failure: list[OSError] = []

    def requests() -> Iterator[pfs.ModifyFileRequest]:
        try:
            yield pfs.ModifyFileRequest(set_commit=commit)
            for upload in uploads:
                yield from _requests(upload, append, advance or _ignore)
        except OSError as error:
            failure.append(error)
            # A stream may name its commit only once: pachd refuses this and discards the stream. Ending the stream here
            # would count as its regular end.
            yield pfs.ModifyFileRequest(set_commit=commit)

    try:
        cluster.pfs.modify_file(requests())
    except grpc.RpcError:
        if failure:
            raise PachctlError(f"{failure[0].filename or 'standard input'}: {failure[0].strerror}") from failure[0]
        raise


def _ignore(_count: int) -> None:
    """Show no progress."""


def _requests(upload: Upload, append: bool, advance: Advance) -> Iterator[pfs.ModifyFileRequest]:
    if upload.untar:
        yield from _untarred(upload, append, advance)
        return
    if not append:
        yield pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=upload.path))
    if upload.is_url:
        source = pfs.AddFileUrlSource(url=upload.source, recursive=upload.recursive)
        yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path=upload.path, url=source))
        return
    with _open(upload.source) as file:
        yield from _parts(upload.path, file, advance)


def _parts(path: str, file: IO[bytes], advance: Advance) -> Iterator[pfs.ModifyFileRequest]:
    data = file.read(CHUNK)
    while True:
        yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path=path, raw=data))  # an empty file is one empty part
        advance(len(data))
        if not (data := file.read(CHUNK)):
            return


def _untarred(upload: Upload, append: bool, advance: Advance) -> Iterator[pfs.ModifyFileRequest]:
    """The files of a tar archive, gzipped or not, at the paths that it gives them."""
    try:
        with tarfile.open(upload.source) as archive:
            for member in archive:
                if (content := archive.extractfile(member)) is None:
                    continue
                path = "/" + member.name.lstrip("/")
                if not append:
                    yield pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=path))
                yield from _parts(path, content, advance)
    except tarfile.TarError as error:
        raise OSError(0, f"not a tar archive: {error}", upload.source) from error


@contextmanager
def _open(source: str) -> Iterator[IO[bytes]]:
    if source == "-":
        yield sys.stdin.buffer
    else:
        with Path(source).open("rb") as file:
            yield file


def receive(parts: Iterable[Any], target: str, advance: Advance, resume: bool = False) -> None:
    """Write a file's parts to a local file, replacing it only when all have come."""
    path = Path(target)
    if resume or (path.exists() and not path.is_file()):  # a device or a pipe cannot be replaced
        with path.open("ab" if resume else "wb") as out:
            _write(parts, out, advance)
        return
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as new:
        try:
            _write(parts, new, advance)
        except BaseException:
            Path(new.name).unlink()
            raise
    mask = os.umask(0)
    os.umask(mask)
    Path(new.name).chmod(0o666 & ~mask)
    Path(new.name).replace(path)


def _write(parts: Iterable[Any], out: Any, advance: Advance) -> None:
    for part in parts:
        out.write(part.value)
        advance(len(part.value))


def extract(archive: tarfile.TarFile, prefix: str, target: str, advance: Advance) -> None:
    """Unpack a commit's directory below ``target``; names that would leave it are refused."""
    root = Path(target)
    base = PurePosixPath("/") / prefix.strip("/")
    for member in archive:
        name = PurePosixPath("/") / member.name.lstrip("/")
        below = name.relative_to(base) if name.is_relative_to(base) else name.relative_to("/")
        if ".." in below.parts:
            raise PachctlError(f"the cluster sent a file outside of {target}: {member.name}")
        place = root / below
        if member.isdir():
            place.mkdir(parents=True, exist_ok=True)
        elif (content := archive.extractfile(member)) is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb") as out:
                shutil.copyfileobj(content, out, CHUNK)
            advance(member.size)


@contextmanager
def progress(total: int, verb: str, shown: bool | None = None) -> Iterator[Advance]:
    """A callback for the bytes just transferred; a transfer that takes a while shows a bar on standard error.

    ``shown`` shows or hides the bar; None shows it on a terminal only. A total of 0 is unknown.
    """
    if not (sys.stderr.isatty() if shown is None else shown):
        yield _ignore
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn(verb),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    bars, began = Progress(*columns, console=Console(stderr=True)), time.monotonic()
    task = bars.add_task(verb, total=total or None)

    def advance(count: int) -> None:
        bars.advance(task, count)
        if not bars.live.is_started and time.monotonic() - began > SHOW_AFTER:
            bars.start()

    try:
        yield advance
    finally:
        if bars.live.is_started:
            bars.stop()
