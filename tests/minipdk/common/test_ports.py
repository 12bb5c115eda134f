"""Ports on loopback are chosen free, and each at most once."""

from __future__ import annotations

import socket

from minipdk.common.ports import HOST, any_free, first_free, is_free, is_listening


def test_a_port_is_free_until_a_server_listens() -> None:
    [port] = any_free(1)
    assert is_free(port)
    assert not is_listening(port)
    with socket.create_server((HOST, port)):
        assert not is_free(port)
        assert is_listening(port)
        assert first_free([port]) is None


def test_ports_chosen_together_differ() -> None:
    ports = any_free(20)
    assert len(set(ports)) == 20
