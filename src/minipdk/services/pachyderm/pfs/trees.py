"""Trees of files as stacks of layers: walk one, change one, and keep the stack low.

A stack is a tuple of layer ids, the lowest first; ids grow upwards, because a layer is always made on top of others. A small
commit on a large parent adds one small layer. As in a log-structured merge tree, a layer is merged with the one below it
once it is at least half as large, so a stack of n changes is log n high and each row is copied log n times.

A directory's row has the number of its entries, the sum of their sizes and the sum, modulo 2^256, of the hashes of their
names and hashes. A sum can be updated from the changes, without reading the rest.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import paths, store
from minipdk.services.pachyderm.pfs.model import Entry, Parts, Stack, file_hash, pack

_MODULUS = 1 << 256


@dataclass(slots=True)
class _Sum:
    """The changes to a directory's sums."""

    size: int = 0
    children: int = 0
    hash: int = 0

    def count(self, entry: Entry | None, sign: int) -> None:
        if entry is not None:
            self.size += sign * entry.size
            self.children += sign
            self.hash += sign * int.from_bytes(hashlib.sha256(entry.name.encode() + b"\0" + entry.hash).digest())


def file_entry(path: str, parts: Parts) -> Entry:
    """The entry of a file at a clean path with this content."""
    parent, name = paths.split(path)
    packed = pack(parts) if len(parts) > 1 else None
    return Entry(parent, name, sum(part.size for part in parts), file_hash(parts), packed)


def size(connection: sqlite3.Connection, stack: Stack) -> int:
    """The bytes of all files."""
    root = store.layers.lookup(connection, stack, "/")
    return root.size if root else 0


def find(connection: sqlite3.Connection, stack: Stack, path: str) -> Entry | None:
    """The file, or else the directory, at a clean path."""
    entry = store.layers.lookup(connection, stack, path)
    return entry or store.layers.lookup(connection, stack, paths.as_directory(path))


def walk(connection: sqlite3.Connection, stack: Stack, directory: str, after: str = "") -> Iterator[Entry]:
    """The directory and everything below it in bytewise order of paths, limited to paths beyond ``after``."""
    if directory > after and (own := store.layers.lookup(connection, stack, directory)):
        yield own
    start = after[len(directory) :] if after.startswith(directory) else ""
    head, slash, _ = start.partition("/")
    for entry in store.layers.children(connection, stack, directory, head + slash):
        if entry.is_dir and (entry.path > after or after.startswith(entry.path)):
            yield from walk(connection, stack, entry.path, after)
        elif entry.path > after:
            yield entry


def walk_back(connection: sqlite3.Connection, stack: Stack, directory: str, before: str = "") -> Iterator[Entry]:
    """The same in reverse, limited to paths ahead of ``before`` if that is given."""
    start = before[len(directory) :] if before.startswith(directory) else ""
    head, slash, _ = start.partition("/")
    for entry in store.layers.children(connection, stack, directory, head + slash, reverse=True):
        if before and entry.path >= before:
            continue
        if entry.is_dir:
            yield from walk_back(connection, stack, entry.path, before)
        else:
            yield entry
    if own := store.layers.lookup(connection, stack, directory):
        yield own


def change(connection: sqlite3.Connection, stack: Stack, changes: Mapping[str, Parts | None]) -> None:
    """Write files (their parts) and removals (None) by clean path into the top layer of ``stack``."""
    own = stack[-1]
    fresh = len(stack) == 1 and store.layers.is_empty(connection, own)
    sums: dict[str, _Sum] = {}
    entries: dict[str, Entry | None] = {}
    for path in sorted(changes):
        parts = changes[path]
        new = file_entry(path, parts) if parts is not None else None
        old = None if fresh else store.layers.lookup(connection, stack, path)
        if new != old:
            entries[path] = new
            total = sums.setdefault(paths.split(path)[0], _Sum())
            total.count(old, -1)
            total.count(new, +1)
    store.layers.put(connection, own, entries)
    _sum_up(connection, stack, sums)


