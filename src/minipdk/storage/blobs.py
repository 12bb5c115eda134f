"""Content-addressed blobs: a file is named by the SHA-256 of its bytes, so the same bytes are kept once.

A blob is written to a temporary name, synced and renamed before `put` returns, and its name is on disk once `sync` has
returned. Metadata that names a blob after that never points at missing bytes, whichever process is killed and when.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from minipdk.storage.space import needing_space


class BlobStore:
    """Blobs below ``root``, shared by every thread of a service; no other process writes there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        for cut_off in self._incoming.iterdir():
            cut_off.unlink()

    def put(self, digest: str, data: bytes | bytearray) -> None:
        """Store ``data``, whose SHA-256 in hex is ``digest``, if it is not there already."""
        blob = self.path(digest)
        if blob.exists():
            return
        with needing_space(self.root):
            self._write(blob, data)

    def _write(self, blob: Path, data: bytes | bytearray) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            blob.parent.mkdir(exist_ok=True, mode=0o700)
            temporary.replace(blob)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def sync(self, digests: Iterable[str]) -> None:
        """Put the names of these blobs on disk: a rename is not, until its folder is synced."""
        for folder in {self.root, *(self.path(digest).parent for digest in digests)}:
            sync_folder(folder)

    def open(self, digest: str) -> BinaryIO:
        """Open the blob for reading. Raises FileNotFoundError when there is none."""
        return self.path(digest).open("rb", buffering=0)

    def path(self, digest: str) -> Path:
        """The path of the blob with this SHA-256, whether or not it is there."""
        return self.root / digest[:2] / digest

    def is_empty(self) -> bool:
        return next(self.digests(), None) is None

    def digests(self) -> Iterator[str]:
        """The name of every blob."""
        for folder in sorted(self.root.glob("??")):
            yield from sorted(blob.name for blob in folder.iterdir())

    def set_aside(self, digest: str) -> bool:
        """Move a damaged blob into the folder ``damaged``; False if there is no such blob."""
        damaged = self.root / "damaged"
        damaged.mkdir(exist_ok=True, mode=0o700)
        try:
            self.path(digest).replace(damaged / digest)
        except FileNotFoundError:
            return False
        return True

    def delete(self, digest: str) -> None:
        """Delete the blob. The caller makes sure that no metadata names it any more."""
        self.path(digest).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Put the names in ``folder`` on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
