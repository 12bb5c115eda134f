"""Which datums an input makes, and the identity and hash of each.

A datum is the unit of work: a tuple of input files. Its id is a hash of the names, repos, branches and paths of its inputs;
its hash adds the contents of the files and the pipeline's salt. A datum whose hash was processed before is skipped.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from minipdk.services.pachyderm.pfs.model import Commit, FileInfo
from minipdk.services.pachyderm.pps.spec import inputs

HASH_BYTES = 32


@dataclass(frozen=True)
class DatumInput:
    """One input file (or directory) of a datum, and the name and branch of the input that it is for."""

    name: str
    branch: str
    file: FileInfo
    empty_files: bool = False
    reference: bool = False
    join_on: str = ""
    group_by: str = ""
    outer_join: bool = False
    s3: bool = False

    @property
    def path(self) -> str:
        """Absolute in its repo; a directory's ends in "/"."""
        return self.file.path

    @property
    def commit(self) -> Commit:
        return self.file.commit


@dataclass(frozen=True)
class Datum:
    """A datum of a job: its inputs in the order of their names in the spec."""

    inputs: tuple[DatumInput, ...]

    @cached_property
    def id(self) -> str:
        parts = (part.encode() for one in self.inputs for part in (one.name, one.commit.repo.name, one.branch, one.path))
        joined = b"".join(part + len(part).to_bytes(8, "big") for part in parts)
        return hashlib.blake2b(joined, digest_size=HASH_BYTES).hexdigest()

    def hash(self, salt: str) -> str:
        """The hash that decides about skipping: ids, contents and ``salt``."""
        digest = hashlib.blake2b(self.id.encode(), digest_size=HASH_BYTES)
        for one in self.inputs:
            if not one.reference:
                digest.update(one.file.hash)
        digest.update(salt.encode())
        return digest.hexdigest()

    @property
    def size(self) -> int:
        return sum(one.file.size for one in self.inputs)


Globber = Callable[[Any], Iterable[DatumInput]]
"""Given a PFSInput message, the files that its glob matches, in order."""


def enumerate_datums(node: Any, glob: Globber) -> Iterator[Datum]:
    """The datums that an Input message makes, each once, in a stable order."""
    seen: set[str] = set()
    for files in _tuples(node, glob):
        datum = Datum(files)
        if datum.id not in seen:
            seen.add(datum.id)
            yield datum


def _tuples(node: Any, glob: Globber) -> Iterator[tuple[DatumInput, ...]]:
    if node.HasField("pfs") or node.HasField("cron"):
        for found in glob(node.pfs if node.HasField("pfs") else inputs.as_pfs(node.cron)):
            yield (found,)
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


def _by_key(members: list[list[tuple[DatumInput, ...]]], field: str) -> dict[str, list[list[DatumInput]]]:
    """The files of each member by their join or group key, keys in the order of their hashes as pachd visits them."""
    keys: dict[str, list[list[DatumInput]]] = {}
    for index, tuples in enumerate(members):
        for found in itertools.chain.from_iterable(tuples):
            keys.setdefault(getattr(found, field), [[] for _ in members])[index].append(found)
    return dict(sorted(keys.items(), key=lambda item: hashlib.blake2b(item[0].encode(), digest_size=HASH_BYTES).hexdigest()))


def _join(members: list[list[tuple[DatumInput, ...]]]) -> Iterator[tuple[DatumInput, ...]]:
    """Every combination of files with the same key; files of outer joins also where another member has none."""
    for found in _by_key(members, "join_on").values():
        present = [files for files in found if files]
        if len(present) == len(members):
            yield from itertools.product(*present)
            continue
        for combination in itertools.product(*present):
            if kept := tuple(one for one in combination if one.outer_join):
                yield kept


def _group(members: list[list[tuple[DatumInput, ...]]]) -> Iterator[tuple[DatumInput, ...]]:
    """All files of one key together."""
    for found in _by_key(members, "group_by").values():
        yield tuple(itertools.chain.from_iterable(found))
