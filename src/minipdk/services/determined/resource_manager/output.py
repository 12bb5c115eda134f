"""The output of a run: read as it comes, cut into lines as Determined's ``ship_logs.py`` cuts them, and stored.

A carriage return ends a line as a newline does, so each refresh of a progress bar is a line. One thread reads, so that lines
of stdout and stderr keep their order, and another stores the gathered lines: a commit takes longer than a line.
"""

from __future__ import annotations

import os
import queue
import re
import selectors
import threading
import time
from collections.abc import Iterator

from minipdk.services.determined.logs import Line, Logs
from minipdk.services.determined.model import Allocation, now

GATHER_SECONDS = 0.05
"""How much output is stored in one transaction."""
DRAIN_SECONDS = 5
"""How long to wait for the last output of a trial that has ended."""
PIPE_SIZE = 1 << 20
LONGEST_LINE = 8191
"""Longer lines are cut, as there."""
MOST_WAITING = 100_000
LINE_END = re.compile(rb"[\r\n]")
Lines = queue.Queue[Line | None]


class Output:
    """Stores the lines that a run prints."""

    def __init__(self, logs: Logs, allocation: Allocation, exited: threading.Event) -> None:
        self._logs = logs
        self._allocation = allocation
        self._exited = exited

    def store(self, pipes: dict[int, str]) -> None:
        """Read the ``pipes`` (descriptor to stdout or stderr) until they end, and close them.

        A process that outlives its run may keep them open: after `DRAIN_SECONDS` its output is lost.
        """
        lines: Lines = queue.Queue(MOST_WAITING)
        threading.Thread(target=self._read, args=(pipes, lines), daemon=True, name="output").start()
        run = self._allocation
        for gathered in _gather(lines):
            self._logs.append(run.trial_id, run.id, run.container_id, gathered)

    def _read(self, pipes: dict[int, str], lines: Lines) -> None:
        """Put each line into ``lines`` as it comes, None after the last."""
        partial = dict.fromkeys(pipes, b"")
        deadline: float | None = None
        with selectors.DefaultSelector() as selector:
            for pipe in pipes:
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map() and (deadline is None or time.monotonic() < deadline):
                if deadline is None and self._exited.is_set():
                    deadline = time.monotonic() + DRAIN_SECONDS
                for key, _ in selector.select(timeout=1):
                    data = os.read(key.fd, PIPE_SIZE)
                    if not data:
                        selector.unregister(key.fd)
                    *ended, partial[key.fd] = _cut(partial[key.fd] + data, is_last=not data)
                    for line in ended:
                        lines.put(Line(now(), pipes[key.fd], line.decode(errors="replace")))
        for pipe in pipes:
            os.close(pipe)
        lines.put(None)


def _cut(data: bytes, *, is_last: bool) -> Iterator[bytes]:
    """The lines of ``data``, then the beginning of the next one, empty if ``data`` ``is_last``."""
    *ended, rest = LINE_END.split(data)
    for line in ended:
        yield from _pieces(line) if line else [b""]
    *full, rest = [*_pieces(rest), b""] if is_last else _pieces(rest) or [b""]
    yield from full
    yield rest


def _pieces(line: bytes) -> list[bytes]:
    return [line[start : start + LONGEST_LINE] for start in range(0, len(line), LONGEST_LINE)]


def _gather(lines: Lines) -> Iterator[list[Line]]:
    """The lines in the batches in which they are stored, until there are no more."""
    while (line := lines.get()) is not None:
        batch, deadline = [line], time.monotonic() + GATHER_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            try:
                following = lines.get(timeout=left)
            except queue.Empty:
                break
            if following is None:
                yield batch
                return
            batch.append(following)
        yield batch
