"""File paths: one spelling for each, and the rules for paths that are written."""

from __future__ import annotations

import posixpath
import re

from minipdk.services.pachyderm.errors import PachydermError

GLOB_CHARACTERS = re.compile(r"[*?\[\]{}!()@+^]")
_PRINTABLE = re.compile(r"[ -~]+")


def clean(path: str) -> str:
    """The one spelling of ``path``: absolute, no doubled and no trailing slashes, "." and ".." resolved. "" is "/".

    As in pachd's `pfsfile.CleanPath`, a relative path keeps leading "..", so it names nothing.
    """
    cleaned = posixpath.normpath(path)
    return "/" if cleaned == "." else "/" + cleaned.strip("/")


def clean_for_write(path: str) -> str:
    """The one spelling of a file's path to be written. Raises PachydermError for a name that PFS does not allow."""
    validate(path)
    if not path.strip("/"):
        raise PachydermError(f"path ({path}) invalid: a file needs a name")
    return clean(path)


def clean_for_delete(path: str) -> str:
    """The one spelling of a path to be deleted: a slash at the end names the directory. Raises PachydermError.

    The rules of writing apply. So "" and "/*", which could stand for every file, are no paths; "/" is.
    """
    validate(path)
    return as_directory(clean(path)) if path.endswith("/") else clean(path)


def validate(path: str) -> None:
    """Refuse names that could not be read back or are ambiguous: globs, relative elements, control characters.

    The rules, their order and their words come from pachd's `storage.ValidateFilename`.
    """
    if not _PRINTABLE.fullmatch(path):
        raise PachydermError(f"path ({path}) invalid: only printable ASCII characters allowed")
    if match := GLOB_CHARACTERS.search(path):
        raise PachydermError(f"path ({path}) invalid: globbing character ({match[0]}) not allowed in path")
    if any(element in (".", "..") for element in path.split("/")):
        raise PachydermError(f"path ({path}) invalid: relative file paths are not allowed")


def split(path: str) -> tuple[str, str]:
    """The directory and the name of a clean path: /a/b -> ("/a/", "b"); /a/b/ -> ("/a/", "b/"); / -> ("", "/")."""
    if path == "/":
        return "", "/"
    head, _, tail = path.rstrip("/").rpartition("/")
    return head + "/", tail + ("/" if path.endswith("/") else "")


def as_directory(path: str) -> str:
    """A clean path as a directory is listed: with a slash at the end."""
    return path if path.endswith("/") else path + "/"
