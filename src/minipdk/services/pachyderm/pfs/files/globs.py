"""Glob patterns as pachd understands them: ``* ? [a-z] [!a] {a,b} **`` and ``@() +() *() ?() !() ()`` with captures.

``*`` and ``?`` stay within one name, ``**`` crosses slashes. Capture n ($1 ...) is the match of the n-th parentheses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import paths

_EXTENDED = "@+*?!"
INCOMPLETE = "unexpected end of input"


@dataclass(frozen=True)
class Glob:
    """A compiled pattern. ``prefix`` is its literal beginning; ``depth`` the number of names in a matching path, 0: any."""

    pattern: str
    regex: re.Pattern[str]
    prefix: str
    depth: int

    def match(self, path: str) -> list[str] | None:
        """The captures of the parentheses, or None when ``path`` (a directory's may end in "/") does not match."""
        if path == "/":
            return [] if self.pattern == "/" else None
        match = self.regex.fullmatch(path.rstrip("/"))
        return None if match is None else [group or "" for group in match.groups()]

    @property
    def folder(self) -> str:
        """The deepest directory that contains (or is) every match."""
        return self.prefix[: self.prefix.rfind("/") + 1] or "/"

    def may_match_below(self, directory: str) -> bool:
        """Whether something below ``directory`` could match, by depth and literal beginning."""
        if self.depth and directory.count("/") > self.depth:
            return False
        return directory.startswith(self.prefix) or self.prefix.startswith(directory)


@lru_cache(maxsize=512)
def compile_glob(pattern: str) -> Glob:
    """Raises PachydermError for a pattern that is not well formed."""
    cleaned = paths.clean(pattern)
    parser = _Parser(cleaned)
    try:
        regex = re.compile(parser.parse())
    except (re.error, ValueError) as error:
        raise PachydermError(f'glob "{pattern}" is not well formed: {error}') from None
    special = paths.GLOB_CHARACTERS.search(cleaned)
    prefix = cleaned[: special.start()] if special else cleaned
    return Glob(cleaned, regex, prefix, 0 if parser.crosses else cleaned.count("/"))


class _Parser:
    """Translates a glob into a regular expression, from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern, self._at = pattern, 0
        self.crosses = False

    def parse(self) -> str:
        text = self._sequence("", capture=True)
        if self._at < len(self._pattern):
            raise ValueError(f"unexpected {self._pattern[self._at]!r}")
        return text

    def _end(self, closing: str, start: int) -> int:
        """Where ``closing`` is, at or after ``start``. Raises ValueError."""
        at = self._pattern.find(closing, start)
        if at < 0:
            raise ValueError(INCOMPLETE)
        return at

    def _peek(self, ahead: int = 0) -> str:
        return self._pattern[self._at + ahead : self._at + ahead + 1]

    def _sequence(self, stops: str, *, capture: bool) -> str:
        parts = []
        while (character := self._peek()) and character not in stops:
            if character in _EXTENDED and self._peek(1) == "(":
                parts.append(self._extended(character, stops, capture=capture))
            elif character == "(":
                self._at += 1
                parts.append(self._group(self._alternatives("|", ")", capture=capture), "", capture=capture))
            elif character == "{":
                self._at += 1
                parts.append(f"(?:{self._alternatives(',', '}', capture=capture)})")
            else:
                parts.append(self._single(character))
        return "".join(parts)

    def _single(self, character: str) -> str:
        self._at += 1
        if character == "*":
            if self._peek() == "*":
                self._at += 1
                self.crosses = True
                return ".*"
            return "[^/]*"
        if character == "?":
            return "[^/]"
        if character == "[":
            return self._class()
        if character == "\\":
            character, self._at = self._peek(), self._at + 1
            if not character:
                raise ValueError(INCOMPLETE)
        elif character in "]})":
            raise ValueError(f"unexpected {character!r}")
        return re.escape(character)

    def _class(self) -> str:
        negated = self._peek() in ("!", "^") and bool(self._peek())
        end = self._end("]", self._at + negated + 1)
        members = self._pattern[self._at + negated : end]
        self._at = end + 1
        escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", members)
        return f"(?!/)[{'^' if negated else ''}{escaped}]"

    def _alternatives(self, separator: str, close: str, *, capture: bool) -> str:
        start = self._at
        arms = [self._sequence(separator + close, capture=capture)]
        while self._peek() == separator:
            self._at += 1
            arms.append(self._sequence(separator + close, capture=capture))
        if self._peek() != close:
            raise ValueError(f"unexpected {self._peek()!r}" if self._peek() else INCOMPLETE)
        if "/" in self._pattern[start : self._at]:
            self.crosses = True
        self._at += 1
        return "|".join(arms)

    def _extended(self, kind: str, stops: str, *, capture: bool) -> str:
        self._at += 2
        if kind != "!":
            arms = self._alternatives("|", ")", capture=False)
            return self._group(arms, "" if kind == "@" else kind, capture=capture)
        arms = self._alternatives("|", ")", capture=False)
        here = self._at
        rest = self._sequence(stops, capture=False)  # the rest of the pattern decides how much the negation may match
        self._at = here
        return self._group(f"(?!(?:{arms}){rest}(?:/|$))[^/]*", "", capture=capture)

    @staticmethod
    def _group(inside: str, repeat: str, *, capture: bool) -> str:
        return f"{'(' if capture else '(?:'}(?:{inside}){repeat})"
