"""Check that everything PFS has stored is consistent, and repair it as far as possible.

The database itself keeps commits and branches from referring to missing rows. The checks here cover the rest: heads of
branches agree with the heads of their provenance, sizes and directories add up, and the bytes of every file are there and
unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from minipdk.services.pachyderm.errors import DataLossError, PachydermError
from minipdk.services.pachyderm.pfs import store, trees
from minipdk.services.pachyderm.pfs.commits import Commits
from minipdk.services.pachyderm.pfs.content import DAMAGED, SMALL
from minipdk.services.pachyderm.pfs.files import Files
from minipdk.services.pachyderm.pfs.garbage import Garbage
from minipdk.services.pachyderm.pfs.model import USER, Commit, Part, Stack
from minipdk.services.pachyderm.pfs.transactions import State


@dataclass(frozen=True)
class Finding:
    """An inconsistency (``error``), or one that has been repaired (``fix``): the other text is empty."""

    error: str = ""
    fix: str = ""


class Fsck:
    def __init__(self, state: State, all_commits: Commits, files: Files, garbage: Garbage) -> None:
        self._state = state
        self._commits = all_commits
        self._files = files
        self._garbage = garbage

    def check(self, *, fix: bool) -> Iterator[Finding]:
        """Everything that is inconsistent; with ``fix``, it is repaired if possible."""
        yield from self._heads()
        yield from self._trees(fix=fix)
        yield from self._layers(fix=fix)
        with self._garbage.paused():
            yield from self._contents(fix=fix)

    def check_contents(self, first: bytes, last: bytes, *, read: bool) -> int:
        """How many contents have digests from ``first`` to ``last`` (empty: no limit); ``read`` checks their bytes.

        Raises PachydermError for a damaged one.
        """
        count = 0
        with self._garbage.paused():
            for part in self._stored():
                if part.digest >= first and (not last or part.digest <= last):
                    count += 1
                    if read and (damage := self._damage(part)):
                        raise PachydermError(f"the content {part.digest.hex()} {damage}")
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
        """For each output branch of a pipeline, the newest commit that finished without an error."""
        for row in store.branches.oldest_first(self._state.connection):
            repo = row.branch.repo
            if repo.type != USER or not self._state.hooks.is_transform_repo(repo):
                continue
            line = self._commits.line(Commit(repo, row.name))
            if newest := next((info for info in line if info.finished and not info.error), None):
                yield newest.commit

    def _heads(self) -> Iterator[Finding]:
        connection = self._state.connection
        for edge in store.branches.out_of_step(connection):
            branch, parent = (store.branches.by_id(connection, branch_id).branch for branch_id in edge)
            yield Finding(
                f"consistency error: parent branch {parent} commit is not in direct provenance of head of branch {branch}"
            )

    def _trees(self, *, fix: bool) -> Iterator[Finding]:
        seen: set[Stack] = set()
        connection = self._state.connection
        for row in list(store.commits.of_repo(connection, None, newest_first=False)):
            stack = store.layers.stack(connection, row.id)
            size = trees.size(connection, stack)
            if row.finished and row.size != size:
                error = f"commit {row.commit} has {row.size} bytes, its files {size}"
                yield self._wrong_size(row.id, size, error, fix=fix)
            if stack not in seen:
                seen.add(stack)
                for path in trees.wrong_directories(connection, stack):
                    yield Finding(f"directory {path} in commit {row.commit} does not add up to what is in it")

    def _wrong_size(self, row_id: int, size: int, error: str, *, fix: bool) -> Finding:
        if not fix:
            return Finding(error)
        with self._state.transactions.begin():
            store.commits.set_size(self._state.connection, row_id, size)
        return Finding(fix=f"{error}: noted their size")

    def _layers(self, *, fix: bool) -> Iterator[Finding]:
        with self._state.transactions.begin():
            unused = store.layers.unused(self._state.connection)
            if fix:
                store.layers.delete_unused(self._state.connection, unused)
        for layer in unused:
            error = f"layer {layer} belongs to no commit and no file set"
            yield Finding(fix=f"{error}: dropped it") if fix else Finding(error)

    def _contents(self, *, fix: bool) -> Iterator[Finding]:
        """``fix`` sets damaged blobs aside: putting the file again then repairs every file that refers to them."""
        connection = self._state.connection
        for part in store.contents.referenced_parts(connection):
            if not (damage := self._damage(part)):
                continue
            lost = fix and part.size > SMALL and self._state.content.blobs.set_aside(part.digest.hex())
            for file in store.contents.files_of(connection, part):
                error = f"file {file}: its content {part.digest.hex()} {damage}"
                remedy = f"{error}: set it aside, put the file again to repair it"
                yield Finding(fix=remedy) if lost else Finding(error)

    def _stored(self) -> Iterable[Part]:
        blobs = self._state.content.blobs
        yield from (Part(bytes.fromhex(name), blobs.path(name).stat().st_size) for name in blobs.digests())
        yield from store.contents.parts(self._state.connection)

    def _damage(self, part: Part) -> str:
        """The damage to a part's bytes; "" if they are intact."""
        try:
            size = sum(map(len, self._state.content.read([part])))
        except DataLossError as error:
            return error.fault
        return "" if size == part.size else DAMAGED
