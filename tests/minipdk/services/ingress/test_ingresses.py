"""Ingresses: a Service's Pods at the ingress, by host and by path."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from tests.conftest import ServiceProcess, wait_for

from minipdk.common.home import Home
from minipdk.services.kubernetes.certificates import write_kubeconfig
from minipdk.services.kubernetes.service import kubeconfig

PROGRAM = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Echo(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.path} {self.headers['Host']}".encode())
HTTPServer(("", 5000), Echo).serve_forever()
"""


@dataclass
class Cluster:
    home: Home

    def kubectl(self, *arguments: str, stdin: object = None) -> str:
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig(self.home))}
        text = None if stdin is None else json.dumps(stdin)
        command = ["kubectl", "--namespace", "models", *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, input=text).stdout

    def apply(self, kind: str, name: str, spec: dict[str, Any], version: str = "v1", **metadata: Any) -> None:
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}
        self.kubectl("apply", "-f", "-", stdin=body)

    def publish(self, name: str, service: str, port: dict[str, Any], **annotations: str) -> None:
        """An Ingress with the host <name>.test and the path /<name>."""
        backend = {"service": {"name": service, "port": port}}
        rules = [
            {"host": f"{name}.test", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}},
            {"http": {"paths": [{"path": f"/{name}", "pathType": "Prefix", "backend": backend}]}},
        ]
        marks = {"ingress.minipdk/strip-prefix": "true", **annotations}
        self.apply("Ingress", name, {"rules": rules}, "networking.k8s.io/v1", annotations=marks)

    def get(self, path: str, host: str = "") -> requests.Response:
        return requests.get(self.home.url("ingress") + path, headers={"Host": host} if host else {}, timeout=60)


@pytest.fixture(scope="module")
def cluster(home: Home, run_service: Callable[..., ServiceProcess]) -> Cluster:
    """A Pod that echoes a request's path and Host, behind a Service."""
    run_service(home, "kubernetes", "kubernetes")
    write_kubeconfig(home)
    run_service(home, "serving", "ingress")
    cluster = Cluster(home)
    container: dict[str, Any] = {"name": "echo", "image": "python:3.11", "command": ["python", "-c", PROGRAM]}
    container |= {"ports": [{"containerPort": 5000, "name": "web"}], "readinessProbe": {"tcpSocket": {"port": 5000}}}
    cluster.apply("Pod", "echo", {"containers": [container]}, labels={"app": "echo"})
    cluster.apply(
        "Service", "echo", {"selector": {"app": "echo"}, "ports": [{"name": "http", "port": 80, "targetPort": "web"}]}
    )
    return cluster


def test_a_service_is_reached_by_its_host_and_by_its_path(cluster: Cluster) -> None:
    cluster.publish("shop", "echo", {"number": 80})
    wait_for(lambda: cluster.get("/shop/").ok, what="the Ingress to be served")
    assert cluster.get("/a/b?c=d", "shop.test").text == "/a/b?c=d shop.test"
    assert cluster.get("/shop/a/b").text == "/a/b shop.test"
    assert cluster.get("/shop").text == "/ shop.test"
    assert cluster.get("/shopping").status_code == 404
    columns = cluster.kubectl("get", "ingress", "shop").splitlines()[1].split()
    assert columns[:5] == ["shop", "minipdk", "shop.test,*", "127.0.0.1", "80"]
    cluster.kubectl("delete", "ingress", "shop")
    wait_for(lambda: cluster.get("/shop/").status_code == 404, what="the address to go")


@pytest.mark.parametrize(
    ("service", "port", "reason"),
    [
        ("missing", {"number": 80}, 'service "missing" not found'),
        ("echo", {"number": 81}, 'service "echo" does not have the port of the ingress'),
        ("echo", {"name": "grpc"}, 'service "echo" does not have the port of the ingress'),
    ],
)
def test_an_address_without_pods_says_why(cluster: Cluster, service: str, port: dict[str, Any], reason: str) -> None:
    cluster.publish("broken", service, port)
    wait_for(lambda: reason in cluster.get("/broken/").json()["error"], what=reason)
    assert cluster.get("/broken/").status_code == 503
    cluster.kubectl("delete", "ingress", "broken")


def test_a_guarded_address_refuses_requests_without_a_token(cluster: Cluster) -> None:
    cluster.publish("guarded", "echo", {"name": "http"}, **{"ingress.minipdk/authentication": "token"})
    wait_for(lambda: cluster.get("/guarded/").status_code == 401, what="the Ingress to be served")
    assert cluster.get("/", "guarded.test").status_code == 401


def test_an_ingress_of_another_class_is_left_to_its_controller(cluster: Cluster) -> None:
    cluster.apply(
        "Ingress",
        "other",
        {"ingressClassName": "nginx", "defaultBackend": {"service": {"name": "echo", "port": {"number": 80}}}},
        "networking.k8s.io/v1",
    )
    assert cluster.kubectl("get", "ingress", "other", "-o", "jsonpath={.status.loadBalancer}") == "{}"
