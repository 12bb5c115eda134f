"""The Range header, as Go's ``http.ServeContent`` reads it (RFC 9110, section 14)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_RANGE = re.compile(r"(\d{0,18})\s*-\s*(\d{0,18})", re.ASCII)
_UNIT = "bytes="


class UnsatisfiableRangeError(Exception):
    """The header cannot be read, or no range is in the object."""


@dataclass(frozen=True)
class Range:
    first: int
    size: int

    def header(self, total: int) -> str:
        """Content-Range's value. An empty range ends before it begins, as the vendor's does."""
        return f"bytes {self.first}-{self.first + self.size - 1}/{total}"


def parse(header: str, total: int) -> Sequence[Range]:
    """The requested ranges of an object of ``total`` bytes; none if the whole object is to be sent.

    That is the case without a header, for an empty object, and if the ranges together are larger than the object.
    Raises UnsatisfiableRangeError.
    """
    if not header:
        return ()
    if not header.startswith(_UNIT):
        raise UnsatisfiableRangeError(f"{header} is no range of bytes")
    texts = [text.strip() for text in header.removeprefix(_UNIT).split(",")]
    parsed = [_range(text, total) for text in texts if text]
    if not total:
        return ()
    ranges = [item for item in parsed if item is not None]
    if parsed and not ranges:
        raise UnsatisfiableRangeError(f"the object has {total} bytes, so {header} is not in it")
    return ranges if sum(item.size for item in ranges) <= total else ()


def _range(text: str, total: int) -> Range | None:
    """One range; None if it is beyond the end."""
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        raise UnsatisfiableRangeError(f"{text!r} is no range of bytes")
    if not match[1]:
        size = min(int(match[2]), total)
        return Range(total - size, size)
    first = int(match[1])
    if first >= total:
        return None
    if match[2] and int(match[2]) < first:
        raise UnsatisfiableRangeError(f"{text} ends before it begins")
    last = min(int(match[2]), total - 1) if match[2] else total - 1
    return Range(first, last - first + 1)
