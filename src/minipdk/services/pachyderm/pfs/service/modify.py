"""Reading a stream of ModifyFile messages: the bytes go straight to the store, what remains is a list of changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minipdk.services.pachyderm.errors import PachydermError, UnsupportedError
from minipdk.services.pachyderm.pfs import paths
from minipdk.services.pachyderm.pfs.content import ContentWriter
from minipdk.services.pachyderm.pfs.service.messages import file_from
from minipdk.services.pachyderm.pfs.service.modification import LargeAddition
from minipdk.services.pachyderm.pfs.service.urls import fetched
from minipdk.services.pachyderm.pfs.writing import Change, Copy, Delete, Put


def read_changes(requests: Iterator[Any], writer: ContentWriter) -> Iterator[Change]:
    """The changes that a stream asks for. Their contents are durable once ``writer`` is flushed."""
    stream = _Stream(requests)
    while (kind := stream.next_kind()) is not None:
        if kind == "add_file":
            yield _added(stream, writer)
        elif kind == "delete_file":
            delete = stream.take().delete_file
            _refuse_datum(delete.datum)
            yield Delete(delete.path)
        elif kind == "copy_file":
            yield _copied(stream.take().copy_file)
        elif kind == "set_commit":
            raise PachydermError("cannot set commit")
        else:
            raise PachydermError("unrecognized message type")


class _Stream:
    """An iterator that can look one message ahead. It forgets a message before its data is handed out."""

    def __init__(self, messages: Iterator[Any]) -> None:
        self._messages = messages
        self._ahead: Any = None

    def next_kind(self) -> str | None:
        """What the next message is; None at the end."""
        if self._ahead is None:
            self._ahead = next(self._messages, None)
        if self._ahead is None:
            return None
        return "add_file" if isinstance(self._ahead, LargeAddition) else self._ahead.WhichOneof("body") or ""

    def next_addition(self) -> Any:
        """The next message's AddFile, maybe without its data."""
        return self._ahead.add_file

    def take(self) -> Any:
        message, self._ahead = self._ahead, None
        return message

    def data_of(self, path: str) -> Iterator[bytes | memoryview]:
        """The data of the messages that append to ``path``, up to another one."""
        while self.next_kind() == "add_file":
            add = self.next_addition()
            if add.path != path or add.WhichOneof("source") == "url":
                return
            _refuse_datum(add.datum)
            del add
            yield self._take_data()

    def _take_data(self) -> bytes | memoryview:
        message = self.take()
        return message.data if isinstance(message, LargeAddition) else message.add_file.raw.value


def _added(stream: _Stream, writer: ContentWriter) -> Change:
    add = stream.next_addition()
    path = paths.clean_for_write(add.path)
    if add.WhichOneof("source") == "url":
        _refuse_datum(stream.take().add_file.datum)
        return Put(path, writer.put(fetched(add.url)))
    return Put(path, writer.put(stream.data_of(add.path)))


def _copied(copy: Any) -> Change:
    _refuse_datum(copy.datum)
    commit, source = file_from(copy.src)
    return Copy(paths.clean_for_write(copy.dst) if copy.dst.strip("/") else "/", commit, source, copy.append)


def _refuse_datum(datum: str) -> None:
    if datum and datum != "default":
        raise UnsupportedError("writing under a datum's name")
