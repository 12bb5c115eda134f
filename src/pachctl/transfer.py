"""Files between this machine and the cluster: one stream for many files, and progress on a terminal.

Local files are opened before the stream begins, so that a name that is wrong fails before anything is written.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pachyderm_sdk.api import pfs

from pachctl.errors import PachctlError

CHUNK = 4 * 1024 * 1024
SHOW_FROM = 8 * 1024 * 1024
"""Transfers of fewer bytes end before a progress bar says anything."""


@dataclass(frozen=True)
class Upload:
    """One file to write: from a local file, a URL, or standard input (``-``)."""

    path: str
    source: str
    recursive: bool = False

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
    for one in uploads:
        if one.is_url or one.source == "-":
            continue
        if Path(one.source).is_dir():
            raise PachctlError(f"{one.source} is a directory: use -r to put the files in it")
        if not Path(one.source).exists():
            raise PachctlError(f"{one.source} doesn't exist")
        if not os.access(one.source, os.R_OK):
            raise PachctlError(f"{one.source} cannot be read: permission denied")


def send(cluster: Any, commit: pfs.Commit, uploads: list[Upload], append: bool) -> None:
    """Write all files in one ``ModifyFile`` stream: one commit, or none of them."""
    check(uploads)
    failure: list[OSError] = []

    def requests() -> Iterator[pfs.ModifyFileRequest]:
        try:
            yield pfs.ModifyFileRequest(set_commit=commit)
            for one in uploads:
                yield from _requests(one, append, advance)
        except OSError as error:  # gRPC would only say that the requests ended badly
            failure.append(error)
            raise

    with progress(sum(one.size for one in uploads), "put") as advance:
        try:
            cluster.pfs.modify_file(requests())
        except Exception:
            if failure:
                raise PachctlError(f"{failure[0].filename or 'standard input'}: {failure[0].strerror}") from failure[0]
            raise


def _requests(one: Upload, append: bool, advance: Any) -> Iterator[pfs.ModifyFileRequest]:
    if not append:
        yield pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=one.path))
    if one.is_url:
        source = pfs.AddFileUrlSource(url=one.source, recursive=one.recursive)
        yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path=one.path, url=source))
        return
    with _open(one.source) as file:
        data = file.read(CHUNK)
        while True:
            yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path=one.path, raw=data))  # an empty file is one empty part
            advance(len(data))
            if not (data := file.read(CHUNK)):
                return


@contextmanager
def _open(source: str) -> Iterator[IO[bytes]]:
    if source == "-":
        yield sys.stdin.buffer
    else:
        with Path(source).open("rb") as file:
            yield file


def receive(parts: Iterable[Any], target: str, size: int, resume: bool = False) -> None:
    """Write a file's parts to a local file, replacing it only when all have come."""
    path = Path(target)
    with progress(size, "get") as advance:
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


def _write(parts: Iterable[Any], out: Any, advance: Any) -> None:
    for part in parts:
        out.write(part.value)
        advance(len(part.value))


def extract(archive: tarfile.TarFile, prefix: str, target: str, size: int) -> None:
    """Unpack a commit's directory below ``target``; names that would leave it are refused."""
    root = Path(target)
    base = PurePosixPath("/") / prefix.strip("/")
    with progress(size, "get") as advance:
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
def progress(total: int, verb: str) -> Iterator[Any]:
    """A function that takes the bytes just moved; on a terminal a large transfer shows a bar on standard error."""
    if total < SHOW_FROM or not sys.stderr.isatty():
        yield lambda _: None
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
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(verb, total=total)
        yield lambda count: bars.advance(task, count)
