"""The bytes of files: small contents in the database, larger ones as blobs on disk, each kept once.

Writing ten thousand files of 1 KiB as ten thousand synced files would take longer than everything else together; in the
database they are one synced write. A file is a list of parts: the chunks of what was put, and of each thing appended to it.
What no file names any more is garbage, which `minipdk.services.pachyderm.pfs.garbage` takes away.
"""

from __future__ import annotations

import hashlib
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from minipdk.services.pachyderm.errors import NotFoundError
from minipdk.services.pachyderm.pfs.pins import Holds
from minipdk.storage import BlobStore, Database
from minipdk.storage.chunks import chunks

SMALL = 32 << 10
CHUNK = 2 << 20
_BATCH = 8 << 20
_PART = struct.Struct(">32sQ")
_AHEAD = 4  # so many chunks of one file are hashed and written while the next ones arrive


@dataclass(frozen=True, slots=True)
class Part:
    """Stored bytes: their SHA-256 and how many they are."""

    digest: bytes
    size: int


Parts = tuple[Part, ...]
_EMPTY = hashlib.sha256().digest()


class ContentStore:
    """Stores and reads parts. Contents are never changed, so every method may be used from any thread."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="chunks")
        self.blobs = blobs
        self.holds = Holds()

    def writer(self) -> ContentWriter:
        return ContentWriter(self, self._database, self._threads)

    def read(self, parts: Sequence[Part], offset: int = 0, size: int | None = None) -> Iterator[bytes]:
        """The bytes of ``parts`` from ``offset`` on, ``size`` of them at most, in chunks of 2 MiB at most."""
        left = size if size is not None else sum(part.size for part in parts)
        hold = self.holds.hold(part.digest for part in parts)
        for part in parts:
            if left <= 0:
                break
            if offset >= part.size:
                offset -= part.size
                continue
            for chunk in self._read_part(part, offset, min(left, part.size - offset)):
                left -= len(chunk)
                yield chunk
            offset = 0
        del hold  # until here, whoever deletes the file

    def _read_part(self, part: Part, offset: int, size: int) -> Iterator[bytes]:
        if part.size <= SMALL:
            yield self.small(part)[offset : offset + size]
            return
        with self.blobs.open(part.digest.hex()) as file:
            file.seek(offset)
            while size > 0:
                chunk = file.read(min(CHUNK, size))
                if not chunk:
                    raise OSError(f"the blob {part.digest.hex()} is shorter than it was")
                size -= len(chunk)
                yield chunk

    def small(self, part: Part) -> bytes:
        """The bytes of a small part."""
        data = self.find_small(part.digest)
        if data is None:
            raise FileNotFoundError(f"the content {part.digest.hex()} is missing")
        return data

    def find_small(self, digest: bytes) -> bytes | None:
        query = "SELECT data FROM small_contents WHERE digest = ?"
        row = self._database.connection().execute(query, (digest,)).fetchone()
        return bytes(row["data"]) if row is not None else None

    def blob_path(self, part: Part) -> str | None:
        """Where the part lies as a file of its own; None for a small one."""
        return str(self.blobs.path(part.digest.hex())) if part.size > SMALL else None


class ContentWriter:
    """Stores many contents with few syncs. What it stored is on disk once `flush` has returned.

    No garbage collection takes what a writer stored while the writer exists: keep it until the transaction that names its
    parts has begun.
    """

    def __init__(self, store: ContentStore, database: Database, threads: ThreadPoolExecutor) -> None:
        self._store = store
        self._database = database
        self._threads = threads
        self._hold = store.holds.hold()
        self._blobs: set[str] = set()
        self._pending: dict[bytes, bytes] = {}
        self._pending_size = 0

    def put(self, pieces: Iterable[bytes | memoryview]) -> Parts:
        """Store the concatenation of ``pieces``, however long; no parts if it is empty."""
        try:
            return self._put(pieces)
        except BaseException:
            self._store.holds.cut_off += 1
            raise

    def _put(self, pieces: Iterable[bytes | memoryview]) -> Parts:
        parts: list[Part] = []
        under_way: deque[Future[Part]] = deque()
        last: Part | None = None
        for chunk in chunks(pieces):
            if len(chunk) <= SMALL:  # only the last one can be
                last = self.put_small(bytes(chunk))
                continue
            if len(under_way) == _AHEAD:
                parts.append(under_way.popleft().result())
            under_way.append(self._threads.submit(self._put_blob, chunk))
        parts += [future.result() for future in under_way]
        return (*parts, last) if last else tuple(parts)

    def _put_blob(self, chunk: bytearray) -> Part:
        digest = hashlib.sha256(chunk).digest()
        self._hold.add(digest)
        self._blobs.add(digest.hex())
        self._store.blobs.put(digest.hex(), chunk)
        return Part(digest, len(chunk))

    def put_small(self, data: bytes) -> Part:
        digest = hashlib.sha256(data).digest()
        if data and digest not in self._pending:
            self._hold.add(digest)
            self._pending[digest] = data
            self._pending_size += len(data)
            if self._pending_size > _BATCH:
                self.flush()
        return Part(digest, len(data))

    def small(self, part: Part) -> bytes:
        """The bytes of a small part, be it written or still pending."""
        return self._pending.get(part.digest) or self._store.small(part)

    def keep(self, parts: Parts) -> Parts:
        """Parts of a file that may be deleted before they are named anew. Raises NotFoundError if they are gone already."""
        for part in parts:
            self._hold.add(part.digest)
            if part.size <= SMALL:
                data = self._pending.get(part.digest) or self._store.find_small(part.digest)
                is_there = data is not None and self.put_small(data) == part
            else:
                is_there = self._store.blobs.path(part.digest.hex()).exists()
            if not is_there:
                raise NotFoundError(f"the content {part.digest.hex()} was deleted meanwhile")
        return parts

    def flush(self) -> None:
        """Put on disk what is not yet; inside a transaction, the small contents become part of that."""
        if self._blobs:
            self._store.blobs.sync(self._blobs)
            self._blobs.clear()
        if self._pending:
            with self._database.transaction() as connection:
                connection.executemany("INSERT OR IGNORE INTO small_contents VALUES (?, ?)", self._pending.items())
            self._pending.clear()
            self._pending_size = 0


def file_hash(parts: Parts) -> bytes:
    """A file's hash: its content's SHA-256; of a file of several parts, that of their digests and sizes."""
    if len(parts) == 1:
        return parts[0].digest
    return hashlib.sha256(pack(parts)).digest() if parts else _EMPTY


def pack(parts: Parts) -> bytes:
    return b"".join(_PART.pack(part.digest, part.size) for part in parts)


def unpack(packed: bytes) -> Parts:
    return tuple(Part(digest, size) for digest, size in _PART.iter_unpack(packed))
