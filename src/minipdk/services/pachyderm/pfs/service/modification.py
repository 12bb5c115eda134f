"""Large ModifyFile messages without copies of their data.

The SDK sends a file in messages of 19 MiB. Parsed as other messages are, each would be in memory three times over while it
is stored: as it arrived, in the message, and as the value that is taken out of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minipdk.services.pachyderm import wire

LARGE = 1 << 20
_ADD_FILE, _RAW, _VALUE = 0x12, 0x1A, 0x0A  # the tags of ModifyFileRequest.add_file, AddFile.raw and BytesValue.value


@dataclass(frozen=True, slots=True)
class LargeAddition:
    """An AddFile message whose data is a view of the bytes that arrived; ``add_file`` has all but the data."""

    add_file: Any
    data: memoryview


def parse(serialized: bytes) -> Any:
    """A ModifyFileRequest, or a `LargeAddition` if it is laid out as clients lay out one: nothing behind the data."""
    if len(serialized) >= LARGE:
        view = memoryview(serialized)
        head = _enter(view, 0, _ADD_FILE)
        at = head
        while at is not None and view[at] != _RAW:
            at = _behind_text(view, at)
        raw = _enter(view, at, _RAW) if at is not None else None
        value = _enter(view, raw, _VALUE) if raw is not None else None
        if head is not None and value is not None:
            return LargeAddition(wire.pfs.AddFile.FromString(bytes(view[head:at])), view[value:])
    return wire.pfs.ModifyFileRequest.FromString(serialized)


def _enter(view: memoryview, at: int, tag: int) -> int | None:
    """Where the content of the field at ``at`` begins, if it has this tag and reaches to the end."""
    if view[at] != tag:
        return None
    size, begin = _varint(view, at + 1)
    return begin if begin + size == len(view) else None


def _behind_text(view: memoryview, at: int) -> int | None:
    """Where the field behind ``path`` or ``datum`` begins; None if something else is at ``at``."""
    if view[at] not in (0x0A, 0x12):
        return None
    size, begin = _varint(view, at + 1)
    return begin + size if begin + size < len(view) else None


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where what follows it begins."""
    number = shift = 0
    for behind, byte in enumerate(view[at : at + 10], at + 1):
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, behind
        shift += 7
    return len(view), at  # cut off: too large to be the size of anything here
