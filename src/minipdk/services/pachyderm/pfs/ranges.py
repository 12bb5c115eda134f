"""Ranges of paths, by which a client reads a part of a tree."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PathRange:
    """The paths from ``lower`` on (all if it is empty) that come before ``upper`` (no limit if it is empty)."""

    lower: str = ""
    upper: str = ""

    def __contains__(self, path: str) -> bool:
        return self.lower <= path and (not self.upper or path < self.upper)

    def __and__(self, other: PathRange) -> PathRange:
        """The paths in both."""
        uppers = [one.upper for one in (self, other) if one.upper]
        return PathRange(max(self.lower, other.lower), min(uppers, default=""))


EVERYTHING = PathRange()
