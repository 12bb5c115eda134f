"""The output of a run: its lines, and their order."""

from __future__ import annotations

import array
import fcntl
import os
import termios
import threading

import pytest
from tests.conftest import wait_for

from minipdk.services.determined.logs import Line
from minipdk.services.determined.model import Allocation
from minipdk.services.determined.resource_manager.output import LONGEST_LINE, Output

ALLOCATION = Allocation("1.1", 1, "1", "c", [0], "RUNNING", False, False, False, None, None, "", None)


class Recorder:
    """Keeps the lines in the order in which they would be stored."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def append(self, trial_id: int, allocation_id: str, container_id: str, lines: list[Line]) -> None:
        self.lines += lines

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]


class Pipes:
    """The pipes of a run whose output is stored in a `Recorder`."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.readers, self.writers = {}, {}
        for name in ("stdout", "stderr"):
            self.readers[name], self.writers[name] = os.pipe()
        self.exited = threading.Event()
        output = Output(self.recorder, ALLOCATION, self.exited)  # type: ignore[arg-type]
        pipes = {reader: name for name, reader in self.readers.items()}
        self.storing = threading.Thread(target=output.store, args=(pipes,), daemon=True)

    def write(self, name: str, text: str) -> None:
        """Write, and return when it was read."""
        os.write(self.writers[name], text.encode())
        wait_for(lambda: self._unread(name) == 0, what="the output to be read")

    def end(self) -> list[Line]:
        for writer in self.writers.values():
            os.close(writer)
        self.storing.join()
        return self.recorder.lines

    def _unread(self, name: str) -> int:
        count = array.array("i", [0])
        fcntl.ioctl(self.readers[name], termios.FIONREAD, count)
        return count[0]


@pytest.fixture
def pipes() -> Pipes:
    """Pipes that are read."""
    pipes = Pipes()
    pipes.storing.start()
    return pipes


def test_lines_of_stdout_and_stderr_keep_their_order(pipes: Pipes) -> None:
    written = [("stdout" if number % 3 else "stderr", str(number)) for number in range(30)]
    for name, text in written:
        pipes.write(name, f"{text}\n")
    lines = pipes.end()
    assert [(line.stdtype, line.text) for line in lines] == written
    assert [line.time for line in lines] == sorted(line.time for line in lines)


def test_refresh_of_a_progress_bar_is_a_line_as_it_comes(pipes: Pipes) -> None:
    for percent in (10, 20, 30):
        pipes.write("stderr", f"\r{percent}%")
    wait_for(lambda: "20%" in pipes.recorder.texts, what="the second refresh")
    pipes.write("stderr", "\n")
    assert [line.text for line in pipes.end()] == ["", "10%", "20%", "30%"]


def test_last_line_needs_no_end(pipes: Pipes) -> None:
    pipes.write("stdout", "one\ntw")
    pipes.write("stdout", "o")
    assert [line.text for line in pipes.end()] == ["one", "two"]


def test_long_line_is_cut(pipes: Pipes) -> None:
    pipes.write("stdout", "x" * (2 * LONGEST_LINE + 1) + "\n")
    assert [len(line.text) for line in pipes.end()] == [LONGEST_LINE, LONGEST_LINE, 1]


def test_text_that_is_no_utf8_is_shown_as_far_as_it_can_be(pipes: Pipes) -> None:
    os.write(pipes.writers["stdout"], b"\xff ok\n")
    assert [line.text for line in pipes.end()] == ["\ufffd ok"]
