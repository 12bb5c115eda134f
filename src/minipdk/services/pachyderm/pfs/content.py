"""The bytes of files: small contents in the database, larger ones as blobs on disk, each stored once.

Ten thousand synced files of 1 KiB would take longer to write than everything else together; in the database they are one
synced write. Contents that no file refers to are garbage: `minipdk.services.pachyderm.pfs.garbage` collects them.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from minipdk.services.pachyderm.errors import DataLossError, NotFoundError
from minipdk.services.pachyderm.pfs import store
from minipdk.services.pachyderm.pfs.model import Part, Parts
from minipdk.services.pachyderm.pfs.pins import Pins
from minipdk.storage import BlobStore, Database
from minipdk.storage.chunks import chunks

SMALL = 32 << 10
CHUNK = 2 << 20
_BATCH = 8 << 20
_READERS = 4
_REMEMBERED = 10_000
DAMAGED, MISSING = "is damaged", "is missing"
_AHEAD = 4  # chunks of one file that may be hashed and written while the next ones arrive


class ContentStore:
    """Stores and reads parts. Contents never change, so every method may be used from any thread."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="chunks")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="reads")
        self._intact: dict[bytes, tuple[int, int, int] | None] = {}
        self.blobs = blobs
        self.pins = Pins()

    def writer(self) -> ContentWriter:
        return ContentWriter(self, self._database, self._threads)

    def read(self, parts: Sequence[Part], offset: int = 0, size: int | None = None) -> Iterator[bytes]:
        """At most ``size`` bytes of ``parts`` from ``offset`` on, in chunks of at most 2 MiB.

        No byte of a part is delivered before the whole part was compared with its hash. Meanwhile the caller sends the
        part before. Raises DataLossError.
        """
        left = size if size is not None else sum(part.size for part in parts)
        pin = self.pins.pin(part.digest for part in parts)
        for pieces in self._ahead(_ranges(parts, offset, left)):
            yield from pieces
        del pin  # the bytes stay until here even if the file is deleted

    def _ahead(self, ranges: Iterable[tuple[Part, int, int]]) -> Iterator[list[bytes]]:
        """The bytes of each range of a part, while a thread reads the next one's."""
        under_way: deque[Future[list[bytes]]] = deque()
        for part, start, end in ranges:
            if part.size <= SMALL:
                yield from (future.result() for future in under_way)
                under_way.clear()
                yield [self.small(part)[start:end]]
                continue
            under_way.append(self._readers.submit(self._read_blob, part, start, end))
            if len(under_way) > 1:
                yield under_way.popleft().result()
        yield from (future.result() for future in under_way)

    def _read_blob(self, part: Part, start: int, end: int) -> list[bytes]:
        digest, pieces, size = hashlib.sha256(), [], 0
        try:
            with self.blobs.open(part.digest.hex()) as file:
                while piece := file.read(CHUNK):
                    digest.update(piece)
                    pieces.append(piece[max(0, start - size) : max(0, end - size)])
                    size += len(piece)
        except FileNotFoundError:
            raise DataLossError(part.digest, MISSING) from None
        except OSError as error:
            raise DataLossError(part.digest, f"cannot be read: {error}") from error
        if digest.digest() != part.digest:
            raise DataLossError(part.digest, DAMAGED)
        return list(filter(None, pieces))

    def small(self, part: Part) -> bytes:
        """The bytes of a small part. Raises DataLossError."""
        data = self.find_small(part.digest)
        if data is None:
            raise DataLossError(part.digest, MISSING)
        if hashlib.sha256(data).digest() != part.digest:
            raise DataLossError(part.digest, DAMAGED)
        return data

    def find_small(self, digest: bytes) -> bytes | None:
        return store.contents.find(self._database.connection(), digest)

    def blob_path(self, part: Part) -> str | None:
        """The file on disk that has exactly this part's bytes; None for a small part. Raises DataLossError.

        It is compared with its hash again only if it has changed since: a datum's inputs are links to the same few files.
        """
        if part.size <= SMALL:
            return None
        path = self.blobs.path(part.digest.hex())
        if self._intact.get(part.digest) != _version(path):
            version = _version(path)
            self._read_blob(part, 0, 0)
            self._intact[part.digest] = version
            if len(self._intact) > _REMEMBERED:
                del self._intact[next(iter(self._intact))]
        return str(path)


def _ranges(parts: Iterable[Part], offset: int, size: int) -> Iterator[tuple[Part, int, int]]:
    """The parts that have any of the ``size`` bytes from ``offset`` on: each with the first of its bytes, and the end."""
    for part in parts:
        start, end = max(0, offset), min(part.size, offset + size)
        if start < end:
            yield part, start, end
        offset -= part.size


def _version(path: Path) -> tuple[int, int, int] | None:
    """A value that changes whenever the file is written; None if there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


class ContentWriter:
    """Stores many contents with few syncs. They are on disk once `flush` has returned.

    Garbage collection spares the contents that a writer stored while the writer exists. Keep it until the transaction whose
    files refer to them has begun.
    """

    def __init__(self, contents: ContentStore, database: Database, threads: ThreadPoolExecutor) -> None:
        self._contents = contents
        self._database = database
        self._threads = threads
        self._pin = contents.pins.pin()
        self._blobs: set[str] = set()
        self._pending: dict[bytes, bytes] = {}
        self._pending_size = 0

    def put(self, pieces: Iterable[bytes | memoryview]) -> Parts:
        """Store the concatenation of ``pieces``, however long; no parts if it is empty."""
        try:
            return self._put(pieces)
        except BaseException:
            self._contents.pins.failed_writes += 1
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
        self._pin.add(digest)
        self._blobs.add(digest.hex())
        self._contents.blobs.put(digest.hex(), chunk)
        return Part(digest, len(chunk))

    def put_small(self, data: bytes) -> Part:
        digest = hashlib.sha256(data).digest()
        if data and digest not in self._pending:
            self._pin.add(digest)
            self._pending[digest] = data
            self._pending_size += len(data)
            if self._pending_size > _BATCH:
                self.flush()
        return Part(digest, len(data))

    def small(self, part: Part) -> bytes:
        """The bytes of a small part, stored or still pending."""
        return self._pending.get(part.digest) or self._contents.small(part)

    def keep(self, parts: Parts) -> Parts:
        """Pin the parts of a file that may be deleted before another refers to them. Raises NotFoundError."""
        for part in parts:
            self._pin.add(part.digest)
            if part.size <= SMALL:
                data = self._pending.get(part.digest) or self._contents.find_small(part.digest)
                exists = data is not None and self.put_small(data) == part
            else:
                exists = self._contents.blobs.path(part.digest.hex()).exists()
            if not exists:
                raise NotFoundError(f"the content {part.digest.hex()} was deleted meanwhile")
        return parts

    def flush(self) -> None:
        """Put everything stored on disk; inside a transaction, the small contents become part of that."""
        if self._blobs:
            self._contents.blobs.sync(self._blobs)
            self._blobs.clear()
        if self._pending:
            with self._database.transaction() as connection:
                store.contents.put(connection, self._pending.items())
            self._pending.clear()
            self._pending_size = 0
