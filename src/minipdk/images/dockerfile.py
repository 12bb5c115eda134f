"""Read a Dockerfile into instructions, each with the line it begins at (Docker's Dockerfile reference).

Understood: parser directives (``# escape=``; others are comments), comments, line continuations, flags, heredocs and the
JSON (exec) form. `minipdk.images.build` carries the instructions out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from minipdk.images import expansion
from minipdk.images.errors import DockerfileError

NAMES = """
ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR
"""
KEYWORDS = frozenset(NAMES.split())
_WITH_FLAGS = frozenset(("ADD", "COPY", "FROM", "HEALTHCHECK", "RUN"))
_WITH_HEREDOCS = frozenset(("ADD", "COPY", "RUN"))
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_HEREDOC = re.compile(r"""\d*<<(?P<chomp>-?)(?P<quote>['"]?)(?P<name>[A-Za-z0-9_.]+)(?P=quote)""")
_FLAG = re.compile(r"--([a-z][a-z-]*)(?:=(\S*))?(?:\s+|$)")


@dataclass(frozen=True)
class Heredoc:
    """An inline file. ``expand``: whether variables in it are replaced (its name was not quoted)."""

    name: str
    content: str
    expand: bool


@dataclass(frozen=True)
class Instruction:
    """One instruction: ``KEYWORD --flag=value ... text`` and the inline files that follow it."""

    line: int
    keyword: str
    text: str
    flags: tuple[tuple[str, str | None], ...] = ()
    heredocs: tuple[Heredoc, ...] = ()

    @property
    def exec_form(self) -> list[str] | None:
        """The words of the JSON form; None when this is the shell form."""
        if not self.text.startswith("["):
            return None
        try:
            parts = json.loads(self.text)
        except ValueError:
            return None
        return parts if isinstance(parts, list) and all(isinstance(part, str) for part in parts) else None

    def __str__(self) -> str:
        flags = "".join(f"--{name}{'' if value is None else f'={value}'} " for name, value in self.flags)
        return f"{self.keyword} {flags}{self.text}"


@dataclass
class Dockerfile:
    """The instructions of the file at ``path``; ``escape`` is its escape character."""

    path: Path
    escape: str = "\\"
    instructions: list[Instruction] = field(default_factory=list)

    def error(self, line: int, message: str) -> DockerfileError:
        """The error that names this file and ``line``."""
        return DockerfileError(f"{self.path}:{line}: {message}")


def read(path: Path) -> Dockerfile:
    """Read the Dockerfile at ``path``. Raises DockerfileError, with the line, if it is malformed."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DockerfileError(f"there is no Dockerfile at {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DockerfileError(f"{path} cannot be read: {error}") from error
    return parse(text, path)


def parse(text: str, path: Path) -> Dockerfile:
    """Parse the ``text`` of the Dockerfile at ``path``."""
    lines = text.replace("\r\n", "\n").split("\n")
    dockerfile = Dockerfile(path, _escape(lines, path))
    position = 0
    while position < len(lines):
        if _is_blank(lines[position]):
            position += 1
            continue
        first = position
        logical, position = _join(lines, position, dockerfile.escape)
        instruction, position = _instruction(dockerfile, first + 1, logical, lines, position)
        dockerfile.instructions.append(instruction)
    if not dockerfile.instructions:
        raise DockerfileError(f"{path}: the file has no instructions")
    return dockerfile


def _escape(lines: list[str], path: Path) -> str:
    """The escape character that a directive at the very top chooses."""
    for number, line in enumerate(lines, 1):
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None:
            break
        if match[1].lower() == "escape":
            if match[2] not in ("\\", "`"):
                raise DockerfileError(f"{path}:{number}: escape must be \\ or `, not {match[2]}")
            return match[2]
    return "\\"


def _is_blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _join(lines: list[str], position: int, escape: str) -> tuple[str, int]:
    """The logical line that begins at ``position``, and the position after it. Comments inside are left out."""
    continued = re.compile(rf"(?<!{re.escape(escape)}){re.escape(escape)}[ \t]*$")
    logical = ""
    while position < len(lines):
        line = lines[position]
        position += 1
        if logical and _is_blank(line):
            continue
        if not continued.search(line):
            return logical + line, position
        logical += continued.sub("", line) or " "
    return logical, position


def _instruction(
    dockerfile: Dockerfile, number: int, logical: str, lines: list[str], position: int
) -> tuple[Instruction, int]:
    keyword, *tail = logical.split(None, 1)
    keyword, rest = keyword.upper(), tail[0].strip() if tail else ""
    if keyword not in KEYWORDS:
        raise dockerfile.error(number, f"unknown instruction: {keyword}")
    if not rest:
        raise dockerfile.error(number, f"{keyword} requires at least one argument")
    flags = []
    while keyword in _WITH_FLAGS and (match := _FLAG.match(rest)):
        flags.append((match[1], match[2]))
        rest = rest[match.end() :]
    heredocs = []
    for match in _heredoc_words(rest, dockerfile.escape) if keyword in _WITH_HEREDOCS else ():
        heredoc, position = _heredoc(dockerfile, number, match, lines, position)
        heredocs.append(heredoc)
    return Instruction(number, keyword, rest, tuple(flags), tuple(heredocs)), position


def _heredoc_words(text: str, escape: str) -> list[re.Match[str]]:
    """The words of ``text`` that begin an inline file; a shift or a quoted << begins none."""
    try:
        return [match for word in expansion.split(text, escape) if (match := _HEREDOC.fullmatch(word))]
    except expansion.ExpansionError:
        return []  # a quote that the shell will complain about


def _heredoc(
    dockerfile: Dockerfile, number: int, match: re.Match[str], lines: list[str], position: int
) -> tuple[Heredoc, int]:
    content: list[str] = []
    while position < len(lines):
        line = lines[position].lstrip("\t") if match["chomp"] else lines[position]
        position += 1
        if line == match["name"]:
            return Heredoc(match["name"], "".join(f"{line}\n" for line in content), not match["quote"]), position
        content.append(line)
    raise dockerfile.error(number, f"the heredoc {match['name']} is not terminated")
