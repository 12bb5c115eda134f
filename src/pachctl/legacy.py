"""The hyphenated commands of Pachyderm 1.7, such as ``put-file REPO BRANCH PATH``, rewritten as today's.

Two flags meant something else then, so they are translated here and nowhere else: ``put-file -c`` started and finished a
commit (today a put outside of an open commit does), and ``put-file`` without ``-o`` appended (today it replaces).
``get-file -o`` and ``list-job``'s flags have not changed.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

_VERBS = (
    *("create", "update", "inspect", "list", "delete", "start", "finish", "stop", "put", "get", "glob", "copy", "diff"),
    *("subscribe", "restart"),
)
_VALUED = {
    *("-f", "--file", "-i", "--input-file", "-p", "--pipeline", "--parent", "-n", "--number", "-d", "--description"),
    *("-m", "--message", "--head", "-o", "--output", "--input", "--datum", "--job", "--project"),
}
_FILE_VERBS = ("put-file", "get-file", "list-file", "glob-file", "inspect-file", "delete-file")
_VERSION_VERBS = (
    *("start-commit", "finish-commit", "inspect-commit", "list-commit", "delete-commit"),
    *("create-branch", "delete-branch", "inspect-branch", "subscribe-commit"),
)
_OBJECTS = ("repo", "branch", "commit", "file", "pipeline", "job", "datum", "secret", "all")


@dataclass(frozen=True)
class Call:
    """A command line in three parts."""

    command: str
    names: list[str]
    flags: list[str]


def translate(arguments: list[str]) -> list[str] | None:
    """Today's arguments for a 1.7 command line; None when it is not one."""
    if not arguments:
        return None
    if (renamed := _renamed(*arguments)) is not None:
        return renamed
    verb, _, thing = arguments[0].partition("-")
    if verb not in _VERBS or thing not in _OBJECTS:
        return None
    call = _split(arguments[0], arguments[1:])
    if call.command in _FILE_VERBS:
        names = [_file(call.names[:3]), *call.names[3:]]
    elif call.command in _VERSION_VERBS:
        names = ["@".join(call.names[:2]), *call.names[2:]] if call.names else []
    else:
        names = call.names
    flags = call.flags
    if call.command == "put-file":
        flags = _put_flags(flags)
    elif call.command == "list-job" and not names and not {"-p", "--pipeline", "-x", "--expand"} & set(flags):
        flags = ["--expand", *flags]  # 1.7 had jobs, no sets of them
    elif call.command == "inspect-job" and names and "@" not in names[0]:
        return ["list", "job", *names, *flags]  # an id alone now names the jobs of one commit set
    return [verb, thing, *(name for name in names if name), *flags]


def _renamed(command: str, *rest: str) -> list[str] | None:
    """The commands that have another verb or object today."""
    if command == "get-logs":
        return ["logs", *rest]
    if command == "flush-commit":  # its commits were REPO/COMMIT
        return ["wait", "commit", *("@".join(name.split("/", 1)) for name in rest)]
    if command == "set-branch" and len(rest) == 3:  # REPO COMMIT-OR-BRANCH NEW-BRANCH
        return ["create", "branch", f"{rest[0]}@{rest[2]}", "--head", rest[1]]
    return None


def hint(arguments: list[str], translated: list[str]) -> str:
    """One line that teaches today's form."""
    return f"hint: {arguments[0]} is the 1.7 form; today: pachctl {shlex.join(translated)}"


def _split(command: str, rest: list[str]) -> Call:
    """Separate the names of objects from the flags and their values."""
    valued = _VALUED - {"-o"} if command == "put-file" else _VALUED
    names, flags, waiting = [], [], False
    for word in rest:
        if waiting or (word.startswith("-") and word != "-"):
            flags.append(word)
            waiting = not waiting and word in valued
        else:
            names.append(word)
    return Call(command, names, flags)


def _file(names: list[str]) -> str:
    """``REPO BRANCH PATH`` as ``REPO@BRANCH:PATH``."""
    return "@".join(names[:2]) + "".join(f":{path}" for path in names[2:])


def _put_flags(flags: list[str]) -> list[str]:
    kept, overwrite = [], False
    for flag in flags:
        letters = set(flag[1:]) if flag.startswith("-") and not flag.startswith("--") else set()
        if flag in ("--commit", "--overwrite") or (letters and letters <= set("cor")):
            overwrite = overwrite or flag == "--overwrite" or "o" in letters
            kept += ["-r"] if "r" in letters else []
        else:
            kept.append(flag)
    return kept if overwrite else [*kept, "--append"]