def unite(connection: sqlite3.Connection, own: int, layers: Iterable[int]) -> None:
    """Fill the empty layer ``own`` with the files of all ``layers``. Raises PachydermError when two have the same path."""
    if path := store.layers.copy_files(connection, own, sorted(layers)):
        raise _duplicate(path)
    sums: dict[str, _Sum] = {}
    for entry in store.layers.files(connection, own):
        sums.setdefault(entry.parent, _Sum()).count(entry, +1)
    _sum_up(connection, (own,), sums)


def exchange(connection: sqlite3.Connection, stack: Stack, removed: Iterable[int], added: Iterable[int]) -> None:
    """In the empty top layer, remove the files of some file sets' layers and add the files of others.

    Raises PachydermError when an added file is there already.
    """
    changes: dict[str, Parts | None] = {}
    for layer in removed:
        changes |= dict.fromkeys((entry.path for entry in store.layers.files(connection, layer)), None)
    for layer in added:
        for entry in store.layers.files(connection, layer):
            path = entry.path
            if changes[path] is not None if path in changes else store.layers.lookup(connection, stack, path):
                raise _duplicate(path)
            changes[path] = entry.parts
    change(connection, stack, changes)


def collision(connection: sqlite3.Connection, stack: Stack) -> str | None:
    """The first file below a path that the top layer made both a file and a directory, or None."""
    for path in store.layers.possible_collisions(connection, stack):
        if path and store.layers.lookup(connection, stack, path):
            for entry in walk(connection, stack, path + "/"):
                if not entry.is_dir:
                    return entry.path
    return None


def compact(connection: sqlite3.Connection, stack: Stack) -> Stack:
    """Merge lower layers into the top one, which no other stack has yet, as far as sizes call for it: the new stack."""
    own, below = stack[-1], list(stack[:-1])
    rows = store.layers.count(connection, own)
    while below and rows * 2 >= store.layers.noted_count(connection, below[-1]):
        store.layers.merge(connection, own, below.pop())
        rows = store.layers.count(connection, own)
    if not below:
        store.layers.delete_removals(connection, own)
    store.layers.note_count(connection, own, rows)
    return (*below, own)


def wrong_directories(connection: sqlite3.Connection, stack: Stack, directory: str = "/") -> Iterator[str]:
    """The directories that are not the sum of their entries: there should be none."""
    total = _Sum()
    for entry in store.layers.children(connection, stack, directory):
        total.count(entry, +1)
        if entry.is_dir:
            yield from wrong_directories(connection, stack, entry.path)
    if store.layers.lookup(connection, stack, directory) != _added(None, directory, total):
        yield directory


def _sum_up(connection: sqlite3.Connection, stack: Stack, sums: dict[str, _Sum]) -> None:
    """Update the directories whose entries have changed, and the directories above them."""
    depths: dict[int, dict[str, _Sum]] = {}
    for directory, total in sums.items():
        depths.setdefault(directory.count("/"), {})[directory] = total
    for depth in range(max(depths, default=0), 0, -1):
        entries: dict[str, Entry | None] = {}
        for directory, total in depths.get(depth, {}).items():
            old = store.layers.lookup(connection, stack, directory)
            entries[directory] = new = _added(old, directory, total)
            if parent := paths.split(directory)[0]:
                above = depths.setdefault(depth - 1, {}).setdefault(parent, _Sum())
                above.count(old, -1)
                above.count(new, +1)
        store.layers.put(connection, stack[-1], entries)


def _added(old: Entry | None, directory: str, total: _Sum) -> Entry | None:
    """The directory's entry with ``total`` added; None if no entries remain in it."""
    old_size, count, digest = (old.size, old.children, int.from_bytes(old.hash)) if old else (0, 0, 0)
    if count + total.children == 0:
        return None
    digest = (digest + total.hash) % _MODULUS
    return Entry(*paths.split(directory), old_size + total.size, digest.to_bytes(32), None, count + total.children)


def _duplicate(path: str) -> PachydermError:
    return PachydermError(f"duplicate path output by different datums ({path})")
