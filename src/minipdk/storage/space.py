"""Say that the disk is full, whichever call of the operating system or of SQLite found out."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskFullError(OSError):
    """There is no space left for what was to be written; nothing of it was stored."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"the disk is full: {path} has no space left. Free some space, then try again")


@contextmanager
def needing_space(path: Path) -> Iterator[None]:
    """Raise DiskFullError for an error that says so."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if is_full(error):
            raise DiskFullError(path) from error
        raise


def is_full(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL  # the rest of a code is a detail
    return isinstance(error, OSError) and error.errno in FULL
