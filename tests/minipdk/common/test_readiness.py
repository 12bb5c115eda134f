"""A process is ready when it names itself and its ports answer in time, even if others answer there."""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import new_home

from minipdk.common import readiness
from minipdk.common.home import Home, save
from minipdk.common.ports import HOST
from minipdk.common.readiness import State, naming_itself, state

PROCESS, PID = "pachyderm", os.getpid()


@pytest.fixture(autouse=True)
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "SECONDS", 0.2)


class Greeting(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1024)
        self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")


@pytest.fixture
def port() -> Iterator[int]:
    """A port at which a server answers anything with HTTP."""
    with socketserver.ThreadingTCPServer((HOST, 0), Greeting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_process_that_names_itself_is_ready_once_each_port_answers(home: Home, port: int) -> None:
    with socket.create_server((HOST, 0)) as mute, naming_itself(home, PROCESS):
        silent = mute.getsockname()[1]
        assert state(home, PROCESS, PID, []) is State.READY
        assert state(home, PROCESS, PID, [("http", port), ("grpc", port)]) is State.READY
        assert state(home, PROCESS, PID, [("http", port), ("http", silent)]) is State.SILENT
        mute.close()
        assert state(home, PROCESS, PID, [("http", port), ("http", silent)]) is State.STARTING
    assert state(home, PROCESS, PID, [("http", port)]) is State.STARTING


def test_a_stranger_on_the_port_is_not_taken_for_the_process(home: Home, port: int) -> None:
    assert state(home, PROCESS, PID, [("http", port)]) is State.STARTING
    assert state(home, PROCESS, 0, [("http", port)]) is State.DOWN


def test_another_cluster_or_process_is_not_taken_for_this_one(home: Home) -> None:
    other = save(home.path, replace(home.identity, cluster_id="another"))
    with naming_itself(other, PROCESS):
        assert state(home, PROCESS, PID, []) is State.STARTING
        assert state(other, PROCESS, PID + 1, []) is State.STARTING
        assert state(other, PROCESS, PID, []) is State.READY


def test_a_process_that_does_not_answer_in_time_is_not_ready(home: Home) -> None:
    with _mute(home):
        assert state(home, PROCESS, PID, []) is State.SILENT


@contextlib.contextmanager
def _mute(home: Home) -> Iterator[None]:
    """A socket in the place of the process's, which accepts and does not answer."""
    place = home.folder("run") / f"{PROCESS}.sock"
    place.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(place))
        mute.listen()
        yield


def test_the_path_of_a_home_may_be_long(tmp_path: Path) -> None:
    home = new_home(tmp_path / ("long" * 40) / "home")
    with naming_itself(home, PROCESS):
        assert state(home, PROCESS, PID, []) is State.READY


def test_only_the_https_server_of_this_cluster_is_ready(home: Home, port: int) -> None:
    home.ca_certificate.write_text("")
    with naming_itself(home, PROCESS):
        assert state(home, PROCESS, PID, [("https", port)]) is State.SILENT
