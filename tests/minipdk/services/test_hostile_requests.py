"""Requests by which a client could end or starve a service, at the port of each: refused in the vendor's form, and quickly.

`tests.minipdk.common.web` tests the rules of the shared server one by one.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import boto3
import pytest
import requests
from tests.conftest import ServiceProcess, new_home

from minipdk.common.home import Home

APPLY = "application/apply-patch+yaml"
MAP = "/api/v1/namespaces/models/configmaps/x?fieldManager=me"
EXPERIMENTS = "/api/v1/experiments"
ALIASES = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))])
DEEP = "[" * 60_000
SECONDS = 20.0


@dataclass
class Port:
    """One HTTP port. ``path`` needs a token; ``headers`` have it."""

    home: Home
    name: str
    path: str
    tls: ssl.SSLContext | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def connect(self) -> http.client.HTTPConnection:
        address = ("127.0.0.1", self.home.port(self.name), SECONDS)
        if self.tls:
            return http.client.HTTPSConnection(address[0], address[1], timeout=SECONDS, context=self.tls)
        return http.client.HTTPConnection(address[0], address[1], timeout=SECONDS)

    def ask(self, method: str, path: str, body: str | bytes | None = None, **headers: str) -> tuple[int, bytes]:
        connection = self.connect()
        try:
            connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def allowed(self, method: str, path: str, body: str | bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """The answer to a request of a known caller."""
        return self.ask(method, path, body, **self.headers, **headers)

    def is_alive(self) -> bool:
        if self.name != "s3":
            return self.allowed("GET", self.path)[0] == 200
        keys = {"aws_access_key_id": self.home.token, "aws_secret_access_key": self.home.token}
        client = boto3.client("s3", endpoint_url=self.home.url("s3"), region_name="us-east-1", **keys)
        return "Buckets" in client.list_buckets()


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Port]]:
    home = new_home(tmp_path_factory.mktemp("ports") / "home")
    services = {"kubernetes": ["kubernetes"], "pachyderm": ["pachd", "s3"], "determined": ["determined"]}
    with ExitStack() as stack:
        for name, names in services.items():
            running = ServiceProcess(home, name, *names)
            running.start()
            stack.callback(running.stop)
        login = {"username": "determined", "password": home.token}
        token = requests.post(f"{home.url('determined')}/api/v1/auth/login", json=login, timeout=60).json()["token"]
        tls = ssl.create_default_context(cafile=str(home.ca_certificate))
        yield {
            "kubernetes": Port(home, "kubernetes", "/api/v1/namespaces", tls, {"Authorization": f"Bearer {home.token}"}),
            "determined": Port(home, "determined", EXPERIMENTS, None, {"Authorization": f"Bearer {token}"}),
            "s3": Port(home, "s3", "/"),
        }


NAMES = ["kubernetes", "determined", "s3"]


@pytest.fixture(params=NAMES)
def port(request: pytest.FixtureRequest, ports: dict[str, Port]) -> Iterator[Port]:
    """Each port, which still serves its clients after the test."""
    chosen = ports[request.param]
    began = time.monotonic()
    yield chosen
    assert chosen.is_alive()
    assert time.monotonic() - began < 3 * SECONDS


def is_in_vendors_form(name: str, status: int, body: bytes) -> bool:
    """Whether the body of an error is that of a Kubernetes Status, of Determined's errors, or of S3's."""
    if name == "s3":
        return ElementTree.fromstring(body).tag == "Error"  # our own server's
    message: dict[str, Any] = json.loads(body)
    if name == "kubernetes":
        return (message["kind"], message["code"]) == ("Status", status)
    return set(message["error"]) == {"code", "reason", "error"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Host": "["}, 400), ({"Host": "evil.example"}, 403), ({"Host": "localhost"}, 401)],
    ids=["malformed", "foreign", "no token"],
)
def test_a_request_is_refused_by_its_head(port: Port, headers: dict[str, str], status: int) -> None:
    code, body = port.ask("PUT", port.path, b"x", **headers)
    assert code == (403 if port.name == "s3" and status == 401 else status)
    assert is_in_vendors_form(port.name, code, body)


@pytest.mark.parametrize("origin", ["http://[", "http://evil.example"])
def test_a_malformed_origin_is_no_fault_of_the_server(port: Port, origin: str) -> None:
    assert port.ask("POST", port.path, b"x", Origin=origin)[0] in (401, 403)


def test_a_body_without_a_token_is_not_read(port: Port) -> None:
    began = time.monotonic()
    code, body = port.ask("POST", port.path, b"x" * (2 << 20), Expect="")
    assert code in (401, 403)
    assert is_in_vendors_form(port.name, code, body)
    assert time.monotonic() - began < SECONDS


def test_more_than_a_hundred_header_fields_are_refused(port: Port) -> None:
    # http.client sends any number
    assert port.ask("GET", port.path, **{f"X{n}": "x" for n in range(1000)})[0] == 431


def test_bodies_that_do_not_come_keep_no_other_client_waiting(port: Port) -> None:
    """As many as would take every thread of a server that reads bodies in threads."""
    head = f"PUT {port.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(60):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", port.home.port(port.name)), SECONDS))
            if port.tls is None:
                plain.sendall(head)
        assert port.is_alive()


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type"),
    [
        ("PATCH", MAP, DEEP, APPLY),
        ("PATCH", MAP, ALIASES, APPLY),
        ("POST", "/api/v1/namespaces/models/configmaps", DEEP, "application/json"),
        ("POST", "/api/v1/namespaces/models/configmaps", '{"a":' * 60_000, "application/json"),
        ("GET", "/api/v1/namespaces?limit=9223372036854775808", None, "application/json"),
        ("GET", "/api/v1/namespaces?continue=" + "W1tbW1tb" * 1000, None, "application/json"),
    ],
    ids=["deep YAML", "aliases", "deep JSON", "deep objects", "limit", "continue"],
)
def test_kubernetes_refuses_documents_out_of_bounds(
    ports: dict[str, Port], method: str, path: str, body: str | None, content_type: str
) -> None:
    code, answer = ports["kubernetes"].allowed(method, path, body, Content_Type=content_type)
    assert (code, json.loads(answer)["reason"]) == (400, "BadRequest")


def test_kubernetes_names_its_limit_for_bodies(ports: dict[str, Port]) -> None:
    code, answer = ports["kubernetes"].allowed("POST", "/api/v1/namespaces", b" " * ((3 << 20) + 1))
    assert (code, json.loads(answer)["reason"]) == (413, "RequestEntityTooLarge")
    assert json.loads(answer)["message"] == "Request entity too large: limit is 3145728"


HUGE = "9223372036854775808"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", EXPERIMENTS, DEEP),
        ("POST", EXPERIMENTS, json.dumps({"config": ALIASES})),
        ("POST", EXPERIMENTS, json.dumps({"config": "a: " + DEEP})),
        ("POST", EXPERIMENTS, json.dumps({"config": "a: &a [*a]"})),
        ("POST", EXPERIMENTS, '{"projectId": 1e999}'),
        ("POST", EXPERIMENTS, json.dumps({"parentId": 2**63})),
        ("GET", f"{EXPERIMENTS}/{HUGE}", None),
        ("GET", f"{EXPERIMENTS}?limit={HUGE}", None),
        ("GET", f"/api/v1/trials/{HUGE}/logs", None),
        ("GET", f"/api/v1/trials/1/logs?rankIds={HUGE}", None),
        ("GET", f"/api/v1/models/x/versions/{HUGE}", None),
        ("PATCH", f"{EXPERIMENTS}/1", '{"resources": 1}'),
        ("PATCH", f"{EXPERIMENTS}/1", '{"resources": {"maxSlots": "x"}}'),
        ("PATCH", f"{EXPERIMENTS}/1", '{"checkpointStorage": []}'),
        ("PATCH", f"{EXPERIMENTS}/1", '{"notes": [{"name": "x"}]}'),
        ("POST", "/api/v1/models", '{"name": "m", "notes": [{"name": "x"}]}'),
        ("POST", "/api/v1/trials/1/progress", '{"progress": true}'),
        ("POST", "/api/v1/auth/login", '"\\ud800"'),
    ],
)
def test_determined_refuses_values_out_of_bounds(ports: dict[str, Port], method: str, path: str, body: str | None) -> None:
    code, answer = ports["determined"].allowed(method, path, body)
    assert code in (400, 404), answer
    assert is_in_vendors_form("determined", code, answer)


def test_many_large_bodies_without_a_token_leave_no_trace(ports: dict[str, Port]) -> None:
    """Sixteen clients send 64 MiB each at the same time."""
    answers: list[int] = []

    def send() -> None:
        answers.append(requests.post(ports["determined"].home.url("determined") + EXPERIMENTS, bytes(64 << 20)).status_code)

    threads = [threading.Thread(target=send) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3 * SECONDS)
    assert answers == [401] * 16
