"""`kubectl port-forward` to Pods and Services, and the Python client's, to programs in Pods of the real node."""

from __future__ import annotations

import json
import re
import socket
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from random import Random

import kubernetes
import pytest
from kubernetes.client import CoreV1Api
from kubernetes.stream import portforward
from kubernetes.stream.ws_client import PortForward
from tests.minipdk.services.node.streaming.conftest import Cluster

from minipdk.services.kubernetes.service import kubeconfig

LARGE = Random(2).randbytes(1 << 20)


@contextmanager
def forwarded(cluster: Cluster, subject: str, port: int) -> Iterator[tuple[int, list[str]]]:
    """The port of this machine that `kubectl port-forward` chose, and later the rest of its output."""
    with cluster.begin("port-forward", subject, f":{port}", "--address=127.0.0.1") as client:
        assert client.stdout is not None
        line, rest = client.stdout.readline().decode(), list[str]()
        found = re.fullmatch(r"Forwarding from 127\.0\.0\.1:(\d+) -> \d+\n", line)
        assert found, line
        yield int(found[1]), rest
        client.terminate()
        rest += client.stdout.read().decode().splitlines()


def fetch(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=60) as answer:
        content: bytes = answer.read()
        return content


@pytest.fixture(scope="module", autouse=True)
def content(cluster: Cluster) -> None:
    written = cluster.kubectl("exec", "-i", "server", "--", "sh", "-c", "cat > /srv/large", stdin=LARGE)
    assert written.returncode == 0, written.stderr


def test_connections_to_a_pod_s_port_are_forwarded(either: Cluster) -> None:
    with forwarded(either, "pod/server", 8080) as (port, _), ThreadPoolExecutor(4) as clients:
        assert set(clients.map(lambda _: fetch(port, "large"), range(8))) == {LARGE}


def test_connections_to_a_service_s_port_are_forwarded(either: Cluster) -> None:
    spec = {"clusterIP": "None", "selector": {"app": "server"}, "ports": [{"port": 8080}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}
    assert either.kubectl("apply", "-f", "-", stdin=json.dumps(service).encode()).returncode == 0
    with forwarded(either, "service/web", 8080) as (port, _):
        assert fetch(port, "large") == LARGE


def test_a_port_without_a_program_is_reported(either: Cluster) -> None:
    with forwarded(either, "pod/server", 9) as (port, printed), pytest.raises((OSError, HTTPException)):
        fetch(port, "large")
    assert "dial tcp 127.0.0.1:9: connect: connection refused" in " ".join(printed)


@pytest.fixture(scope="module")
def core(cluster: Cluster) -> Iterator[CoreV1Api]:
    with kubernetes.config.new_client_from_config(str(kubeconfig(cluster.home))) as client:
        yield CoreV1Api(client)


@contextmanager
def connection(core: CoreV1Api, port: int) -> Iterator[tuple[PortForward, socket.socket]]:
    """A connection to the Pod's ``port`` through the Python client, whose thread must have ended afterwards."""
    forward = portforward(core.connect_get_namespaced_pod_portforward, "server", "models", ports=str(port))
    proxies = [thread for thread in threading.enumerate() if thread.name.startswith("Kubernetes port forward proxy")]
    stream = forward.socket(port)
    stream.setblocking(True)
    yield forward, stream
    stream.close()
    for proxy in proxies:  # none if the connection has ended already
        proxy.join(60)
        assert not proxy.is_alive()
    forward.websocket.shutdown()  # the client leaves it open


def test_the_python_client_forwards_a_connection(core: CoreV1Api) -> None:
    answer = b""
    with connection(core, 8080) as (_, stream):
        stream.sendall(b"GET /large HTTP/1.0\r\n\r\n")
        while block := stream.recv(1 << 16):
            answer += block
    assert answer.endswith(b"\r\n\r\n" + LARGE)


def test_the_python_client_hears_of_a_refused_connection(core: CoreV1Api) -> None:
    with connection(core, 9) as (forward, stream):
        assert stream.recv(1) == b""
        assert "connection refused" in forward.error(9)
