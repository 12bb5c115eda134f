"""File sets: files that belong to no commit. PPS keeps the output of its datums in them, S3 the parts of uploads.

Clients make them too, and renew them before they expire. A client's file set may also remove files: these paths are removed
from the commit it is added to, before its files are appended. To read a file set, its id is used as a commit of the repo
``__filesets__``.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence

from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import store, trees
from minipdk.services.pachyderm.pfs.files.writing import FileWriter
from minipdk.services.pachyderm.pfs.model import (
    EVERYTHING,
    FILESETS,
    Change,
    Commit,
    Delete,
    Entry,
    Parts,
    PathRange,
    Put,
    Tree,
)

DEFAULT_SECONDS = 600
_LONGEST_SECONDS = 1800
_SHARD_FILES = 1_000_000
_SHARD_BYTES = 1_000_000_000
_SECOND = 1_000_000_000  # nanoseconds
_LATEST = (1 << 63) - 1  # nanoseconds since 1970: the greatest number that the database can store


class FileSets(FileWriter):
    """Keeps files apart from commits, and adds them to commits."""

    def create_fileset(self, changes: Iterable[Change], seconds: int = 0) -> str:
        """Keep the files that ``changes`` make of an empty tree, for ``seconds`` (0: until deleted); the file set's id."""
        with self._state.transactions.begin() as txn:
            connection = self._state.connection
            layer = store.layers.create(connection)
            fileset = uuid.uuid4().hex
            expires = min(txn.now + seconds * _SECOND, _LATEST) if seconds else None
            store.filesets.insert(connection, fileset, layer, txn.now, expires)
            overlay = self._overlay((), changes)
            trees.change(connection, (layer,), {path: parts for path, parts in overlay.files.items() if parts is not None})
            store.filesets.add_removals(connection, fileset, overlay.cleared)
            return fileset

    def fileset_parts(self, fileset: str, path: str) -> Parts:
        """The content of the file at ``path`` of a file set. Raises NotFoundError."""
        return self.entry(self.tree(fileset_commit(fileset)), path).parts

    def fileset_files(self, fileset: str, within: PathRange = EVERYTHING) -> Iterator[Entry]:
        """The files of a file set in order of paths. Raises NotFoundError."""
        return _files(self._walk(self.tree(fileset_commit(fileset)), "/"), within)

    def delete_fileset(self, fileset: str) -> None:
        """Delete a file set if it exists."""
        with self._state.transactions.begin():
            layer = store.filesets.delete(self._state.connection, fileset)
            if layer is not None:
                store.layers.delete_unused(self._state.connection, (layer,))

    def some_expired(self) -> bool:
        return store.filesets.some_expired(self._state.connection, time.time_ns())

    def drop_expired(self) -> None:
        """Delete the file sets that have expired."""
        with self._state.transactions.begin() as txn:
            for fileset in store.filesets.expired(self._state.connection, txn.now):
                self.delete_fileset(fileset)

    def commit_fileset(self, commit: Commit, *, only_changes: bool = False) -> str:
        """A file set of a commit's files, or of its changes to its parent's files."""
        with self._state.transactions.begin():
            tree = self.tree(commit)
            if not only_changes:
                files = _files(self._walk(tree, "/"))
                return self.create_fileset([Put(entry.path, entry.parts) for entry in files], DEFAULT_SECONDS)
            parent = self._commits.inspect(commit).parent
            before = self.tree(parent) if parent else Tree(commit, 0, ())
            changes: list[Change] = []
            for new, old in self._diff(tree, before, "/", "/"):
                if old is not None and not old.is_dir:
                    changes.append(Delete(old.path))
                if new is not None and not new.is_dir:
                    changes.append(Put(new.path, new.parts))
            return self.create_fileset(changes, DEFAULT_SECONDS)

    def add_fileset(self, commit: Commit, fileset: str) -> None:
        """Apply a file set's removals and files to an open commit."""
        with self._state.transactions.begin():
            self.modify(commit, self._changes(fileset))

    def compose_filesets(self, filesets: Sequence[str], seconds: int) -> str:
        """A new file set with the effect of these, applied in order."""
        with self._state.transactions.begin():
            return self.create_fileset([change for fileset in filesets for change in self._changes(fileset)], seconds)

    def renew_fileset(self, fileset: str, seconds: int) -> None:
        """Let a file set live for ``seconds`` from now on."""
        if seconds < 1:
            raise PachydermError(f"ttl ({seconds}) must be at least one second")
        if seconds > _LONGEST_SECONDS:
            raise PachydermError(f"ttl ({seconds}s) exceeds max ttl ({_LONGEST_SECONDS}s)")
        with self._state.transactions.begin() as txn:
            self.tree(fileset_commit(fileset))
            store.filesets.set_expiry(self._state.connection, fileset, txn.now + seconds * _SECOND)

    def shards(self, fileset: str, files: int = 0, size: int = 0) -> list[PathRange]:
        """Ranges of paths that together cover everything, each ending with the file that reaches one of the limits.

        ``files`` and ``size`` (in bytes) are the limits of a range; with 0, the vendor's defaults.
        """
        ranges, lower, count, total = list[PathRange](), "", 0, 0
        for entry in self.fileset_files(fileset):
            if count >= (files or _SHARD_FILES) or total >= (size or _SHARD_BYTES):
                ranges.append(PathRange(lower, entry.path))
                lower, count, total = entry.path, 0, 0
            count += 1
            total += entry.size
        return [*ranges, PathRange(lower, "")]

    def _changes(self, fileset: str) -> list[Change]:
        files = [Put(entry.path, entry.parts) for entry in self.fileset_files(fileset)]
        return [*map(Delete, store.filesets.removals(self._state.connection, fileset)), *files]


def fileset_commit(fileset: str) -> Commit:
    """The commit that a file set is read as."""
    return FILESETS.commit(fileset)


def _files(entries: Iterable[Entry], within: PathRange = EVERYTHING) -> Iterator[Entry]:
    return (entry for entry in entries if not entry.is_dir and entry.path in within)
