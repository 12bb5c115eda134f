"""Run a command to its end and show its progress."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from course.progress import wait_for

LONGEST_SHOWN = 60
LINES_OF_A_FAILURE = 40


def run(
    command: str | Sequence[str | Path],
    folder: Path | None = None,
    *,
    seconds: float = 600,
    title: str = "",
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``command``, a program and its arguments, in ``folder``; return its exit status and its output.

    Its last line is shown meanwhile, after ``title``, by default the program's name. ``variables`` add to the environment.
    Raises WaitTimeoutError after ``seconds``: the command and its children are killed.
    """
    words = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        environment = os.environ | (variables or {})
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=output, stderr=errors, start_new_session=True)

        def look() -> tuple[bool, str, None]:
            return process.poll() is not None, _last_line(printed(output)), None

        try:
            wait_for(title or Path(words[0]).name, look, seconds=seconds)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return subprocess.CompletedProcess(words, process.returncode, printed(output), printed(errors))


def shell(script: str, *, seconds: float = 600) -> subprocess.CompletedProcess[str]:
    """Run ``script`` as `run` does, in bash, to the first command or part of a pipe that fails; show a failure on stderr."""
    title = next(iter(script.split()), "")
    result = run(["bash", "-e", "-o", "pipefail", "-c", script], seconds=seconds, title=title)
    if result.returncode:
        lines = f"{result.stdout}{result.stderr}".splitlines()[-LINES_OF_A_FAILURE:]
        sys.stderr.write("\n".join([*lines, ""]))
    return result


def show(script: str, *, seconds: float = 600) -> subprocess.CompletedProcess[str]:
    """Run ``script`` as `shell` does, and print its output."""
    result = shell(script, seconds=seconds)
    print(result.stdout.rstrip())  # noqa: T201
    return result


def last_line(*texts: str) -> str:
    """The last line in the first of ``texts`` that has one, else "nothing"."""
    lines = (line.strip() for text in texts for line in reversed(text.splitlines()) if line.strip())
    return next(lines, "nothing")


def printed(file: IO[bytes]) -> str:
    """The text that a process has written into ``file`` so far. The process's position in the file does not change."""
    descriptor = file.fileno()
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")


def _last_line(text: str) -> str:
    return next((line.strip()[:LONGEST_SHOWN] for line in reversed(text.split("\n")) if line.strip()), "running")
