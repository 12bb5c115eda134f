"""The storage of every service: content-addressed blobs and a SQLite database opened the same way.

``storage.chunks`` cuts data that is too large for one blob; it is not imported here, because importing numpy is slow.
"""

from minipdk.storage.blobs import BlobStore
from minipdk.storage.database import Database
from minipdk.storage.pairing import pair
from minipdk.storage.space import DiskFullError

__all__ = ["BlobStore", "Database", "DiskFullError", "pair"]
