"""Every way in which the programs of an image can fail.

    StorageError        the storage initializer cannot fetch the model
    `-- NotYetError     the model is not there yet: its commit is open, or the storage is not up
    ArchiveError        an archive cannot be unpacked, or holds no model that can be served
    ModelFileError      the model folder does not hold exactly one model file that can be read
    AnswerError         a model answers a request with a status other than 200

Each of the first four ends its program, whose last line in the pod's log is the message.
"""

from __future__ import annotations

from typing import Any


class StorageError(Exception):
    """The model cannot be fetched; the message names it and the reason."""


class NotYetError(StorageError):
    """The model may appear later, so the storage initializer waits for it."""


class ArchiveError(Exception):
    """The file is no archive that can be served; the message names the file and the remedy."""


class ModelFileError(Exception):
    """No model can be served from the folder; the message names its files."""


class AnswerError(Exception):
    """A model's own answer with a status other than 200."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(status, answer)
        self.status, self.answer = status, answer
