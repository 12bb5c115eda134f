"""Ask the platform through its own command line, `neuro`, and read the tables that it prints."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from course import commands
from course.checks import CheckError
from course.progress import wait_for

COLUMNS = 400
"""Wide enough that no line of a table is wrapped."""

ENDED = {"succeeded", "failed", "cancelled"}
_ROW = re.compile(r" {0,1}(?P<label>\S+(?: \S+)*) {2,}(?P<value>.*)")
_LISTED = re.compile(r"[-d?][mwr?] +(?P<size>\d+) +\S+ \S+ +(?P<name>.+)")


class NeuroError(CheckError):
    """`neuro` failed; ``said`` is the last line that it printed."""

    def __init__(self, command: str, said: str) -> None:
        super().__init__(f"Not yet: `neuro {command}` works. Hint: {said}")
        self.said = said

    @property
    def is_missing(self) -> bool:
        """Whether the platform has no such thing."""
        return any(text in self.said.lower() for text in ("not found", "no such", "no job", "unknown", "does not exist"))


def ask(*words: str | Path, seconds: float = 120) -> str:
    """The output of `neuro` with these words. Raises NeuroError, and another CheckError if there is no `neuro`."""
    if not shutil.which("neuro"):
        raise CheckError("Not yet: the command line neuro is here. Hint: `make setup` installs it; `make lab` finds it")
    result = commands.run(["neuro", *words], seconds=seconds, variables={"COLUMNS": str(COLUMNS)})
    if result.returncode:
        raise NeuroError(" ".join(map(str, words)), commands.last_line(result.stderr, result.stdout))
    return result.stdout


def table(text: str) -> dict[str, str]:
    """The rows of a table of labels and values; a value may have several lines."""
    rows: dict[str, str] = {}
    label = ""
    for line in text.splitlines():
        if match := _ROW.fullmatch(line.rstrip()):
            label = match["label"]
            rows[label] = match["value"].strip()
        elif label and line.startswith("  ") and line.strip():
            rows[label] += f"\n{line.strip()}"
    return rows


@dataclass(frozen=True)
class Job:
    """A job as `neuro status` shows it."""

    status: str
    reason: str
    volumes: tuple[str, ...]
    """Each mount: the folder in the container, the storage, READONLY if it is."""

    variables: dict[str, str]
    url: str
    port: str

    @property
    def ended(self) -> bool:
        return self.status in ENDED


def read_job(text: str) -> Job:
    """The job that `neuro status` has printed as ``text``."""
    rows = table(text)
    status, _, reason = rows.get("Status", "").partition(" (")
    pairs = (line.split(None, 1) for line in rows.get("Environment", "").splitlines())
    return Job(
        status=status,
        reason=reason.removesuffix(")"),
        volumes=tuple(" ".join(line.split()) for line in rows.get("Volumes", "").splitlines()),
        variables={pair[0]: pair[1].strip() if len(pair) > 1 else "" for pair in pairs if pair},
        url=rows.get("Http URL", ""),
        port=rows.get("Http port", ""),
    )


def job(name: str) -> Job | None:
    """The newest job called ``name``; None if there is none."""
    try:
        return read_job(ask("status", name))
    except NeuroError as error:
        if error.is_missing:
            return None
        raise


def wait(name: str, done: Callable[[Job], bool], *, seconds: float = 600) -> Job:
    """Wait until ``done`` is true of the job, or it has ended, and show its status. Raises CheckError without a job."""

    def look() -> tuple[bool, str, Job]:
        current = job(name)
        if current is None:
            raise CheckError(f"Not yet: the job {name} is there. Hint: run it in the cell above, with --name {name}")
        return current.ended or done(current), current.status, current

    return wait_for(f"job {name}", look, seconds=seconds)


def tags(image: str) -> list[str]:
    """The tags of ``image`` in the platform's registry."""
    try:
        text = ask("image", "tags", image)
    except NeuroError as error:
        if error.is_missing:
            return []
        raise
    words = [line.split(":")[-1].strip() for line in text.splitlines()]
    return [word for word in words if re.fullmatch(r"[\w.-]+", word) and word != "Tag"]


def files(folder: str) -> dict[str, int]:
    """The sizes in bytes of the files in a folder of the storage, by name; none if there is no such folder."""
    try:
        text = ask("ls", "-l", folder)
    except NeuroError as error:
        if error.is_missing:
            return {}
        raise
    rows = (match for line in text.splitlines() if (match := _LISTED.fullmatch(line.strip())))
    return {match["name"].strip(): int(match["size"]) for match in rows}
