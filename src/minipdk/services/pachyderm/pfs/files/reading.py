"""Reading the files of commits: inspect, list, walk, glob, diff and get."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import contextmanager

from minipdk.services.pachyderm.errors import DataLossError, NotFoundError, PachydermError
from minipdk.services.pachyderm.pagination import first
from minipdk.services.pachyderm.pfs import commits, paths, store, trees
from minipdk.services.pachyderm.pfs.commits import Commits
from minipdk.services.pachyderm.pfs.files.globs import Glob, compile_glob
from minipdk.services.pachyderm.pfs.model import (
    EVERYTHING,
    FILESETS,
    Commit,
    CommitInfo,
    Entry,
    FileInfo,
    Parts,
    PathRange,
    Tree,
)
from minipdk.services.pachyderm.pfs.transactions import State

_LIMIT = 100_000


class FileReader:
    def __init__(self, state: State, all_commits: Commits) -> None:
        self._state = state
        self._commits = all_commits

    def tree(self, commit: Commit) -> Tree:
        """The tree of a commit or file set. Raises BaseCommitNotFinishedError while it depends on an open commit."""
        connection = self._state.connection
        if commit.repo.name == FILESETS.name:
            return Tree(commit, 0, (store.filesets.layer(connection, commit.id),))
        row = self._commits.pick(commit)
        return Tree(row.commit, row.finished, commits.readable_stack(connection, row))

    # Looking up

    def entry(self, tree: Tree, path: str) -> Entry:
        """The file or directory at ``path``. Raises NotFoundError."""
        entry = trees.find(self._state.connection, tree.stack, paths.clean(path))
        if entry is None:
            raise NotFoundError(f"file {path} not found in repo {tree.commit.repo} at commit {tree.commit.id}")
        return entry

    def find_file(self, tree: Tree, path: str) -> Entry | None:
        """The file at exactly this path; None if there is none or it is a directory."""
        if paths.clean(path) != path or path == "/":
            return None
        return store.layers.lookup(self._state.connection, tree.stack, path)

    def directory(self, tree: Tree, directory: str, start: str = "") -> Iterator[Entry]:
        """The entries of a directory (its path ends in "/") from the name ``start`` on."""
        return store.layers.children(self._state.connection, tree.stack, directory, start)

    def walk_directory(self, tree: Tree, directory: str, after: str = "") -> Iterator[Entry]:
        """The directory and everything below it beyond the path ``after``."""
        return trees.walk(self._state.connection, tree.stack, directory, after)

    def below(self, tree: Tree, entry: Entry) -> Iterator[Entry]:
        """A file itself, or a directory and everything in it."""
        if entry.is_dir:
            yield from trees.walk(self._state.connection, tree.stack, entry.path)
        else:
            yield entry

    def inspect(self, commit: Commit, path: str) -> FileInfo:
        tree = self.tree(commit)
        return tree.info(self.entry(tree, path))

    # Listing

    def children(
        self, commit: Commit, path: str, *, marker: str = "", number: int = 0, reverse: bool = False
    ) -> Iterator[FileInfo]:
        """A directory's entries (none if it is missing), or the file at ``path``, from beyond ``marker`` on."""
        _check_page(number, reverse)
        tree = self.tree(commit)
        return self._children(tree, paths.clean(path), _marker(marker), number, reverse)

    def _children(self, tree: Tree, path: str, marker: str, number: int, reverse: bool) -> Iterator[FileInfo]:
        connection = self._state.connection
        directory = paths.as_directory(path)
        start = marker.removeprefix(directory) if marker.startswith(directory) else ""
        file = self._file_at(tree, path)
        below = store.layers.children(connection, tree.stack, directory, start, reverse=reverse)
        entries = heapq.merge(below, [file] if file else [], key=lambda entry: entry.path, reverse=reverse)
        beyond = (entry for entry in entries if entry.path.rstrip("/") != marker.rstrip("/") or not marker)
        yield from first(number, map(tree.info, beyond))

    def walk(
        self, commit: Commit, path: str, *, marker: str = "", number: int = 0, reverse: bool = False
    ) -> Iterator[FileInfo]:
        """The file or directory at ``path`` and all below it, in order of paths. A missing path is NotFoundError."""
        _check_page(number, reverse)
        tree = self.tree(commit)
        cleaned, marker = paths.clean(path), _marker(marker)
        if cleaned != "/":
            self.entry(tree, path)
        entries = self._walk_back(tree, cleaned, marker) if reverse else self._walk(tree, cleaned, marker)
        return first(number, map(tree.info, entries))

    def _walk(self, tree: Tree, path: str, after: str = "") -> Iterator[Entry]:
        file = self._file_at(tree, path)
        if file is not None and file.path > after:
            yield file
        for entry in trees.walk(self._state.connection, tree.stack, paths.as_directory(path), after):
            if entry.path.rstrip("/") != after.rstrip("/") or not after:
                yield entry

    def _walk_back(self, tree: Tree, path: str, before: str) -> Iterator[Entry]:
        for entry in trees.walk_back(self._state.connection, tree.stack, paths.as_directory(path), before):
            if not before or entry.path.rstrip("/") != before.rstrip("/"):
                yield entry
        file = self._file_at(tree, path)
        if file is not None and (not before or file.path < before):
            yield file

    def _file_at(self, tree: Tree, path: str) -> Entry | None:
        return store.layers.lookup(self._state.connection, tree.stack, path) if path != "/" else None

    # Globs

    def glob(self, commit: Commit, pattern: str, within: PathRange = EVERYTHING) -> Iterator[FileInfo]:
        """The entries whose whole path matches, in order of paths: files in a range, and directories with such files."""
        tree = self.tree(commit)
        return map(tree.info, self.matches_within(tree, pattern, within))

    def glob_captures(self, commit: Commit, pattern: str) -> Iterator[tuple[FileInfo, list[str]]]:
        """The same, each with the text that the pattern's parentheses matched ($1, $2 ...)."""
        tree, glob = self.tree(commit), compile_glob(pattern)
        return ((tree.info(entry), captures) for entry, captures in self._matches(tree, glob))

    def matches_within(self, tree: Tree, pattern: str, within: PathRange) -> Iterator[Entry]:
        """The entries that match a pattern: files whose paths are in a range, and directories with such files."""
        return (entry for entry, _ in self._matches(tree, compile_glob(pattern)) if self.is_within(tree, entry, within))

    def is_within(self, tree: Tree, entry: Entry, within: PathRange) -> bool:
        """Whether a file's path is in a range, or the path of some file in a directory."""
        return within == EVERYTHING or any(file.path in within for file in self.below(tree, entry) if not file.is_dir)

    def _matches(self, tree: Tree, glob: Glob) -> Iterator[tuple[Entry, list[str]]]:
        connection = self._state.connection
        if glob.prefix == glob.pattern != "/":
            for path in (glob.pattern, paths.as_directory(glob.pattern)):
                if entry := store.layers.lookup(connection, tree.stack, path):
                    yield entry, []
            return
        if glob.folder == "/":
            root = store.layers.lookup(connection, tree.stack, "/")
            if root is not None and (captures := glob.match("/")) is not None:
                yield root, captures
        yield from self._matches_below(tree, glob, glob.folder)

    def _matches_below(self, tree: Tree, glob: Glob, directory: str) -> Iterator[tuple[Entry, list[str]]]:
        start = glob.prefix[len(directory) :] if glob.prefix.startswith(directory) else ""
        for entry in store.layers.children(self._state.connection, tree.stack, directory, start):
            if not entry.path.startswith(glob.prefix) and not glob.prefix.startswith(entry.path):
                return  # names come in order, so nothing more can match
            if (captures := glob.match(entry.path)) is not None:
                yield entry, captures
            if entry.is_dir and glob.may_match_below(entry.path):
                yield from self._matches_below(tree, glob, entry.path)

    # Contents

    def single(self, tree: Tree, pattern: str, within: PathRange = EVERYTHING) -> Entry:
        """The only file that matches. Raises NotFoundError, or PachydermError for a directory or several files."""
        match = None
        for entry in self.matches_within(tree, pattern, within):
            if entry.is_dir:
                raise PachydermError("cannot get directory or non-regular file. Use GetFileTAR instead")
            if match is not None:
                raise PachydermError("matched multiple files. Use GetFileTAR instead")
            match = entry
        if match is None:
            raise NotFoundError(f"file {pattern} not found in repo {tree.commit.repo} at commit {tree.commit.id}")
        return match

    def read(self, commit: Commit, path: str, offset: int = 0) -> Iterator[bytes]:
        """The bytes of the only file that matches ``path``, which may be a glob."""
        tree = self.tree(commit)
        return self.read_entry(tree.commit, self.single(tree, path), offset)

    def read_entry(self, commit: Commit, entry: Entry, offset: int = 0, size: int | None = None) -> Iterator[bytes]:
        """The bytes of a file of ``commit``. Raises DataLossError, which names the file."""
        with naming(commit, entry):
            yield from self._state.content.read(entry.parts, offset, size)

    def read_parts(self, parts: Parts) -> Iterator[bytes]:
        """The bytes of parts of any file. Raises DataLossError."""
        return self._state.content.read(parts)

    # Comparing

    def changed_in(self, info: CommitInfo, path: str) -> bool:
        """Whether the file at exactly ``path`` differs between a commit and its parent; False for a directory."""
        hashes = []
        for commit in (info.commit, info.parent):
            entry = self.find_file(self.tree(commit), path) if commit else None
            hashes.append(entry.hash if entry else None)
        return hashes[0] != hashes[1]

    def diff(
        self, new: Commit, path: str, old: Commit | None, old_path: str
    ) -> Iterator[tuple[FileInfo | None, FileInfo | None]]:
        """(new, old) for every path that differs; None on the side that lacks it. ``old`` None: an empty tree."""
        new_tree = self.tree(new)
        old_tree = self.tree(old) if old else Tree(new, 0, ())
        new_dir, old_dir = paths.as_directory(paths.clean(path)), paths.as_directory(paths.clean(old_path))
        for new_entry, old_entry in self._diff(new_tree, old_tree, new_dir, old_dir):
            yield (
                new_tree.info(new_entry) if new_entry else None,
                old_tree.info(old_entry) if old_entry else None,
            )

    def _diff(self, new: Tree, old: Tree, new_path: str, old_path: str) -> Iterator[tuple[Entry | None, Entry | None]]:
        connection = self._state.connection
        sides = [(new.stack, new_path), (old.stack, old_path)]
        files = [store.layers.lookup(connection, stack, path.rstrip("/")) if path != "/" else None for stack, path in sides]
        yield from self._diff_entries(new, old, files[0], files[1])
        tops = [store.layers.lookup(connection, stack, path) for stack, path in sides]
        yield from self._diff_entries(new, old, tops[0], tops[1])

    def _diff_entries(
        self, new: Tree, old: Tree, a: Entry | None, b: Entry | None
    ) -> Iterator[tuple[Entry | None, Entry | None]]:
        """Compare two entries of one name; the contents of equal directories are skipped."""
        if a == b or (a is not None and b is not None and a.path == b.path and a.hash == b.hash):
            return
        if a is not None and b is not None and a.path != b.path:
            yield a, None
            yield None, b
        else:
            yield a, b
        present = a or b
        if present is None or not present.is_dir:
            return
        names_a, names_b = self._by_name(new, a), self._by_name(old, b)
        for name in sorted(names_a.keys() | names_b.keys()):
            yield from self._diff_entries(new, old, names_a.get(name), names_b.get(name))

    def _by_name(self, tree: Tree, directory: Entry | None) -> dict[str, Entry]:
        if directory is None:
            return {}
        children = store.layers.children(self._state.connection, tree.stack, directory.path)
        return {child.name: child for child in children}


@contextmanager
def naming(commit: Commit, entry: Entry) -> Iterator[None]:
    """Add the name of the file whose bytes are read to a DataLossError."""
    try:
        yield
    except DataLossError as error:
        raise DataLossError(error.digest, error.fault, f"{commit}:{entry.path}") from error


def _check_page(number: int, reverse: bool) -> None:
    if number <= 0 and reverse:  # the vendor's server panics if it is negative
        raise PachydermError("number must be > 0 when reverse is true")
    if number > _LIMIT:
        raise PachydermError("cannot return more than 100000 files at a time")


def _marker(marker: str) -> str:
    return (paths.clean(marker) + ("/" if marker.endswith("/") and marker != "/" else "")) if marker else ""
