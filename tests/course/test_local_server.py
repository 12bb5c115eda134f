"""A model server as a process of this machine: started, replaced, stopped, with its log kept."""

from __future__ import annotations

import sys
from pathlib import Path

from course.local_server import LocalServer


def test_a_local_server_that_ends_says_so_in_its_log(tmp_path: Path) -> None:
    (tmp_path / "run").write_text('#!/bin/sh\necho "no $WHAT at $HTTP_PORT $1"; exit 3\n')
    (tmp_path / "run").chmod(0o755)
    server = LocalServer("./run --now", tmp_path, WHAT="model")
    assert (server.ready, server.models, server.log) == (False, [], [f"no model at {server.port} --now"])
    server.stop()
    assert server.log == [f"no model at {server.port} --now"]


LISTENS = """
import http.server, os, sys
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["HTTP_PORT"])), Answers).serve_forever()
"""


def test_a_local_server_that_is_started_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(LISTENS)
    first, second = (LocalServer(f"{sys.executable} serve.py", tmp_path) for _ in range(2))
    assert (first.ended, second.ready) == (True, True)
    first.stop()
    third = LocalServer(f"{sys.executable} serve.py", tmp_path)
    assert (second.ended, third.ready) == (True, True)
    third.stop()


def test_the_port_of_a_local_server_is_kept_for_it(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(
        f"import socket\nothers = [socket.create_server(('', 0)) for _ in range(500)]\n{LISTENS}"
    )
    server = LocalServer(f"{sys.executable} serve.py", tmp_path)
    assert server.ready, server.log
    server.stop()


def test_a_local_server_that_never_answers_is_given_up_after_a_while(tmp_path: Path) -> None:
    server = LocalServer("sleep 600", tmp_path, seconds=0.1)
    assert (server.ready, server.ended) == (False, False)
    server.stop()
    assert server.ended
