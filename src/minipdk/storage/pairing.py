"""A database and the folder of the files that its rows name know each other by an identity.

Files that no row names are deleted as garbage. So a service must not start with a database that has lost its rows, or with
another folder's: everything would be garbage.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from minipdk.common.home import write_private
from minipdk.storage.database import Database, StorageError, new_identity

MARK = ".database"


class StrangeDatabaseError(StorageError):
    """The database does not know the files of the folder."""


def pair(database: Database, folder: Path, has_files: Callable[[], bool]) -> None:
    """Make sure that ``database`` is the one whose rows name the files in ``folder``.

    Databases made by minipdk 1.1 and earlier have no identity and get one. Raises StrangeDatabaseError.
    """
    mark = folder / MARK
    known = int(mark.read_text()) if mark.exists() else 0
    if not database.identity:
        database.identity = known or new_identity()
    elif known != database.identity and (known or has_files()):
        raise StrangeDatabaseError(
            f"{database.path} does not know the files in {folder}: it was emptied or lost, or belongs to another folder. "
            "Nothing was deleted. Put back the database, or let `minipdk reset` forget the data"
        )
    if not known:
        write_private(mark, f"{database.identity}\n")
