"""File sets: files that belong to no commit. PPS keeps its datums' output in them, S3 the parts of uploads; clients make
them too, for as long as they renew them.

A client's file set may also remove files: the paths that are removed from whatever it is added to, before its own files are
appended. To read one, its id stands as a commit of the repo ``__filesets__``.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence

from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import trees
from minipdk.services.pachyderm.pfs.content import Parts
from minipdk.services.pachyderm.pfs.files.reading import Tree
from minipdk.services.pachyderm.pfs.files.writing import Change, Delete, FileWriter, Put
from minipdk.services.pachyderm.pfs.model import FILESETS, Commit
from minipdk.services.pachyderm.pfs.ranges import EVERYTHING, PathRange
from minipdk.services.pachyderm.pfs.trees import Entry

DEFAULT_SECONDS = 600
_LONGEST_SECONDS = 1800
_SHARD_FILES = 1_000_000
_SHARD_BYTES = 1_000_000_000
_SECOND = 1_000_000_000  # nanoseconds
_LATEST = (1 << 63) - 1  # nanoseconds since 1970; what the database can hold
_EXPIRED = "SELECT id FROM filesets WHERE expires <= ? AND id NOT IN (SELECT fileset FROM cached_filesets)"


class FileSets(FileWriter):
    """Keeps files apart from commits, and lets commits take them over."""

    def create_fileset(self, changes: Iterable[Change], seconds: int = 0) -> str:
        """Keep the files that ``changes`` make of nothing, for ``seconds`` or, with 0, for ever; the file set's id."""
        with self._state.transactions.begin() as txn:
            connection = self._state.connection
            layer = trees.new_layer(connection)
            fileset = uuid.uuid4().hex
            expires = min(txn.now + seconds * _SECOND, _LATEST) if seconds else None
            connection.execute("INSERT INTO filesets VALUES (?, ?, ?, ?)", (fileset, layer, txn.now, expires))
            overlay = self._overlay((), changes)
            trees.change(connection, (layer,), {path: parts for path, parts in overlay.files.items() if parts is not None})
            removals = ((fileset, path) for path in overlay.cleared)
            connection.executemany("INSERT INTO fileset_removals VALUES (?, ?)", removals)
            return fileset

    def fileset_parts(self, fileset: str, path: str) -> Parts:
        """The content of the file at ``path`` of a file set. Raises NotFoundError."""
        return self.entry(self.tree(fileset_commit(fileset)), path).parts

    def fileset_files(self, fileset: str, within: PathRange = EVERYTHING) -> Iterator[Entry]:
        """The files of a file set in order of paths. Raises NotFoundError."""
        return _files(self._walk(self.tree(fileset_commit(fileset)), "/"), within)

    def delete_fileset(self, fileset: str) -> None:
        with self._state.transactions.begin():
            row = self._state.connection.execute("SELECT layer FROM filesets WHERE id = ?", (fileset,)).fetchone()
            if row is not None:
                self._state.connection.execute("DELETE FROM filesets WHERE id = ?", (fileset,))
                trees.drop_unused(self._state.connection, (row["layer"],))

    def some_expired(self) -> bool:
        return self._state.connection.execute(_EXPIRED, (time.time_ns(),)).fetchone() is not None

    def drop_expired(self) -> None:
        """Delete the file sets whose time is over."""
        with self._state.transactions.begin() as txn:
            for row in self._state.connection.execute(_EXPIRED, (txn.now,)).fetchall():
                self.delete_fileset(row["id"])

    def commit_fileset(self, commit: Commit, *, only_changes: bool = False) -> str:
        """A file set of a commit's files, or of what it changes of its parent's."""
        with self._state.transactions.begin():
            tree = self.tree(commit)
            if not only_changes:
                return self.create_fileset(
                    [Put(entry.path, entry.parts) for entry in _files(self._walk(tree, "/"))], DEFAULT_SECONDS
                )
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
        """Apply what a file set removes and adds to an open commit."""
        with self._state.transactions.begin():
            self.modify(commit, self._changes(fileset))

    def compose_filesets(self, filesets: Sequence[str], seconds: int) -> str:
        """A new file set that does what these do, one after the other."""
        with self._state.transactions.begin():
            return self.create_fileset([change for one in filesets for change in self._changes(one)], seconds)

    def renew_fileset(self, fileset: str, seconds: int) -> None:
        """Let a file set live for ``seconds`` from now on."""
        if seconds < 1:
            raise PachydermError(f"ttl ({seconds}) must be at least one second")
        if seconds > _LONGEST_SECONDS:
            raise PachydermError(f"ttl ({seconds}s) exceeds max ttl ({_LONGEST_SECONDS}s)")
        with self._state.transactions.begin() as txn:
            self.tree(fileset_commit(fileset))
            expires = txn.now + seconds * _SECOND
            self._state.connection.execute("UPDATE filesets SET expires = ? WHERE id = ?", (expires, fileset))

    def shards(self, fileset: str, files: int = 0, size: int = 0) -> list[PathRange]:
        """Ranges of paths that together hold everything, each ending with the file that reaches one of the limits.

        ``files`` and ``size`` (in bytes): how much a range should hold; with 0, the vendor's defaults.
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
        rows = self._state.connection.execute("SELECT path FROM fileset_removals WHERE fileset = ?", (fileset,)).fetchall()
        return [*(Delete(row["path"]) for row in rows), *files]


def fileset_commit(fileset: str) -> Commit:
    """The commit that a file set is read as."""
    return FILESETS.commit(fileset)


def _files(entries: Iterable[Entry], within: PathRange = EVERYTHING) -> Iterator[Entry]:
    return (entry for entry in entries if not entry.is_dir and entry.path in within)
