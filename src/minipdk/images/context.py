"""The files that COPY and ADD may take: files of the build context that .dockerignore does not exclude.

Nothing outside the context can be reached, whether by ``..``, by an absolute path or through a symlink.

Patterns follow Docker's builder (https://docs.docker.com/build/concepts/context/#syntax). Its Python client's PatternMatcher
(`docker.utils.build`) differs: it ignores case, knows neither escapes nor ``[^a]``, never excludes .dockerignore, and does
not apply ``**/folder`` to the folder's files once there is an exception.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

GLOB_CHARACTERS = frozenset("*?[")
CHUNK = 1 << 20


class ContextError(ValueError):
    """A source is missing, excluded, or outside the context."""


@dataclass(frozen=True)
class Entry:
    """A file, folder or symlink to copy: ``path`` is relative to the context, ``name`` to the source.

    ``name`` is ``.`` for the source itself.
    """

    path: str
    name: str


@dataclass(frozen=True)
class Source:
    """A file or folder that a pattern of COPY matches, and everything in it."""

    path: str
    is_folder: bool
    entries: tuple[Entry, ...]


class Context:
    """The folder ``root`` without the files that ``ignore`` (the text of a .dockerignore) excludes."""

    def __init__(self, root: Path, ignore: str = "") -> None:
        self.root = root.resolve()
        self._rules = [rule for line in ignore.splitlines() if (rule := _rule(line))]
        self._has_exceptions = any(not excludes for _, excludes in self._rules)

    def select(self, pattern: str) -> list[Source]:
        """The sources that ``pattern`` matches, in order. Raises ContextError if there are none, or one is outside."""
        parts = PurePosixPath("/", pattern).parts[1:]
        if ".." in parts:
            parts = _without_parents(pattern, parts)
        if any(GLOB_CHARACTERS & set(part) for part in parts):
            matches = [path for path in self._glob(parts) if not self._is_hidden(path)]
        else:
            path = "/".join(parts) or "."
            matches = [path] if os.path.lexists(self.root / path) and not self._is_hidden(path) else []
        if not matches:
            excluded = " (.dockerignore excludes it)" if os.path.lexists(self.root.joinpath(*parts)) else ""
            raise ContextError(f"no file of the build context {self.root} matches {pattern!r}{excluded}")
        return [self._source(path) for path in matches]

    def digest(self, sources: list[Source]) -> str:
        """The SHA-256 of the names, kinds, modes and contents of ``sources``."""
        total = hashlib.sha256()
        for source in sources:
            total.update(f"{source.path}\0{source.is_folder}\0".encode())
            for entry in source.entries:
                total.update(f"{entry.name}\0{_describe(self.root / entry.path)}\0".encode(errors="surrogateescape"))
        return total.hexdigest()

    def _glob(self, parts: tuple[str, ...]) -> list[str]:
        """The paths whose parts match ``parts``; folders that are symlinks are not searched."""
        matches = [""]
        for part in parts:
            accepts = re.compile(_translate(part))
            matches = [
                f"{folder}/{name}".lstrip("/")
                for folder in matches
                if (self.root / folder).is_dir() and not (self.root / folder).is_symlink()
                for name in sorted(os.listdir(self.root / folder))  # noqa: PTH208  (names, not paths)
                if accepts.fullmatch(name)
            ]
        return matches

    def _source(self, path: str) -> Source:
        real = (self.root / path).resolve()
        if not real.is_relative_to(self.root):
            raise ContextError(f"{path!r} leads out of the build context {self.root}")
        if not real.exists():
            raise ContextError(f"{path!r} is a symlink to something that does not exist")
        relative = real.relative_to(self.root).as_posix()
        if not real.is_dir():
            return Source(path, False, (Entry(relative, "."),))
        return Source(path, True, (Entry(relative, "."), *self._walk(relative, "")))

    def _walk(self, folder: str, prefix: str) -> list[Entry]:
        """Everything below ``folder``, parents before children; symlinks stay symlinks."""
        entries: list[Entry] = []
        for item in sorted(os.scandir(self.root / folder), key=lambda item: item.name):
            path, name = f"{folder}/{item.name}".removeprefix("./"), f"{prefix}{item.name}"
            hidden, is_folder = self._is_hidden(path), item.is_dir(follow_symlinks=False)
            below = self._walk(path, f"{name}/") if is_folder and (not hidden or self._has_exceptions) else []
            if not hidden or below:
                entries += [Entry(path, name), *below]
        return entries

    def _is_hidden(self, path: str) -> bool:
        """Whether the last pattern that matches ``path``, or a folder above it, excludes it."""
        candidates = [path, *(parent.as_posix() for parent in PurePosixPath(path).parents)]
        hidden = False
        for rule, excludes in self._rules:
            if any(rule.fullmatch(candidate) for candidate in candidates if candidate != "."):
                hidden = excludes
        return hidden


def _without_parents(pattern: str, parts: tuple[str, ...]) -> tuple[str, ...]:
    kept: list[str] = []
    for part in parts:
        if part == ".." and not kept:
            raise ContextError(f"{pattern!r} leads out of the build context")
        if part == "..":
            kept.pop()
        else:
            kept.append(part)
    return tuple(kept)


def _describe(path: Path) -> str:
    """The kind, mode and content of a file, folder or symlink."""
    status = path.lstat()
    if path.is_symlink():
        return f"link {os.readlink(path)}"  # noqa: PTH115  (as text, unchanged)
    if path.is_dir():
        return f"folder {status.st_mode & 0o7777:o}"
    if not path.is_file():
        raise ContextError(f"{path} is neither a file nor a folder nor a symlink")
    return f"file {status.st_mode & 0o7777:o} {_file_digest(str(path), status.st_mtime_ns, status.st_size)}"


@functools.lru_cache(maxsize=4096)
def _file_digest(path: str, _modified: int, _size: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _rule(line: str) -> tuple[re.Pattern[str], bool] | None:
    """A line of .dockerignore as (pattern, whether it excludes); None for a comment or a blank line."""
    if line.startswith("#") or not (text := line.strip()):
        return None
    excludes = not text.startswith("!")
    text = str(PurePosixPath(text.lstrip("!").strip().lstrip("/")))
    return re.compile(_translate(text)), excludes


def _translate(pattern: str) -> str:
    """The regular expression of a pattern of Go's filepath.Match, and ``**`` for any number of folders."""
    expression, position = "", 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if pattern.startswith("**", position - 1):
            position += 1
            slash = pattern.startswith("/", position)
            position += slash
            expression += "(?:.*/)?" if slash else ".*"
        elif character == "*":
            expression += "[^/]*"
        elif character == "?":
            expression += "[^/]"
        elif character == "[":
            end = pattern.find("]", position + 1)
            if end < 0:
                raise ContextError(f"the pattern {pattern!r} has a [ without its ]")
            body = pattern[position:end].replace("\\", "\\\\").replace("[", "\\[")
            expression += f"[{body}]"
            position = end + 1
        else:
            if character == "\\" and position < len(pattern):
                character = pattern[position]
                position += 1
            expression += re.escape(character)
    return expression
