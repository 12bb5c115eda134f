"""Run a command to its end and show its progress."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from course.progress import wait_for

LONGEST_SHOWN = 60


def run(
    command: str | Sequence[str | Path], folder: Path | None = None, *, seconds: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run ``command``, a program and its arguments, in ``folder``; return its exit status and its output.

    Its last line is shown meanwhile. Raises WaitTimeoutError after ``seconds``: the command and its children are killed.
    """
    words = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(words, cwd=folder, stdout=output, stderr=errors, start_new_session=True)

        def look() -> tuple[bool, str, None]:
            return process.poll() is not None, _last_line(printed(output)), None

        try:
            wait_for(Path(words[0]).name, look, seconds=seconds)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return subprocess.CompletedProcess(words, process.returncode, printed(output), printed(errors))


def printed(file: IO[bytes]) -> str:
    """The text that a process has written into ``file`` so far. The process's position in the file does not change."""
    descriptor = file.fileno()
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")


def _last_line(text: str) -> str:
    return next((line.strip()[:LONGEST_SHOWN] for line in reversed(text.split("\n")) if line.strip()), "running")
