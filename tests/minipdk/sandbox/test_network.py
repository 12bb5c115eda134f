"""A Pod's private network: connections into it and out of it, and its end with the process that made it."""

from __future__ import annotations

import errno
import os
import signal
import socket
import socketserver
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import wait_for

from minipdk.common.home import Home
from minipdk.common.ports import HOST
from minipdk.images import Image
from minipdk.sandbox import PIPE, STDOUT, ContainerSpec, Network, create_network, start

BASE = Image("python:3.11", "base:python")
ECHO = """
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(sys.argv[2].encode() + self.rfile.read())
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
with Server(("0.0.0.0", int(sys.argv[1])), Echo) as server:
    print("listening", flush=True)
    server.serve_forever()
"""


@pytest.fixture
def make(home: Home) -> Iterator[Callable[..., Network]]:
    made: list[Network] = []

    def create(ports: tuple[int, ...] = (), services: tuple[int, ...] = ()) -> Network:
        made.append(create_network(home, ports, services))
        return made[-1]

    yield create
    for network in made:
        network.close()


@contextmanager
def echo(home: Home, network: Network, port: int = 8080, name: str = "") -> Iterator[None]:
    """A server on all of the network's addresses that answers ``name`` and the bytes it received, once they have ended."""
    spec = ContainerSpec(BASE, ["python", "-c", ECHO, str(port), name], network=network)
    container = start(home, spec, stdout=PIPE, stderr=STDOUT)
    assert container.stdout is not None
    with container.stdout as output:
        assert output.readline() == b"listening\n"
        yield
        container.kill()
        container.wait()


def ask(port: int, content: bytes = b"") -> bytes:
    """The answer to ``content`` of the server behind the host's ``port``; sent while reading, as both may be long."""
    with socket.create_connection((HOST, port), timeout=60) as connection:

        def send() -> None:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)

        sending = threading.Thread(target=send)
        sending.start()
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        sending.join()
        return answer


def is_taken(port: int) -> bool:
    """Whether anything listens on the host's ``port``, even if it resets each connection that it accepts."""
    with socket.socket() as connection:
        return connection.connect_ex((HOST, port)) != errno.ECONNREFUSED


def test_two_pods_listen_on_the_same_port(home: Home, make: Callable[..., Network]) -> None:
    first, second = make((8080,)), make((8080,))
    with echo(home, first, name="one:"), echo(home, second, name="two:"):
        assert [ask(network.ports[8080], b"hello") for network in (first, second)] == [b"one:hello", b"two:hello"]


def test_bytes_pass_unchanged_both_ways_and_a_half_closed_connection_answers(
    home: Home, make: Callable[..., Network]
) -> None:
    network = make((80,))
    content = os.urandom(8 << 20)
    with echo(home, network, port=80), ThreadPoolExecutor() as pool:  # a port that only root could bind outside
        assert list(pool.map(ask, [network.ports[80]] * 4, [content] * 4)) == [content] * 4


def test_a_connection_to_a_port_without_a_listener_is_reset(home: Home, make: Callable[..., Network]) -> None:
    network = make((8080,))
    assert network.connect(8080, timeout=60) is None
    with pytest.raises(ConnectionError), socket.create_connection((HOST, network.ports[8080]), timeout=60) as connection:
        connection.recv(1)  # unless the reset was there before the connection was open


def test_any_port_inside_can_be_connected_to(home: Home, make: Callable[..., Network]) -> None:
    network = make()
    with echo(home, network, port=9999, name="any"):
        stream = network.connect(9999, timeout=60)
        assert stream is not None
        with stream:
            stream.shutdown(socket.SHUT_WR)
            assert stream.recv(100) == b"any"


def test_only_the_services_that_are_passed_on_are_reached(home: Home, make: Callable[..., Network]) -> None:
    class Service(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"a service")

    with socketserver.ThreadingTCPServer((HOST, 0), Service) as open_one, socket.create_server((HOST, 0)) as closed_one:
        threading.Thread(target=open_one.serve_forever, daemon=True).start()
        ports = [open_one.server_address[1], closed_one.getsockname()[1]]
        script = """
            import socket, sys
            for host, port in [("127.0.0.1", sys.argv[1]), ("127.0.0.1", sys.argv[2]), ("192.0.2.1", 80)]:
                try:
                    print(socket.create_connection((host, int(port)), timeout=60).recv(100))
                except OSError as error:
                    print(error.strerror)
        """
        argv = ["python", "-c", textwrap.dedent(script), *map(str, ports)]
        spec = ContainerSpec(BASE, argv, network=make((), (ports[0],)))
        output, _ = start(home, spec, stdout=PIPE, stderr=STDOUT).communicate(timeout=60)
        open_one.shutdown()
    assert output.decode().splitlines() == ["b'a service'", "Connection refused", "Network is unreachable"]


def test_a_network_whose_process_was_killed_has_ended(make: Callable[..., Network]) -> None:
    network = make((8080,))
    [inside] = Path(f"/proc/{network.pid}/task/{network.pid}/children").read_text().split()
    os.kill(int(inside), signal.SIGKILL)
    network.wait()


def test_a_network_ends_with_the_service_that_made_it(home: Home) -> None:
    script = """
        import sys, time
        from pathlib import Path
        from minipdk import sandbox
        from minipdk.common import home as homes
        print(sandbox.create_network(homes.load(Path(sys.argv[1])), (8080,), ()).ports[8080], flush=True)
        time.sleep(1000)
    """
    argv = [sys.executable, "-c", textwrap.dedent(script), str(home.path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as service:
        try:
            assert service.stdout is not None
            port = int(service.stdout.readline())
            assert is_taken(port)
        finally:
            service.kill()
    wait_for(lambda: not is_taken(port), what="the network to end")
