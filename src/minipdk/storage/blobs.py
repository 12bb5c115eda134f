"""Content-addressed blobs: a file is named by the SHA-256 of its bytes, so the same bytes are kept once.

A blob is written to a temporary name, synced and renamed before `put` returns; metadata that names a blob therefore never
points at missing bytes, whatever is killed when.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO


class BlobStore:
    """Blobs below ``root``, shared by every thread of a service."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Store the concatenation of ``chunks``; return its SHA-256 in hex and its size in bytes."""
        digest, size = hashlib.sha256(), 0
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    size += file.write(chunk)
                blob = self.path(digest.hexdigest())
                if blob.exists():
                    temporary.unlink()
                    return digest.hexdigest(), size
                file.flush()
                os.fsync(file.fileno())
            blob.parent.mkdir(exist_ok=True, mode=0o700)
            temporary.replace(blob)
            _sync_folder(blob.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return digest.hexdigest(), size

    def open(self, digest: str) -> BinaryIO:
        """Open the blob for reading. Raises FileNotFoundError when there is none."""
        return self.path(digest).open("rb")

    def path(self, digest: str) -> Path:
        """Where the blob with this SHA-256 lies, whether or not it is there."""
        return self._root / digest[:2] / digest

    def delete(self, digest: str) -> None:
        """Forget the blob. The caller knows that no metadata names it any more."""
        self.path(digest).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Put the folder's entries on disk: a rename is not, until its folder is synced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
