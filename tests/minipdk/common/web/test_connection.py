"""Connections that never finish a head, or never end one, and connections that do nothing at all."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

import pytest
from tests.conftest import wait_for
from tests.minipdk.common.web.conftest import LIMITS, TOKEN, Server, everything, head, status_of

SERVERS = ["server", "https"]
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + TOKEN + b"\r\n"
WAITING = REQUEST.replace(b"/", b"/wait", 1)


@pytest.fixture(params=SERVERS)
def either(request: pytest.FixtureRequest) -> Server:
    chosen: Server = request.getfixturevalue(request.param)
    return chosen


def ends(connection: socket.socket) -> bytes:
    """The bytes before the server ends the connection, which it must do soon after a deadline."""
    began = time.monotonic()
    received = everything(connection)
    assert time.monotonic() - began < 15
    return received


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n",
        b"\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n",
    ],
    ids=["nothing", "a method", "half a head", "an empty line", "no end of the head"],
)
def test_a_head_that_stops_coming_ends_the_connection(either: Server, sent: bytes) -> None:
    with either.connect() as connection:
        connection.sendall(sent)
        assert ends(connection) == b""


def test_a_head_that_comes_slowly_ends_the_connection(server: Server) -> None:
    began = time.monotonic()
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        while is_open(connection):
            assert time.monotonic() - began < 15
            connection.sendall(b"x")


def test_the_next_head_on_a_connection_has_a_deadline_too(either: Server) -> None:
    with either.connect() as connection:
        assert is_answered(connection)
        connection.sendall(b"GET / HT")
        assert ends(connection) == b""


def test_a_client_that_does_not_begin_tls_is_cut_off(https: Server) -> None:
    with socket.create_connection(("127.0.0.1", https.port), 20) as connection:
        assert ends(connection) == b""


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.1\r\n\r\n", b"POST /api HTTP/1.1\r\n"], ids=["GET", "POST"])
def test_a_client_that_speaks_http_to_an_https_port_is_told(https: Server, request_: bytes) -> None:
    with socket.create_connection(("127.0.0.1", https.port), 20) as connection:
        connection.sendall(request_)
        assert ends(connection).endswith(b"\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")


def test_an_idle_connection_is_kept_for_its_next_request(server: Server) -> None:
    with server.connect() as connection:
        for _ in range(2):
            assert is_answered(connection)
            connection.settimeout(2 * LIMITS.head_seconds)
            with pytest.raises(TimeoutError):  # nothing comes, and the connection does not end
                connection.recv(1)
            connection.settimeout(20)


@pytest.mark.parametrize(
    "request_",
    [
        head("GET", "/", *(f"X{n}: x" for n in range(LIMITS.fields))),
        head("GET", "/", "X: " + "x" * LIMITS.head),
        head("GET", "/" + "x" * LIMITS.head),
        b"GET / HTTP/1.1\r\nX: " + b"x" * (1 << 20),
        b"GET /" + b"x" * (1 << 20),
        head("POST", "/", "Transfer-Encoding: chunked") + b"1;" + b"x" * (1 << 20),
        head("POST", "/", "Transfer-Encoding: chunked") + b"0\r\n" + b"X: x\r\n" * 10_000,
        head("POST", "/", "Transfer-Encoding: chunked") + b"0\r\nX: " + b"x" * (1 << 20),
    ],
    ids=["fields", "field", "target", "endless field", "endless target", "chunk extension", "trailers", "endless trailer"],
)
def test_a_head_is_bounded(either: Server, request_: bytes) -> None:
    with either.connect() as connection:
        with suppress(ConnectionResetError, BrokenPipeError):  # the answer may be there nevertheless
            connection.sendall(request_)
        received = ends(connection)
    if received:  # a request whose framing is endless may have reached the application
        assert status_of(received) in (431, 408), received


def test_ten_thousand_fields_are_431(server: Server) -> None:
    assert server.status(head("GET", "/", *(f"X{n}: x" for n in range(10_000)), token=False)) == 431


@pytest.mark.parametrize(
    "line", [b"GET\r\n\r\n", b"\0\0\0\0", b"GET / HTTP/9.9\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
)
def test_bytes_that_are_no_request_are_400(server: Server, line: bytes) -> None:
    assert server.status(line) == 400


def test_pipelined_requests_are_bounded(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(REQUEST * 3)
        received = b""
        while received.count(b"HTTP/1.1 200") < 3:
            received += connection.recv(65536)
    with server.connect() as connection:
        connection.sendall(WAITING + REQUEST * 10_000)
        ends(connection)


@contextmanager
def opened(server: Server, count: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 20)) for _ in range(count)]
        for connection in connections:
            connection.sendall(sent)
        yield connections


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n"], ids=["idle", "half a head"])
def test_strangers_give_way_to_a_client(either: Server, sent: bytes) -> None:
    """More connections than the port takes: they neither keep the client out nor end its own connection."""
    known = either.connect()
    assert is_answered(known)
    with opened(either, 3 * LIMITS.connections, b"" if either.tls else sent):
        assert is_answered(known)
        assert either.status(head()) == 200
    known.close()


def test_known_callers_are_not_cut_off_for_strangers(server: Server) -> None:
    """Requests in progress of known callers fill the port: strangers are turned away until one ends."""
    server.reached.clear()
    with ExitStack() as stack:
        connections = []
        for count in range(1, LIMITS.connections + 1):
            connections.append(stack.enter_context(server.connect()))
            connections[-1].sendall(WAITING)
            wait_for(lambda: server.reached.count("/wait") == count, what="the request to wait")  # noqa: B023
        with server.connect() as stranger:
            assert everything(stranger) == b""
        assert all(map(is_open, connections))
    wait_for(partial(has_a_place, server), what="a place on the port")


def has_a_place(server: Server) -> bool:
    with suppress(ConnectionError):
        return server.answer(head()) != b""
    return False


def is_answered(connection: socket.socket) -> bool:
    """Whether the server answers a request of a known caller, of which there may be more on the connection."""
    connection.sendall(REQUEST)
    received = b""
    while not received.endswith(b"0 bytes"):
        piece = connection.recv(65536)
        assert piece, "the connection ended"
        received += piece
    return status_of(received) == 200


def is_open(connection: socket.socket) -> bool:
    connection.settimeout(LIMITS.head_seconds / 10)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionResetError:
        return False
