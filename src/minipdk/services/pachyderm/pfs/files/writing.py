"""Changing the files of open commits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from minipdk.services.pachyderm.pfs import paths, store, trees
from minipdk.services.pachyderm.pfs.content import SMALL, ContentWriter
from minipdk.services.pachyderm.pfs.files.reading import FileReader
from minipdk.services.pachyderm.pfs.model import Branch, Change, Commit, Copy, Delete, Parts, Put, Stack


@dataclass
class Overlay:
    """The effect of changes on a tree: the new contents of ``files`` (None: removed).

    ``cleared`` are the files that were removed, including ones that were put again.
    """

    files: dict[str, Parts | None] = field(default_factory=dict)
    cleared: set[str] = field(default_factory=set)

    def clear(self, path: str) -> None:
        self.files[path] = None
        self.cleared.add(path)


class FileWriter(FileReader):
    """Reads any commit's files and writes to open commits."""

    def writer(self) -> ContentWriter:
        return self._state.content.writer()

    def modify(self, commit: Commit, changes: Iterable[Change]) -> None:
        """Apply ``changes`` in order, all or none, to an open commit."""
        with self._state.transactions.begin() as txn:
            row_id, stack = self._commits.writable_stack(commit)
            overlay = self._overlay(stack, changes)
            trees.change(self._state.connection, stack, overlay.files)
            self._commits.note_size(row_id, stack)
            store.commits.set_updated(self._state.connection, row_id, txn.now)

    def modify_branch(self, branch: Branch, changes: Iterable[Change]) -> None:
        """Apply ``changes`` in a new commit on ``branch``, and finish it."""
        with self._state.transactions.begin():
            commit = self._commits.start(branch)
            self.modify(commit, changes)
            self._commits.finish(commit)

    def write(self, commit: Commit, files: Mapping[str, bytes]) -> None:
        """Put small files into an open commit, replacing existing ones."""
        writer = self.writer()
        with self._state.transactions.begin():
            changes: list[Change] = []
            for path, data in files.items():
                cleaned = paths.clean_for_write(path)
                changes += [Delete(cleaned), Put(cleaned, writer.put([data]))]
            writer.flush()
            self.modify(commit, changes)

    def _overlay(self, stack: Stack, changes: Iterable[Change]) -> Overlay:
        overlay = Overlay()
        writer = self.writer()

        def append(path: str, parts: Parts) -> None:
            overlay.files[path] = self._joined(writer, self._current(stack, overlay, path), parts)

        for change in changes:
            if isinstance(change, Put):
                append(change.path, change.parts)
            elif isinstance(change, Delete):
                for path in self._deleted(stack, overlay.files, change.path):
                    overlay.clear(path)
            else:
                for path, parts in self._copied(change):
                    if not change.append:
                        overlay.clear(path)
                    append(path, parts)
        writer.flush()
        return overlay

    def _current(self, stack: Stack, overlay: Overlay, path: str) -> Parts:
        if path in overlay.files:
            return overlay.files[path] or ()
        entry = store.layers.lookup(self._state.connection, stack, path)
        return entry.parts if entry else ()

    def _joined(self, writer: ContentWriter, old: Parts, new: Parts) -> Parts:
        """The parts of a file after an append. Small neighbours become one part, so small appends do not pile up."""
        if not old or not new or old[-1].size + new[0].size > SMALL:
            return old + new
        joined = writer.small(old[-1]) + writer.small(new[0])
        return (*old[:-1], writer.put_small(joined), *new[1:])

    def _deleted(self, stack: Stack, overlay: Collection[str], path: str) -> list[str]:
        """The files that deleting a clean ``path`` removes. A single file is listed even if it does not exist."""
        if not path.endswith("/"):
            return [path]
        below = trees.walk(self._state.connection, stack, path)
        return [
            *(known for known in overlay if known.startswith(path)),
            *(entry.path for entry in below if not entry.is_dir),
        ]

    def _copied(self, copy: Copy) -> Iterator[tuple[str, Parts]]:
        tree = self.tree(copy.commit)
        source = paths.clean(copy.source)
        for entry in list(self._walk(tree, source)):
            if not entry.is_dir:
                target = paths.clean(copy.path + "/" + entry.path[len(source) :])
                yield paths.clean_for_write(target), entry.parts
