"""A request is checked before its body is read: its Host, caller, origin and size."""

from __future__ import annotations

import http.client
import time

import pytest
import requests
from tests.minipdk.common.web.conftest import LIMITS, TOKEN, Server, everything, head, status_of


def body(size: int, *fields: str, target: str = "/", token: bool = True) -> bytes:
    """The head of a request with a body of ``size`` bytes."""
    return head("POST", target, f"Content-Length: {size}", *fields, token=token)


def chunked(*pieces: bytes, token: bool = True, target: str = "/") -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head("POST", target, "Transfer-Encoding: chunked", token=token) + chunks


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(dict.fromkeys(["localhost", "LOCALHOST", "127.0.0.1:80", "[::1]", "[::1]:8080", "localhost:"], 200)).items(),
        *(dict.fromkeys(["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "10.0.0.1"], 403)).items(),
        *(dict.fromkeys(["[", "[::1", "a b", "", "localhost:x", "user@localhost", "localhost/", "[localhost"], 400)).items(),
    ],
)
def test_only_names_of_this_machine_are_served(server: Server, host: str, status: int) -> None:
    assert server.status(head(host=host)) == status


def test_a_request_names_one_host(server: Server) -> None:
    assert server.status(head("GET", "/", "Host: localhost")) == 400
    assert server.status(b"GET / HTTP/1.1\r\nConnection: close\r\n" + TOKEN + b"\r\n") == 400


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://localhost/", 200),
        ("http://127.0.0.1:1/", 200),
        ("http://evil.example/", 403),
        ("http://[/", 400),
        ("http:///", 400),
        ("*", 400),
        ("evil", 400),
    ],
)
def test_an_absolute_target_names_the_host(server: Server, target: str, status: int) -> None:
    assert server.status(head("GET", target)) == status


@pytest.mark.parametrize("origin", ["http://evil.example", "http://[", "null", "http://localhost.evil.example", "x"])
def test_another_origins_web_page_is_refused(server: Server, origin: str) -> None:
    assert server.status(head("POST", "/open", f"Origin: {origin}", "Content-Length: 0", token=False)) == 403
    assert server.status(head("POST", "/open", "Content-Length: 0", token=False)) == 200


def test_a_refusal_has_the_vendors_form(server: Server) -> None:
    assert b"vendor's form: Host 'evil.example'" in server.answer(head(host="evil.example"))


@pytest.mark.parametrize("size", [10, LIMITS.body, 1 << 30])
def test_a_caller_without_a_token_is_refused_before_the_body(server: Server, size: int) -> None:
    server.reached.clear()
    began = time.monotonic()
    assert server.status(body(size, token=False)) == 401
    assert not server.reached
    assert time.monotonic() - began < 5


def test_a_client_that_sends_its_whole_body_first_reads_the_refusal(server: Server) -> None:
    """Most clients read the answer only then: urllib3, and with it requests and boto3."""
    answer = requests.post(f"http://127.0.0.1:{server.port}/", data=bytes(32 << 20))
    assert (answer.status_code, answer.text) == (401, "no token")
    large = requests.post(f"http://127.0.0.1:{server.port}/", data=bytes(32 << 20), headers={"Authorization": "secret"})
    assert (large.status_code, large.headers["connection"]) == (413, "close")


def test_a_body_up_to_the_limit_is_taken(server: Server) -> None:
    assert server.answer(body(LIMITS.body) + bytes(LIMITS.body)).endswith(f"{LIMITS.body} bytes".encode())
    assert server.status(body(LIMITS.open_body, target="/open", token=False) + bytes(LIMITS.open_body)) == 200


@pytest.mark.parametrize(
    "request_",
    [
        body(LIMITS.body + 1),
        body(1 << 62),
        body(LIMITS.open_body + 1, target="/open", token=False),
        chunked(bytes(LIMITS.body), b"x"),
        chunked(bytes(LIMITS.open_body + 1), target="/open", token=False),
    ],
    ids=["declared", "declared beyond all memory", "declared by any client", "chunked", "chunked by any client"],
)
def test_a_larger_body_is_413(server: Server, request_: bytes) -> None:
    answer = server.answer(request_)
    assert status_of(answer) == 413
    assert b"vendor's form: the request body is larger than the limit" in answer


@pytest.mark.parametrize(
    "fields",
    [
        ["Content-Length: x"],
        ["Content-Length: -1"],
        [f"Content-Length: {10**30}"],
        ["Content-Length: 1", "Content-Length: 2"],
    ],
)
def test_a_malformed_length_is_400(server: Server, fields: list[str]) -> None:
    assert server.status(head("POST", "/", *fields)) == 400


def test_a_length_beside_chunks_is_400(server: Server) -> None:
    assert server.status(head("POST", "/", "Content-Length: 3", "Transfer-Encoding: chunked") + b"0\r\n\r\n") == 400


def test_a_client_that_waits_for_permission_is_refused_without_it(server: Server) -> None:
    refused = server.answer(body(100, "Expect: 100-continue", token=False))
    assert status_of(refused) == 401
    assert b"100 Continue" not in refused
    with server.connect() as connection:
        connection.sendall(body(3, "Expect: 100-continue"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"abc")
        assert everything(connection).endswith(b"3 bytes")


@pytest.mark.parametrize(
    "request_", [body(100) + b"x" * 99, chunked(b"x"), chunked()], ids=["declared", "chunked", "nothing"]
)
def test_a_body_that_stops_coming_is_408(server: Server, request_: bytes) -> None:
    answer = server.answer(request_)
    assert status_of(answer) == 408
    assert b"vendor's form: the request's body stopped coming" in answer


def test_an_unknown_callers_whole_body_has_a_deadline(server: Server) -> None:
    began = time.monotonic()
    with server.connect() as connection:
        connection.sendall(body(1000, target="/open", token=False))
        connection.settimeout(LIMITS.stall / 4)
        answer = b""
        while not answer:  # a byte at a time, each in time
            connection.sendall(b"x")
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                assert time.monotonic() - began < 20
    assert status_of(answer) == 408


def test_a_refused_request_without_a_body_leaves_the_connection(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for token, status in ((None, 401), ("secret", 200), (None, 401), ("secret", 200)):
        connection.request("GET", "/", headers={"Authorization": token} if token else {})
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (status, True)
    connection.close()
