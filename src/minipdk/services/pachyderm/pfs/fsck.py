"""Checking that everything PFS has stored fits together, and mending what can be mended.

Commits and branches point at rows that exist, because the database keeps it so. What is checked is what it cannot keep: that
heads of branches and of their provenance belong together, that sizes and directories add up, and that the bytes of every
file are there and are those that were put.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import commits, content, records, trees
from minipdk.services.pachyderm.pfs.commits import Commits
from minipdk.services.pachyderm.pfs.content import SMALL, Part
from minipdk.services.pachyderm.pfs.files.folders import Files
from minipdk.services.pachyderm.pfs.garbage import Garbage
from minipdk.services.pachyderm.pfs.model import USER, Commit
from minipdk.services.pachyderm.pfs.transactions import State


@dataclass(frozen=True)
class Finding:
    """Something that is wrong (``error``), or that was and has been mended (``fix``): one of them is empty."""

    error: str = ""
    fix: str = ""


class Fsck:
    def __init__(self, state: State, all_commits: Commits, files: Files, garbage: Garbage) -> None:
        self._state = state
        self._commits = all_commits
        self._files = files
        self._garbage = garbage

    def check(self, *, fix: bool) -> Iterator[Finding]:
        """Everything that is wrong; with ``fix``, what could be mended was."""
        yield from self._heads()
        yield from self._trees(fix=fix)
        yield from self._layers(fix=fix)
        with self._garbage.paused():
            yield from self._contents(fix=fix)

    def check_contents(self, first: bytes, last: bytes, *, read: bool) -> int:
        """How many contents with digests from ``first`` to ``last`` (if not empty) there are; with ``read``, their bytes are
        checked. Raises PachydermError for one that is damaged."""
        count = 0
        with self._garbage.paused():
            for part in self._stored():
                if part.digest >= first and (not last or part.digest <= last):
                    count += 1
                    if read and (wrong := self._wrong(part)):
                        raise PachydermError(f"the content {part.digest.hex()} {wrong}")
        return count

    def stale_files(self, commit: Commit) -> Iterator[Finding]:
        """The files of a pipeline's output commit that no datum of its job wrote."""
        tree = self._files.tree(commit)
        filesets = self._state.hooks.output_filesets(tree.commit)
        if filesets is None:
            return
        written = {entry.path for fileset in filesets for entry in self._files.fileset_files(fileset)}
        for entry in self._files.walk_directory(tree, "/"):
            if not entry.is_dir and entry.path not in written:
                yield Finding(f"commit {tree.commit} has file {entry.path}, which no datum of its job wrote")

    def outputs(self) -> Iterator[Commit]:
        """The newest commit that finished well of every pipeline's output branches."""
        connection = self._state.connection
        for branch in records.all_branches(connection):
            handle = records.branch_handle(branch)
            if handle.repo.type != USER or not self._state.hooks.is_transform_repo(handle.repo):
                continue
            line = self._commits.line(Commit(handle.repo, handle.name))
            if newest := next((info for info in line if info.finished and not info.error), None):
                yield newest.commit

    def _heads(self) -> Iterator[Finding]:
        connection = self._state.connection
        edges = connection.execute(
            "SELECT downstream, upstream FROM branch_propagation e WHERE NOT EXISTS (SELECT 1 FROM commit_provenance p"
            " JOIN branches d ON d.id = e.downstream JOIN branches u ON u.id = e.upstream"
            " WHERE p.downstream = d.head AND p.upstream = u.head)"
        ).fetchall()
        for edge in edges:
            branch, parent = (records.branch_handle(records.branch_by_id(connection, edge[side])) for side in (0, 1))
            yield Finding(
                f"consistency error: parent branch {parent} commit is not in direct provenance of head of branch {branch}"
            )

    def _trees(self, *, fix: bool) -> Iterator[Finding]:
        seen: set[trees.Stack] = set()
        connection = self._state.connection
        for row in list(records.commits_of_repo(connection, None, newest_first=False)):
            commit, stack = records.commit_handle(row), commits.stored_stack(connection, row["id"])
            root = trees.lookup(connection, stack, "/")
            size = root.size if root else 0
            if row["finished"] and row["size"] != size:
                error = f"commit {commit} has {row['size']} bytes, its files {size}"
                yield self._mended_size(row["id"], size, error, fix=fix)
            if stack not in seen:
                seen.add(stack)
                for path in trees.wrong_directories(connection, stack):
                    yield Finding(f"directory {path} in commit {commit} does not add up to what is in it")

    def _mended_size(self, row_id: int, size: int, error: str, *, fix: bool) -> Finding:
        if not fix:
            return Finding(error)
        with self._state.transactions.begin():
            self._state.connection.execute("UPDATE commits SET size = ? WHERE id = ?", (size, row_id))
        return Finding(fix=f"{error}: noted their size")

    def _layers(self, *, fix: bool) -> Iterator[Finding]:
        with self._state.transactions.begin():
            unused = trees.unused(self._state.connection)
            if fix:
                trees.drop_unused(self._state.connection, unused)
        for layer in unused:
            error = f"layer {layer} belongs to no commit and no file set"
            yield Finding(fix=f"{error}: dropped it") if fix else Finding(error)

    def _contents(self, *, fix: bool) -> Iterator[Finding]:
        """``fix`` sets damaged blobs aside, so that putting the file again stores what is right for all that name it."""
        for part, path in self._named().items():
            if wrong := self._wrong(part):
                error = f"file {path}: its content {part.digest.hex()} {wrong}"
                if fix and part.size > SMALL and self._state.content.blobs.set_aside(part.digest.hex()):
                    yield Finding(fix=f"{error}: set it aside, put the file again to mend it")
                else:
                    yield Finding(error)

    def _named(self) -> dict[Part, str]:
        """Every part that a file names, with the path of one such file."""
        rows = self._state.connection.execute(
            "SELECT parent || name AS path, size, hash, parts FROM entries WHERE children IS NULL AND size > 0"
        ).fetchall()
        named: dict[Part, str] = {}
        for row in rows:
            parts = (Part(row["hash"], row["size"]),) if row["parts"] is None else content.unpack(row["parts"])
            named.update(dict.fromkeys(parts, row["path"]))
        return named

    def _stored(self) -> Iterable[Part]:
        blobs = self._state.content.blobs
        yield from (Part(bytes.fromhex(name), blobs.path(name).stat().st_size) for name in blobs.digests())
        rows = self._state.connection.execute("SELECT digest, length(data) AS size FROM small_contents").fetchall()
        yield from (Part(row["digest"], row["size"]) for row in rows)

    def _wrong(self, part: Part) -> str:
        """What is wrong with a part's bytes; "" if they are right."""
        digest, size = hashlib.sha256(), 0
        try:
            for chunk in self._state.content.read([part]):
                digest.update(chunk)
                size += len(chunk)
        except FileNotFoundError:
            return "is missing"
        except OSError as error:
            return f"cannot be read: {error}"
        return "" if (digest.digest(), size) == (part.digest, part.size) else "is damaged"
