"""Ports on loopback are held by one cluster, shared by its services, and chosen free."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.conftest import free_ports

from minipdk.common.ports import HOST, PortError, first_free, hold, is_free, is_listening, listener, reserved


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


@contextlib.contextmanager
def holding(port: int) -> Iterator[None]:
    held = hold(port)
    assert held is not None
    with held:
        yield


def test_a_port_is_free_until_somebody_listens_on_it_or_holds_it(port: int) -> None:
    assert is_free(port)
    assert not is_listening(port)
    with socket.create_server((HOST, port)):
        assert not is_free(port)
        assert is_listening(port)
        assert first_free([port]) is None
        assert hold(port) is None
    with holding(port):
        assert not is_free(port)
        assert hold(port) is None
    assert is_free(port)


def test_of_many_who_want_a_port_at_once_at_most_one_holds_it() -> None:
    with ThreadPoolExecutor(16) as holders:
        for port in free_ports(20):
            held = list(filter(None, holders.map(hold, [port] * 16)))
            assert len(held) <= 1
            for own in held:
                own.close()


def test_nobody_is_served_on_a_held_port_before_its_service_listens(port: int) -> None:
    with holding(port):
        assert not is_listening(port)
        with listener(port) as service:
            assert not is_listening(port)
            service.listen()
            assert is_listening(port)
        assert not is_listening(port)


def test_a_service_finds_its_port_free_however_often_it_starts(port: int) -> None:
    with holding(port):
        for _ in range(3):
            with listener(port) as service, socket.socket() as client:
                service.listen()
                client.connect((HOST, port))
                accepted, _ = service.accept()
                accepted.close()  # the connection stays in TIME_WAIT at the service's port
                assert client.recv(1) == b""
    with holding(port):
        pass


@pytest.mark.parametrize("address", [HOST, "0.0.0.0", "::"])
@pytest.mark.parametrize("reuses", [False, True])
def test_another_program_cannot_take_a_held_port(port: int, address: str, reuses: bool) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with holding(port), socket.socket(family) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuses)
        with pytest.raises(OSError, match="in use"):
            other.bind((address, port))


def test_a_service_whose_port_another_program_has_says_so(port: int) -> None:
    with socket.create_server((HOST, port)), pytest.raises(PortError, match=f"cannot listen on {HOST}:{port}: .*in use"):
        listener(port)


def test_reserved_ports_differ_and_are_there_for_programs_that_ask_for_them(port: int) -> None:
    ports = reserved(20)
    assert len(set(ports)) == 20
    with contextlib.ExitStack() as others:
        for _ in range(2000):  # the kernel gives none of them away
            other = others.enter_context(socket.socket())
            other.bind((HOST, 0))
            assert other.getsockname()[1] not in ports
        for reserved_port in ports:
            others.enter_context(socket.create_server((HOST, reserved_port)))
