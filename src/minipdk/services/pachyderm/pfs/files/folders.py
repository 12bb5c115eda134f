"""Copying files between PFS and folders on disk: the input of a datum, and its output."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import paths
from minipdk.services.pachyderm.pfs.content import CHUNK, ContentWriter
from minipdk.services.pachyderm.pfs.files.filesets import FileSets
from minipdk.services.pachyderm.pfs.files.reading import naming
from minipdk.services.pachyderm.pfs.model import Change, Commit, Entry, Parts, Put

_PFS_MOUNT = "/pfs/"


@dataclass(frozen=True)
class Upload:
    """Files that were read from a folder; ``writer`` holds their small contents."""

    writer: ContentWriter
    changes: list[Change]


class Files(FileSets):
    """Reads and writes files, and copies them between PFS and folders."""

    def download(self, commit: Commit, path: str, folder: Path, *, empty: bool = False, link: bool = False) -> int:
        """Write the file or the directory's files below ``folder`` at their full paths: the number of bytes.

        ``empty`` leaves out the content. ``link`` makes hard links to the store. Nothing may write through them, so it is
        only for folders that are mounted read-only.
        """
        tree = self.tree(commit)
        total = 0
        for entry in self.below(tree, self.entry(tree, path)):
            target = folder / entry.path.strip("/")
            if entry.is_dir:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if empty:
                target.touch()
                continue
            with naming(tree.commit, entry):
                self._write(entry, target, link=link)
            total += entry.size
        return total

    def _write(self, entry: Entry, target: Path, *, link: bool) -> None:
        target.unlink(missing_ok=True)
        parts = entry.parts
        blob = self._state.content.blob_path(parts[0]) if len(parts) == 1 else None
        if blob and link:
            os.link(blob, target)
        elif blob:
            shutil.copyfile(blob, target)
        else:
            with target.open("wb") as file:
                for chunk in self._state.content.read(parts):
                    file.write(chunk)

    def prepare(self, folder: Path, pfs_root: Path | None = None) -> Upload:
        """Read every file below ``folder``, to be kept as a file set: large contents are on disk when this returns.

        A symbolic link stands for its target: below ``folder``, or, if the target is below /pfs, below ``pfs_root``. A link
        to any other place is refused. Named pipes are left out.
        """
        writer = self.writer()
        roots = [folder.resolve(), *([pfs_root.resolve()] if pfs_root else [])]
        changes: list[Change] = [
            Put(paths.clean_for_write(f"/{path.relative_to(folder)}"), _stored(writer, source))
            for path, source in _files_below(folder, roots, pfs_root, set())
        ]
        return Upload(writer, changes)

    def keep(self, upload: Upload) -> str:
        """Keep a prepared upload as a file set: its id. Inside a transaction it becomes part of that."""
        with self._state.transactions.begin():
            upload.writer.flush()
            return self.create_fileset(upload.changes)


def _stored(writer: ContentWriter, source: Path) -> Parts:
    with source.open("rb") as file:
        return writer.put(iter(lambda: file.read(CHUNK), b""))


def _files_below(folder: Path, roots: list[Path], pfs_root: Path | None, above: set[Path]) -> Iterator[tuple[Path, Path]]:
    """The path and the place of the bytes of every file below ``folder``, in order of names."""
    if folder.resolve() in above:
        raise PachydermError(f"{folder} is a symbolic link to a folder that contains it")
    for path in sorted(folder.iterdir()):
        source = _target(path, roots, pfs_root)
        if source.is_dir():
            for below, bytes_at in _files_below(source, roots, pfs_root, above | {folder.resolve()}):
                yield path / below.relative_to(source), bytes_at
        elif source.is_file():
            yield path, source
        elif not source.is_fifo():  # pachd skips named pipes
            raise PachydermError(f"{path.name} in the output is neither a file nor a folder")


def _target(path: Path, roots: list[Path], pfs_root: Path | None) -> Path:
    """The path itself or the target of the link, which is below one of ``roots``."""
    if not path.is_symlink():
        return path
    link, name = str(path.readlink()), path.name
    if pfs_root is not None and link.startswith(_PFS_MOUNT):
        path = pfs_root / link.removeprefix(_PFS_MOUNT)
    target = path.resolve()
    if not any(target.is_relative_to(root) for root in roots):
        raise PachydermError(f"the symbolic link {name} -> {link} leads out of /pfs: write a file instead")
    if not target.exists():
        raise PachydermError(f"the symbolic link {name} -> {link} leads nowhere")
    return target
