"""The datums of an input: its files by glob, joined into datums, and split into sets for the workers."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pfs.model import Branch, Commit, FileInfo
from minipdk.services.pachyderm.pps.model import HASH_BYTES, Datum, DatumInput
from minipdk.services.pachyderm.pps.spec import inputs

T = TypeVar("T")

CAPTURE = re.compile(r"\$(?:(\d+)|\{(\d+)\})")
SETS_PER_WORKER = 4

Glob = Callable[[wire.pps.PfsInput], Iterable[DatumInput]]
"""Returns the files that the glob of an input matches, in order."""
Files = tuple[DatumInput, ...]


class Globber:
    """Enumerates the files of PfsInput messages, at the commits that an output commit was made from.

    Without an output commit inputs are read at the commits that they name, or else at the heads of their branches. An input
    without a glob is one datum, the whole commit.
    """

    def __init__(self, pfs: Pfs, output: Commit | None = None) -> None:
        self._pfs = pfs
        self._provenance = (
            [pfs.inspect_commit(link.commit) for link in pfs.inspect_commit(output).direct_provenance] if output else None
        )

    def __call__(self, pfs_input: wire.pps.PfsInput) -> Iterator[DatumInput]:
        branch = inputs.branch_of(pfs_input)
        if pfs_input.commit and self._provenance is None:
            commit = self._pfs.inspect_commit(branch.repo.commit(pfs_input.commit)).commit
        else:
            commit = self.commit(branch)
        captures = pfs_input.join_on or pfs_input.group_by
        matches = self._pfs.files.glob_captures if captures else self._without_captures
        for info, groups in matches(commit, pfs_input.glob or "/"):
            yield DatumInput(
                name=pfs_input.name,
                branch=pfs_input.branch,
                file=info,
                empty_files=pfs_input.empty_files,
                reference=pfs_input.reference,
                join_on=expand(pfs_input.join_on, groups),
                group_by=expand(pfs_input.group_by, groups),
                outer_join=pfs_input.outer_join,
                s3=pfs_input.s3,
            )

    def _without_captures(self, commit: Commit, pattern: str) -> Iterator[tuple[FileInfo, list[str]]]:
        return ((info, []) for info in self._pfs.files.glob(commit, pattern))

    def commit(self, branch: Branch) -> Commit:
        """The commit at which ``branch`` is read."""
        if self._provenance is None:
            return self._pfs.inspect_commit(branch.repo.commit(branch.name)).commit
        upstream = [info for info in self._provenance if info.commit.repo == branch.repo]
        exact = [info for info in upstream if info.branch == branch]
        if not upstream:
            raise PachydermError(f"the input {branch} is not in the job's provenance")
        return (exact or upstream)[0].commit


def expand(template: str, groups: list[str]) -> str:
    """``template`` with $1, ${2}... replaced by a glob's capture groups."""

    def group(match: re.Match[str]) -> str:
        index = int(match[1] or match[2])
        return groups[index - 1] if 0 < index <= len(groups) else ""

    return CAPTURE.sub(group, template)


def enumerate_datums(node: wire.pps.Input, glob: Glob) -> Iterator[Datum]:
    """The datums that an Input message makes, each once, in a stable order."""
    seen: set[str] = set()
    for files in _tuples(node, glob):
        datum = Datum(files)
        if datum.id not in seen:
            seen.add(datum.id)
            yield datum


def _tuples(node: wire.pps.Input, glob: Glob) -> Iterator[Files]:
    if node.HasField("pfs") or node.HasField("cron"):
        for file in glob(node.pfs if node.HasField("pfs") else inputs.as_pfs(node.cron)):
            yield (file,)
    elif len(node.cross):
        members = [list(_tuples(member, glob)) for member in node.cross]
        for combination in itertools.product(*members):
            yield tuple(itertools.chain.from_iterable(combination))
    elif len(node.union):
        for member in node.union:
            yield from _tuples(member, glob)
    elif len(node.join):
        yield from _join([list(_tuples(member, glob)) for member in node.join])
    elif len(node.group):
        yield from _group([list(_tuples(member, glob)) for member in node.group])


def _by_key(members: list[list[Files]], key_of: Callable[[DatumInput], str]) -> Iterable[list[list[DatumInput]]]:
    """The files of each member that share a join or group key, keys in the order of their hashes as pachd visits them."""
    keys: dict[str, list[list[DatumInput]]] = {}
    for index, tuples in enumerate(members):
        for file in itertools.chain.from_iterable(tuples):
            keys.setdefault(key_of(file), [[] for _ in members])[index].append(file)
    ordered = sorted(keys, key=lambda key: hashlib.blake2b(key.encode(), digest_size=HASH_BYTES).hexdigest())
    return (keys[key] for key in ordered)


def _join(members: list[list[Files]]) -> Iterator[Files]:
    """Every combination of files with the same key; files of outer joins also if another member has none."""
    for by_member in _by_key(members, lambda file: file.join_on):
        present = [files for files in by_member if files]
        if len(present) == len(members):
            yield from itertools.product(*present)
            continue
        for combination in itertools.product(*present):
            if kept := tuple(file for file in combination if file.outer_join):
                yield kept


def _group(members: list[list[Files]]) -> Iterator[Files]:
    """All files of one key together."""
    for by_member in _by_key(members, lambda file: file.group_by):
        yield tuple(itertools.chain.from_iterable(by_member))


def datum_sets(todo: Sequence[T], spec: wire.pps.DatumSetSpec, workers: int, size: Callable[[T], int]) -> list[Sequence[T]]:
    """``todo`` in the sets that a worker takes at a time, by ``spec``: a number of datums, or about a number of bytes.

    ``size`` returns the bytes of a datum. Without either number there are ``spec.per_worker`` sets for each worker, 4 unless
    set.
    """
    if spec.size_bytes:
        return list(_by_size(todo, spec.size_bytes, size))
    number = spec.number or len(todo) // (workers * (spec.per_worker or SETS_PER_WORKER)) or 1
    return [todo[start : start + number] for start in range(0, len(todo), number)]


def _by_size(todo: Sequence[T], limit: int, size: Callable[[T], int]) -> Iterator[Sequence[T]]:
    start = filled = 0
    for index, datum in enumerate(todo):
        if filled >= limit:
            yield todo[start:index]
            start, filled = index, 0
        filled += size(datum)
    if todo[start:]:
        yield todo[start:]
