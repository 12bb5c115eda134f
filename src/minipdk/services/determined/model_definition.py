"""The model definition of an experiment: its files, checked and packed into one archive."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import tarfile

from minipdk.services.determined.errors import InvalidArgumentError, NotFoundError
from minipdk.services.determined.model import Json

DIRECTORY = ord(tarfile.DIRTYPE)


def pack(files: list[Json]) -> bytes:
    """A tar.gz of the ``modelDefinition`` of a request: [{path, type, content: base64, mode, mtime}].

    Raises InvalidArgumentError for a path that would leave the folder, or content that is not base64.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for file in files:
            member, content = _member(file)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def digest(archive: bytes) -> str:
    """The name under which the archive is stored, once."""
    return hashlib.sha256(archive).hexdigest()


def tree(archive: bytes) -> list[Json]:
    """The files as Determined's FileNode messages, folders with their files below them."""
    roots: list[Json] = []
    folders: dict[str, list[Json]] = {"": roots}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in sorted(tar.getmembers(), key=lambda member: member.name):
            parent, _, name = member.name.rpartition("/")
            node: Json = {"name": name, "path": member.name, "isDir": member.isdir(), "contentLength": member.size}
            if member.isdir():
                node["files"] = folders.setdefault(member.name, [])
            folders.setdefault(parent, roots).append(node)
    return roots


def read(archive: bytes, path: str) -> bytes:
    """One file's bytes. Raises NotFoundError."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        try:
            file = tar.extractfile(path)
        except KeyError:
            file = None
        if file is None:
            raise NotFoundError(f"file {path!r} is not in the model definition")
        return file.read()


def _member(file: Json) -> tuple[tarfile.TarInfo, bytes]:
    path = file.get("path")
    if not isinstance(path, str):
        raise InvalidArgumentError("modelDefinition.path is required")
    parts = path.strip("/").split("/")
    if path.startswith("/") or "\\" in path or "\0" in path or ".." in parts or parts == [""]:
        raise InvalidArgumentError(f"modelDefinition: {path!r} is not a path below the model definition's folder")
    member = tarfile.TarInfo("/".join(part for part in parts if part != "."))
    kind = _number(file, "type")
    member.mode = _number(file, "mode") & 0o777 or (0o755 if kind == DIRECTORY else 0o644)
    member.mtime = _number(file, "mtime")
    if kind == DIRECTORY:
        member.type = tarfile.DIRTYPE
        return member, b""
    if kind not in (0, ord(tarfile.REGTYPE)):
        raise InvalidArgumentError(f"modelDefinition: {path!r} is neither a file nor a folder")
    try:
        content = base64.b64decode(file.get("content") or "", validate=True)
    except (binascii.Error, TypeError) as error:
        raise InvalidArgumentError(f"modelDefinition: the content of {path!r} is not base64: {error}") from None
    member.size = len(content)
    return member, content


def _number(file: Json, field: str) -> int:
    """A field that is a number, or a number as text, as JSON carries 64-bit ones."""
    try:
        return int(file.get(field) or 0)
    except (TypeError, ValueError):
        raise InvalidArgumentError(f"modelDefinition.{field}: {file[field]!r} is not a number") from None
