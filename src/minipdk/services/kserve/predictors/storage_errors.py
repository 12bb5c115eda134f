"""Every way in which fetching a model can fail.

StorageError        the model cannot be fetched, now or ever
└── NotYetError     it is not there, but may come: its commit is open, or the storage is not up
"""

from __future__ import annotations


class StorageError(Exception):
    """The model cannot be fetched; the message names it and says why."""


class NotYetError(StorageError):
    """The model is worth waiting for."""
