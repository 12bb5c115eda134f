"""The logs of jobs, which outlive their Pods: files of bounded size that any number of clients follow.

A log is a folder of segments, each of them lines that begin with their time. When there are too many segments, the second
goes: people read the beginning of a log and its end. A client reads from the files, so a slow one needs no memory.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from minipdk.common.home import private_dir

SEGMENT_BYTES = 4 << 20
MOST_SEGMENTS = 8
BLOCK = 1 << 16
_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) ")
COMPLETE = "complete"
"""The file that says that nothing more will be written to a log."""
GAP = b"[minipdk has left out a part of this log here: it keeps the beginning and the last %d MiB]\n"


class JobLog:
    """The log of one job, in ``folder``. One task writes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = private_dir(folder)
        self.complete = (folder / COMPLETE).exists()
        """Whether nothing more will be written."""
        self._file: IO[bytes] | None = None
        self._size = 0
        self._changed = asyncio.Event()

    def write(self, lines: bytes) -> None:
        """Append whole lines, each with its time."""
        if self._file is None or self._size >= SEGMENT_BYTES:
            self._next_segment()
        assert self._file is not None
        self._file.write(lines)
        self._size += len(lines)
        self._notify()

    def write_now(self, text: bytes) -> None:
        """Append whole lines that are written now."""
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ ").encode()
        self.write(b"".join(time + line + b"\n" for line in text.splitlines()))

    def end(self) -> None:
        (self.folder / COMPLETE).touch()
        self.complete = True
        if self._file:
            self._file.close()
            self._file = None
        self._notify()

    def last_lines(self) -> tuple[str, int]:
        """The time of the last line, empty without any, and the number of the last lines that have this time."""
        segments = self._segments()
        if not segments:
            return "", 0
        lines = segments[-1][1].read_bytes().splitlines()
        if not lines and len(segments) > 1:
            lines = segments[-2][1].read_bytes().splitlines()
        times = [match[1] for line in lines if (match := _TIME.match(line))]
        return (times[-1].decode(), times.count(times[-1])) if times else ("", 0)

    async def follow(self, *, from_end: bool = False) -> AsyncIterator[bytes]:
        """The log in blocks of whole lines, until it is complete. ``from_end``: only lines that are written from now on."""
        number, file = -1, None
        if from_end and (segments := self._segments()):
            number, path = segments[-1]
            file = path.open("rb")
            file.seek(0, 2)
        rest = b""
        try:
            while True:
                changed, is_last = self._changed, self.complete  # before reading, so that no line is missed
                while file and (block := file.read(BLOCK)):
                    lines, newline, rest = (rest + block).rpartition(b"\n")
                    if newline:
                        yield lines + newline
                following = next(((n, path) for n, path in self._segments() if n > number), None)
                if following:
                    if file:
                        file.close()
                    if number >= 0 and following[0] > number + 1:
                        yield GAP % ((MOST_SEGMENTS - 1) * SEGMENT_BYTES >> 20)
                    number, file = following[0], following[1].open("rb")
                elif is_last:
                    return
                else:
                    await changed.wait()
        finally:
            if file:
                file.close()

    def _next_segment(self) -> None:
        segments = self._segments()
        if self._file:
            self._file.close()
        for _, path in segments[1 : len(segments) - MOST_SEGMENTS + 2]:
            path.unlink()
        number = segments[-1][0] + 1 if segments else 0
        path = self.folder / f"{number}.log"
        self._file, self._size = path.open("ab", buffering=0), 0

    def _segments(self) -> list[tuple[int, Path]]:
        return sorted((int(path.stem), path) for path in self.folder.glob("*.log"))

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Logs:
    """The logs of all jobs, below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, JobLog] = {}

    def of(self, job_id: str) -> JobLog:
        if job_id not in self._open:
            self._open[job_id] = JobLog(self._folder / job_id)
        return self._open[job_id]

    def remove(self, job_id: str) -> None:
        self._open.pop(job_id, None)
        shutil.rmtree(self._folder / job_id, ignore_errors=True)


def shown(lines: bytes, *, since: datetime | None, timestamps: bool) -> bytes:
    """Lines as a client wants them: those since a time, and with their times only if it asks for them."""
    if since is None and timestamps:
        return lines
    kept = []
    for line in lines.splitlines(keepends=True):
        match = _TIME.match(line)
        if match is None:
            kept.append(line)
        elif since is None or datetime.fromisoformat(match[1].decode()) >= since:
            kept.append(line if timestamps else line[match.end() :])
    return b"".join(kept)
