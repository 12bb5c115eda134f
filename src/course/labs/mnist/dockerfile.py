"""Judge the learner's train.Dockerfile before the platform builds it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import PurePosixPath

from course.checks import CheckError, check

VARIABLE = "MODEL_PATH"
SHELLS = {"sh", "bash"}
_EXPANSION = re.compile(r"\$\{?MODEL_PATH\b")


def judge(text: str) -> None:
    """Check each part of the Dockerfile ``text``. Raises CheckError that names the first mistake."""
    instructions = list(parse(text))
    check(
        "it starts from an image with PyTorch",
        any(keyword == "FROM" and "pytorch" in rest for keyword, rest in instructions),
        "leave the line FROM pytorch/pytorch:... as it was",
    )
    _judge_variable([rest for keyword, rest in instructions if keyword == "ENV"])
    copied = [source for keyword, rest in instructions if keyword in ("COPY", "ADD") for source in sources(rest)]
    for name, use in {
        "main.py": "the job would end with No such file or directory",
        "data": "it has nothing to train on",
    }.items():
        check(
            f"{name} is in the image", {name, f"./{name}", f"{name}/", "."} & set(copied), f"COPY {name}: without it {use}"
        )
    commands = [rest for keyword, rest in instructions if keyword == "CMD"]
    check("there is a CMD", commands, 'write the program that the job runs: CMD bash -c "..."')
    _judge_command(commands[-1])


def parse(text: str) -> Iterator[tuple[str, str]]:
    """The instructions of a Dockerfile: the keyword in capitals, and the rest of the line with its continuations."""
    lines = (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    joined = re.sub(r"\\[ \t]*\n", " ", "\n".join(lines))
    for line in joined.splitlines():
        keyword, _, rest = line.strip().partition(" ")
        yield keyword.upper(), rest.strip()


def sources(rest: str) -> list[str]:
    """The files and folders that a COPY or ADD names, without their target."""
    words = _json(rest) or _split(rest)
    return [word for word in words if not word.startswith("--")][:-1]


def _judge_variable(assignments: list[str]) -> None:
    values: dict[str, str] = {}
    for assignment in assignments:
        words = _split(assignment)
        if words and "=" not in words[0]:  # the old form: ENV name value
            words = ["=".join(assignment.split(None, 1))]
        values |= dict(word.split("=", 1) for word in words if "=" in word)
    check(f"{VARIABLE} is set", VARIABLE in values, f"ENV {VARIABLE}=/var/storage/model.pkl: the path of the saved model")
    path = PurePosixPath(values[VARIABLE])
    hint = f"it is {path}: write the whole path, /var/storage/model.pkl"
    check(f"{VARIABLE} is the path of a file", path.is_absolute() and path.suffix, hint)


def _judge_command(rest: str) -> None:
    words = _json(rest)
    if words is not None and (not words or PurePosixPath(words[0]).name not in SHELLS):
        raise CheckError(
            f"Not yet: CMD has a shell. Hint: a list in brackets runs without a shell, and ${VARIABLE} stays as it is. "
            'Write CMD bash -c "...", without brackets'
        )
    command = " ".join(words) if words is not None else rest
    check(
        "CMD runs main.py", re.search(r"python3?\s+(\./)?main\.py", command), f"it is {command}: begin with python main.py"
    )
    check("main.py saves its model", "--save-model" in command, "give main.py the option --save-model")
    hint = f"main.py writes mnist_cnn.pt: after it, mv mnist_cnn.pt ${VARIABLE}"
    check(f"the model moves to ${VARIABLE}", "mnist_cnn.pt" in command and _EXPANSION.search(command), hint)


def _json(rest: str) -> list[str] | None:
    """The words of an instruction's JSON form; None for its plain form."""
    try:
        words = json.loads(rest)
    except ValueError:
        return None
    return [str(word) for word in words] if isinstance(words, list) else None


def _split(rest: str) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError:
        return rest.split()
