"""What every service keeps its state in: content-addressed blobs and a SQLite database opened the same way.

``storage.chunks`` cuts what is too large for one blob; it is not imported here, since numpy takes its time.
"""

from minipdk.storage.blobs import BlobStore
from minipdk.storage.database import Database

__all__ = ["BlobStore", "Database"]
