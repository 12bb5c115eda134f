"""Reading a stream of ModifyFile messages: the bytes go straight to the store, what remains is a list of changes."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from minipdk.pachyderm.errors import PachydermError, UnsupportedError
from minipdk.pachyderm.pfs import paths
from minipdk.pachyderm.pfs.content import CHUNK, ContentWriter
from minipdk.pachyderm.pfs.service.messages import file_from
from minipdk.pachyderm.pfs.writing import Change, Copy, Delete, Put

_URL_SECONDS = 60


def read_changes(requests: Iterator[Any], writer: ContentWriter) -> Iterator[Change]:
    """The changes that a stream asks for. Their contents are durable once ``writer`` is flushed."""
    stream = _Stream(requests)
    while (message := stream.take()) is not None:
        kind = message.WhichOneof("body")
        if kind == "add_file":
            yield _added(message.add_file, stream, writer)
        elif kind == "delete_file":
            _refuse_datum(message.delete_file.datum)
            yield Delete(message.delete_file.path)
        elif kind == "copy_file":
            yield _copied(message.copy_file)
        elif kind == "set_commit":
            raise PachydermError("cannot set commit")
        else:
            raise PachydermError("unrecognized message type")


class _Stream:
    """An iterator that can look one message ahead."""

    def __init__(self, messages: Iterator[Any]) -> None:
        self._messages = messages
        self._ahead: Any = None

    def take(self) -> Any:
        message, self._ahead = self._ahead, None
        return message if message is not None else next(self._messages, None)

    def more_of(self, path: str) -> Iterator[bytes]:
        """The data of the messages that go on appending to ``path``."""
        while (message := self.take()) is not None:
            add = message.add_file
            if message.WhichOneof("body") != "add_file" or add.path != path or add.WhichOneof("source") == "url":
                self._ahead = message
                return
            _refuse_datum(add.datum)
            yield add.raw.value


def _added(add: Any, stream: _Stream, writer: ContentWriter) -> Change:
    _refuse_datum(add.datum)
    path = paths.clean_for_write(add.path)
    if add.WhichOneof("source") == "url":
        return Put(path, writer.put(_fetched(add.url)))

    def chunks() -> Iterator[bytes]:
        yield add.raw.value
        yield from stream.more_of(add.path)

    return Put(path, writer.put(chunks()))


def _copied(copy: Any) -> Change:
    _refuse_datum(copy.datum)
    commit, source = file_from(copy.src)
    return Copy(paths.clean_for_write(copy.dst) if copy.dst.strip("/") else "/", commit, source, copy.append)


def _refuse_datum(datum: str) -> None:
    if datum and datum != "default":
        raise UnsupportedError("writing under a datum's name")


def _fetched(source: Any) -> Iterator[bytes]:
    """The bytes at an http or https URL."""
    scheme = urlsplit(source.url).scheme
    if scheme not in ("http", "https"):
        raise UnsupportedError(f"putting a file from a {scheme or 'schemeless'} URL ({source.url})")
    if source.recursive:
        raise UnsupportedError("putting files from a URL recursively")
    try:
        with urllib.request.urlopen(source.url, timeout=_URL_SECONDS) as response:  # noqa: S310 (checked above)
            while chunk := response.read(CHUNK):
                yield chunk
    except urllib.error.HTTPError as error:
        raise PachydermError(f"error retrieving content from {source.url}: {error.code} {error.reason}") from error
    except OSError as error:
        raise PachydermError(f"error retrieving content from {source.url}: {error}") from error
