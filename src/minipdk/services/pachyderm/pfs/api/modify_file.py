"""The stream of ModifyFile messages: large ones are parsed without copies, and their bytes go straight to the store.

The SDK sends a file in messages of 19 MiB. With protobuf's own parser each would be in memory three times while it is
stored: the bytes that arrived, the message, and the value taken from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError, UnsupportedError
from minipdk.services.pachyderm.pfs import paths
from minipdk.services.pachyderm.pfs.content import ContentWriter
from minipdk.services.pachyderm.pfs.files.urls import fetch
from minipdk.services.pachyderm.pfs.messages import DEFAULT_DATUM, file_from
from minipdk.services.pachyderm.pfs.model import Change, Copy, Delete, Put
from minipdk.services.pachyderm.required_fields import require

LARGE = 1 << 20
_ADD_FILE, _RAW, _VALUE = 0x12, 0x1A, 0x0A  # the tags of ModifyFileRequest.add_file, AddFile.raw and BytesValue.value


@dataclass(frozen=True, slots=True)
class LargeAddition:
    """An AddFile message whose data is a view of the bytes that arrived; ``add_file`` has the rest."""

    add_file: wire.pfs.AddFile
    data: memoryview


Modification = wire.pfs.ModifyFileRequest | LargeAddition


def parse(serialized: bytes) -> Modification:
    """A ModifyFileRequest, or a `LargeAddition` if the message has the layout of clients, with the data at its end."""
    if len(serialized) >= LARGE:
        view = memoryview(serialized)
        head = _enter(view, 0, _ADD_FILE)
        at = head
        while at is not None and view[at] != _RAW:
            at = _behind_text(view, at)
        raw = _enter(view, at, _RAW) if at is not None else None
        value = _enter(view, raw, _VALUE) if raw is not None else None
        if head is not None and value is not None:
            return LargeAddition(wire.pfs.AddFile.FromString(bytes(view[head:at])), view[value:])
    return wire.pfs.ModifyFileRequest.FromString(serialized)


def _enter(view: memoryview, at: int, tag: int) -> int | None:
    """The start of the content of the field at ``at``, if it has this tag and reaches to the end."""
    if view[at] != tag:
        return None
    size, begin = _varint(view, at + 1)
    return begin if begin + size == len(view) else None


def _behind_text(view: memoryview, at: int) -> int | None:
    """The start of the field behind ``path`` or ``datum``; None if another field is at ``at``."""
    if view[at] not in (0x0A, 0x12):
        return None
    size, begin = _varint(view, at + 1)
    return begin + size if begin + size < len(view) else None


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """A number in bytes of seven bits, the lowest first, and the index behind it."""
    number = shift = 0
    for behind, byte in enumerate(view[at : at + 10], at + 1):
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, behind
        shift += 7
    return len(view), at  # cut off: too large to be the size of anything here


def read_changes(requests: Iterator[Modification], writer: ContentWriter) -> Iterator[Change]:
    """The changes that a stream requests. Their contents are durable once ``writer`` is flushed."""
    stream = _Stream(requests)
    while (kind := stream.next_kind()) is not None:
        if kind == "add_file":
            yield _added(stream, writer)
        elif kind == "delete_file":
            delete = stream.take_message().delete_file
            _refuse_datum(delete.datum)
            yield Delete(paths.clean_for_delete(delete.path))
        elif kind == "copy_file":
            yield _copied(stream.take_message().copy_file)
        elif kind == "set_commit":
            raise PachydermError("cannot set commit")
        else:
            raise PachydermError("unrecognized message type")


class _Stream:
    """An iterator that can look one message ahead. It forgets a message before its data is handed out."""

    def __init__(self, messages: Iterator[Modification]) -> None:
        self._messages = messages
        self._ahead: Modification | None = None

    def next_kind(self) -> str | None:
        """The kind of the next message; None at the end."""
        if self._ahead is None:
            self._ahead = next(self._messages, None)
        if self._ahead is None:
            return None
        return "add_file" if isinstance(self._ahead, LargeAddition) else self._ahead.WhichOneof("body") or ""

    def next_addition(self) -> wire.pfs.AddFile:
        """The next message's AddFile, possibly without its data."""
        assert self._ahead is not None, "only after next_kind() was add_file"
        return self._ahead.add_file

    def take_message(self) -> wire.pfs.ModifyFileRequest:
        """The next message, which is not a large addition."""
        message = self.take()
        assert not isinstance(message, LargeAddition), "only after next_kind() was another"
        return message

    def take(self) -> Modification:
        """The next message, which exists."""
        message, self._ahead = self._ahead, None
        assert message is not None, "only after next_kind() was not None"
        return message

    def data_of(self, path: str) -> Iterator[bytes | memoryview]:
        """The data of the messages that append to ``path``, up to a message for another file."""
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
        stream.take()
        _refuse_datum(add.datum)
        return Put(path, writer.put(fetch(add.url.url, recursive=add.url.recursive)))
    return Put(path, writer.put(stream.data_of(add.path)))


def _copied(copy: wire.pfs.CopyFile) -> Change:
    _refuse_datum(copy.datum)
    require(copy, "src")
    commit, source = file_from(copy.src)
    return Copy(paths.clean(copy.dst), commit, source, copy.append)


def _refuse_datum(datum: str) -> None:
    if datum and datum != DEFAULT_DATUM:
        raise UnsupportedError("writing under a datum's name")
