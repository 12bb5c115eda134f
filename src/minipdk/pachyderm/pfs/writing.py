"""Changing the files of open commits, and keeping file sets."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from minipdk.pachyderm.errors import NotFoundError
from minipdk.pachyderm.pfs import paths, trees
from minipdk.pachyderm.pfs.content import SMALL, ContentWriter, Parts
from minipdk.pachyderm.pfs.model import Branch, Commit
from minipdk.pachyderm.pfs.reading import FileReader
from minipdk.pachyderm.pfs.trees import Stack


@dataclass(frozen=True)
class Put:
    """Append ``parts``, which may be none, to the file at ``path``."""

    path: str
    parts: Parts


@dataclass(frozen=True)
class Delete:
    """Remove the file at ``path``, or everything below it if it ends in "/"; what is not there is no error."""

    path: str


@dataclass(frozen=True)
class Copy:
    """Copy the file or directory ``source`` of ``commit`` to ``path``."""

    path: str
    commit: Commit
    source: str
    append: bool = False


Change = Put | Delete | Copy


class FileWriter(FileReader):
    """Reads any commit's files and writes those of open ones."""

    def writer(self) -> ContentWriter:
        return self._state.content.writer()

    def modify(self, commit: Commit, changes: Iterable[Change]) -> None:
        """Apply ``changes`` in order, all or none, to an open commit."""
        with self._state.transactions.begin() as txn:
            row_id, stack = self._commits.writable_stack(commit)
            overlay = self._overlay(stack, changes)
            trees.change(self._state.connection, stack, overlay)
            self._commits.note_size(row_id, stack)
            self._state.connection.execute("UPDATE commits SET updated = ? WHERE id = ?", (txn.now, row_id))

    def modify_branch(self, branch: Branch, changes: Iterable[Change]) -> None:
        """The same in a commit of its own on ``branch``, which is finished at once."""
        with self._state.transactions.begin():
            commit = self._commits.start(branch)
            self.modify(commit, changes)
            self._commits.finish(commit)

    def write(self, commit: Commit, files: Mapping[str, bytes]) -> None:
        """Put small files into an open commit, replacing what was there."""
        writer = self.writer()
        with self._state.transactions.begin():
            changes: list[Change] = []
            for path, data in files.items():
                changes += [Delete(path), Put(paths.clean_for_write(path), writer.put([data]))]
            writer.flush()
            self.modify(commit, changes)

    def _overlay(self, stack: Stack, changes: Iterable[Change]) -> dict[str, Parts | None]:
        """What the tree's files become."""
        connection = self._state.connection
        overlay: dict[str, Parts | None] = {}
        writer = self.writer()

        def current(path: str) -> Parts:
            if path in overlay:
                return overlay[path] or ()
            entry = trees.lookup(connection, stack, path)
            return entry.parts if entry else ()

        def append(path: str, parts: Parts) -> None:
            overlay[path] = self._joined(writer, current(path), parts)

        for one in changes:
            if isinstance(one, Put):
                append(one.path, one.parts)
            elif isinstance(one, Delete):
                self._delete(stack, overlay, one.path)
            else:
                for path, parts in self._copied(one):
                    if not one.append:
                        overlay[path] = None
                    append(path, parts)
        writer.flush()
        return overlay

    def _joined(self, writer: ContentWriter, old: Parts, new: Parts) -> Parts:
        """The parts of a file that was appended to. Small neighbours become one, so small appends do not pile up."""
        if not old or not new or old[-1].size + new[0].size > SMALL:
            return old + new
        joined = writer.small(old[-1]) + writer.small(new[0])
        return (*old[:-1], writer.put_small(joined), *new[1:])

    def _delete(self, stack: Stack, overlay: dict[str, Parts | None], path: str) -> None:
        cleaned = paths.clean(path)
        if not path.endswith("/") and cleaned != "/":
            overlay[cleaned] = None
            return
        directory = paths.as_directory(cleaned)
        for known in overlay:
            if known.startswith(directory):
                overlay[known] = None
        for entry in trees.walk(self._state.connection, stack, directory):
            if not entry.is_dir:
                overlay[entry.path] = None

    def _copied(self, copy: Copy) -> Iterator[tuple[str, Parts]]:
        tree = self.tree(copy.commit)
        source = paths.clean(copy.source)
        for entry in list(self._walk(tree, source)):
            if not entry.is_dir:
                yield paths.clean_for_write(copy.path.rstrip("/") + "/" + entry.path[len(source) :]), entry.parts

    # File sets

    def create_fileset(self, changes: Iterable[Change]) -> str:
        """Keep the files that ``changes`` make of nothing; the file set's id."""
        with self._state.transactions.begin() as txn:
            connection = self._state.connection
            layer = trees.new_layer(connection)
            fileset = uuid.uuid4().hex
            connection.execute("INSERT INTO filesets VALUES (?, ?, ?)", (fileset, layer, txn.now))
            overlay = self._overlay((), changes)
            trees.put_files(connection, layer, {path: parts for path, parts in overlay.items() if parts is not None})
            return fileset

    def fileset_parts(self, fileset: str, path: str) -> Parts:
        """The content of the file at ``path`` of a file set. Raises NotFoundError."""
        connection = self._state.connection
        row = connection.execute("SELECT layer FROM filesets WHERE id = ?", (fileset,)).fetchone()
        entry = trees.lookup(connection, (row["layer"],), path) if row is not None else None
        if entry is None:
            raise NotFoundError(f"file {path} not found in file set {fileset}")
        return entry.parts

    def delete_fileset(self, fileset: str) -> None:
        with self._state.transactions.begin():
            connection = self._state.connection
            row = connection.execute("SELECT layer FROM filesets WHERE id = ?", (fileset,)).fetchone()
            if row is not None:
                connection.execute("DELETE FROM filesets WHERE id = ?", (fileset,))
                trees.drop_unused(connection, (row["layer"],))
