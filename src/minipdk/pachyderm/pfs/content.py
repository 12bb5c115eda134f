"""The bytes of files: small contents in the database, larger ones as blobs on disk, each kept once.

Writing ten thousand files of 1 KiB as ten thousand synced files would take longer than everything else together; in the
database they are one synced write. A file is a list of parts, one for each time something was appended to it.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from minipdk.storage import BlobStore, Database

SMALL = 32 << 10
CHUNK = 2 << 20
_BATCH = 8 << 20
_PART = struct.Struct(">32sQ")


@dataclass(frozen=True, slots=True)
class Part:
    """Stored bytes: their SHA-256 and how many they are."""

    digest: bytes
    size: int


EMPTY = Part(hashlib.sha256().digest(), 0)


class ContentStore:
    """Stores and reads parts. Contents are never changed, so every method may be used from any thread."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        self._blobs = blobs

    def writer(self) -> ContentWriter:
        return ContentWriter(self._database, self._blobs)

    def read(self, parts: Sequence[Part], offset: int = 0, size: int | None = None) -> Iterator[bytes]:
        """The bytes of ``parts`` from ``offset`` on, ``size`` of them at most, in chunks of 2 MiB at most."""
        left = size if size is not None else sum(part.size for part in parts)
        for part in parts:
            if left <= 0:
                return
            if offset >= part.size:
                offset -= part.size
                continue
            for chunk in self._read_part(part, offset, min(left, part.size - offset)):
                left -= len(chunk)
                yield chunk
            offset = 0

    def _read_part(self, part: Part, offset: int, size: int) -> Iterator[bytes]:
        if part.size <= SMALL:
            yield self.small(part)[offset : offset + size]
            return
        with self._blobs.open(part.digest.hex()) as file:
            file.seek(offset)
            while size > 0:
                chunk = file.read(min(CHUNK, size))
                if not chunk:
                    raise OSError(f"the blob {part.digest.hex()} is shorter than it was")
                size -= len(chunk)
                yield chunk

    def small(self, part: Part) -> bytes:
        if not part.size:
            return b""
        query = "SELECT data FROM small_contents WHERE digest = ?"
        row = self._database.connection().execute(query, (part.digest,)).fetchone()
        if row is None:
            raise OSError(f"the content {part.digest.hex()} is missing")
        return bytes(row["data"])

    def blob_path(self, part: Part) -> str | None:
        """Where the part lies as a file of its own; None for a small one."""
        return str(self._blobs.path(part.digest.hex())) if part.size > SMALL else None


class ContentWriter:
    """Stores many contents with few syncs. What it stored is on disk once `flush` has returned."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        self._blobs = blobs
        self._pending: dict[bytes, bytes] = {}
        self._pending_size = 0

    def put(self, chunks: Iterator[bytes]) -> Part:
        """Store the concatenation of ``chunks``, however long."""
        head: list[bytes] = []
        size = 0
        for chunk in chunks:
            head.append(chunk)
            size += len(chunk)
            if size > SMALL:
                digest, total = self._blobs.put(itertools.chain(head, chunks))
                return Part(bytes.fromhex(digest), total)
        return self.put_small(b"".join(head))

    def put_small(self, data: bytes) -> Part:
        digest = hashlib.sha256(data).digest()
        if data and digest not in self._pending:
            self._pending[digest] = data
            self._pending_size += len(data)
            if self._pending_size > _BATCH:
                self.flush()
        return Part(digest, len(data))

    def small(self, part: Part) -> bytes:
        """The bytes of a small part, be it written or still pending."""
        return self._pending.get(part.digest) or ContentStore(self._database, self._blobs).small(part)

    def flush(self) -> None:
        """Write what is pending; inside a transaction it becomes part of that."""
        if not self._pending:
            return
        with self._database.transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO small_contents VALUES (?, ?)", self._pending.items())
        self._pending.clear()
        self._pending_size = 0


def file_hash(parts: tuple[Part, ...]) -> bytes:
    """A file's hash: its content's SHA-256; of a file of several parts, that of their digests and sizes."""
    if len(parts) == 1:
        return parts[0].digest
    return hashlib.sha256(pack(parts)).digest() if parts else EMPTY.digest


def pack(parts: tuple[Part, ...]) -> bytes:
    return b"".join(_PART.pack(part.digest, part.size) for part in parts)


def unpack(packed: bytes) -> tuple[Part, ...]:
    return tuple(Part(digest, size) for digest, size in _PART.iter_unpack(packed))
