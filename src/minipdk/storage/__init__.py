"""What every service keeps its state in: content-addressed blobs and a SQLite database opened the same way."""

from minipdk.storage.blobs import BlobStore
from minipdk.storage.database import Database

__all__ = ["BlobStore", "Database"]
