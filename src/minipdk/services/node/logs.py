"""A container's log file: each line with its time, the file of bounded size.

Lines have the format of container runtimes (``2026-01-02T03:04:05.678901Z stdout F text``), which the Kubernetes API
reads for `kubectl logs --since` and `--timestamps`. A full file is renamed, and replaces the file that was full before.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

MAX_BYTES = 10 << 20  # a kubelet's default (containerLogMaxSize)
LONGEST_LINE = 16 << 10
BLOCK = 1 << 16
TAIL = 64 << 10
MAX_MESSAGE = 2048


class ContainerLog:
    """The log of one run of a container at ``path``; the log of the run before moves to ``previous``."""

    def __init__(self, path: Path, previous: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists():
            path.replace(previous)
        self._aside = path.with_name(f"{path.name}.1")
        self._aside.unlink(missing_ok=True)
        self._file = path.open("ab", buffering=0)
        self._size = 0
        self._rest = b""

    def copy_from(self, output: IO[bytes], send: Callable[[bytes], None]) -> None:
        """Copy from ``output`` until it ends, and ``send`` a copy; a line is written once it is complete."""
        while block := _read(output):
            send(block)
            *lines, self._rest = (self._rest + block).split(b"\n")
            self._write([(line, b"F") for line in lines])
            while len(self._rest) > LONGEST_LINE:
                self._write([(self._rest[:LONGEST_LINE], b"P")])
                self._rest = self._rest[LONGEST_LINE:]
        if self._rest:
            self._write([(self._rest, b"F")])
        self._file.close()

    def _write(self, lines: list[tuple[bytes, bytes]]) -> None:
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
        content = bytearray()
        for line, mark in lines:
            record = b"%b stdout %b %b\n" % (time, mark, line)
            if self._size + len(content) + len(record) > MAX_BYTES:
                self._file.write(content)
                self._set_aside()
                content.clear()
            content += record
        self._file.write(content)
        self._size += len(content)

    def _set_aside(self) -> None:
        self._file.close()
        self.path.replace(self._aside)
        self._file, self._size = self.path.open("ab", buffering=0), 0


def _read(output: IO[bytes]) -> bytes:
    """The next bytes of a pipe or a terminal's master; empty at its end. A client that is attached makes it non-blocking."""
    readable = select.poll()
    readable.register(output, select.POLLIN)
    while True:
        try:
            return os.read(output.fileno(), BLOCK)
        except BlockingIOError:
            readable.poll()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return b""  # no program has the terminal open any more


def last_line(log: Path) -> str:
    """The last line of ``log`` that is not empty: a program's current work, or the reason of its failure."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            lines = file.read().decode(errors="replace").split("\n")
    except FileNotFoundError:
        return ""
    texts = (line.split(" ", 3)[-1].strip() for line in reversed(lines) if line.count(" ") >= 3)
    return next((text[:MAX_MESSAGE] for text in texts if text), "")
