"""A cluster with SeldonDeployments, whose models are small servers, and curl as their client."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ServiceProcess, wait_for

from minipdk.common.home import Home
from minipdk.services.kubernetes.certificates import write_kubeconfig
from minipdk.services.kubernetes.service import kubeconfig

NAMESPACE = "seldon"
SERVER = """
import http.server, json, os, sys

class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        size = len(self.rfile.read(int(self.headers["Content-Length"])))
        seen = {"version": sys.argv[1], "path": self.path, "size": size, "host": os.uname().nodename}
        body = json.dumps(seen | {"pod": os.environ["HOSTNAME"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024

Server(("", int(os.environ["PREDICTIVE_UNIT_HTTP_SERVICE_PORT"])), Model).serve_forever()
"""
"""A model's server that answers with its version and with the parts of the request."""


def container(version: str = "1", **fields: Any) -> dict[str, Any]:
    """The container ``model`` with such a server, whose readiness is probed without Seldon's delay."""
    probe = {"tcpSocket": {"port": 9000}, "periodSeconds": 1}
    command = ["python", "-c", SERVER, version]
    return {"name": "model", "image": "python:3.11", "command": command, "readinessProbe": probe, **fields}


def predictor(*containers: dict[str, Any], name: str = "predictor", **fields: Any) -> dict[str, Any]:
    """A predictor as `neuro-extras seldon generate-deployment` writes it."""
    graph = {"name": "model", "type": "MODEL", "endpoint": {"type": "REST"}}
    pod = fields.pop("pod", {})
    spec = {"containers": list(containers) or [container()], **pod}
    return {"name": name, "replicas": 1, "graph": graph, "componentSpecs": [{"spec": spec}], **fields}


def seldon_deployment(name: str, *predictors: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name},
        "spec": {"predictors": list(predictors) or [predictor()], **spec},
    }


@dataclass
class Cluster:
    """The Kubernetes API and the process of the controllers."""

    home: Home
    kubernetes: ServiceProcess
    serving: ServiceProcess

    def kubectl(self, *arguments: str, stdin: object = None, fails: bool = False) -> str:
        """kubectl's output; its errors, if it ``fails`` as expected."""
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig(self.home))}
        command = ["kubectl", "--namespace", NAMESPACE, *arguments]
        text = None if stdin is None else json.dumps(stdin)
        run = subprocess.run(command, env=environment, capture_output=True, text=True, input=text, check=False)
        assert (run.returncode != 0) == fails, run.stderr
        return run.stderr if fails else run.stdout

    def apply(self, name: str, *predictors: dict[str, Any], **spec: Any) -> None:
        self.kubectl("apply", "-f", "-", stdin=seldon_deployment(name, *predictors, **spec))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        thing: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return thing

    def names(self, kind: str, sdep: str) -> list[str]:
        """The names of the objects of a kind that belong to a SeldonDeployment."""
        return self.kubectl("get", kind, "-l", f"seldon-deployment-id={sdep}", "-o", "name").split()

    def status(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] = self.get("sdep", name).get("status") or {}
        return status

    def wait_until_available(self, name: str) -> None:
        wait_for(lambda: self.status(name).get("state") == "Available", what=f"{name} to be available")

    def failure(self, name: str, words: str) -> str:
        """The description of a SeldonDeployment, once it has failed with these words."""

        def description() -> str:
            status = self.status(name)
            reason: str = status.get("description", "") if status.get("state") == "Failed" else ""
            return reason if words in reason else ""

        return wait_for(description, what=f"{name} to fail with {words!r}")

    def url(self, name: str, path: str = "api/v1.0/predictions") -> str:
        return f"http://127.0.0.1:{self.home.port('ingress')}/seldon/{NAMESPACE}/{name}/{path}"

    def curl(self, *arguments: str | Path) -> tuple[str, Any]:
        """curl's status and body."""
        command = ["curl", "--silent", "--max-time", "60", "--write-out", "\n%{http_code}", *map(str, arguments)]
        body, _, status = subprocess.run(command, capture_output=True, text=True, check=True).stdout.rpartition("\n")
        return status, json.loads(body)

    def answer(self, name: str, path: str = "api/v1.0/predictions") -> dict[str, Any]:
        status, body = self.curl("--form", "binData=@/proc/self/cmdline", self.url(name, path))
        assert status == "200", body
        seen: dict[str, Any] = body
        return seen

    def delete(self, name: str) -> None:
        self.kubectl("delete", "sdep", name)
        wait_for(lambda: not self.names("pods", name), what=f"the end of {name}'s pods")


@pytest.fixture(scope="module")
def cluster(home: Home, run_service: Callable[..., ServiceProcess]) -> Cluster:
    kubernetes = run_service(home, "kubernetes", "kubernetes")
    cluster = Cluster(home, kubernetes, run_service(home, "serving", "ingress"))
    write_kubeconfig(home)
    cluster.kubectl("create", "namespace", NAMESPACE)
    return cluster
