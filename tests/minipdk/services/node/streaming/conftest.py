"""One cluster with one Pod, and kubectl in both of the ways in which its versions reach a container."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.conftest import ServiceProcess, wait_for

from minipdk.common.home import Home
from minipdk.services.kubernetes.certificates import write_kubeconfig
from minipdk.services.kubernetes.service import kubeconfig

IMAGE = "python:3.11"
SERVER = ["python", "-m", "http.server", "8080", "--directory", "/srv"]
OVER_SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}
"""kubectl speaks SPDY then, as all versions up to 1.28 do; later ones prefer WebSockets."""


@dataclass
class Cluster:
    """The Kubernetes API and the node, with `kubectl` for the namespace models."""

    home: Home
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(kubeconfig(self.home)), **self.settings}

    def command(self, *arguments: str) -> list[str]:
        return [os.environ.get("KUBECTL", "kubectl"), "--namespace", "models", *arguments]

    def kubectl(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(self.command(*arguments), env=self.environment, input=stdin, capture_output=True, timeout=120)

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Run kubectl in the background, without input; stdout has stderr as well."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def create(self, name: str, **container: Any) -> None:
        """Create a Pod of one container and wait until it is ready."""
        spec = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": IMAGE, **container}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}
        created = self.kubectl("create", "-f", "-", stdin=json.dumps(pod).encode())
        assert created.returncode == 0, created.stderr
        wait_for(lambda: self.is_ready(name), what=f"pod {name} to be ready")

    def is_ready(self, name: str) -> bool:
        pod = json.loads(self.kubectl("get", "pod", name, "-o", "json", "--ignore-not-found").stdout or "{}")
        conditions = pod.get("status", {}).get("conditions", [])
        return any((item["type"], item["status"]) == ("Ready", "True") for item in conditions)

    def delete(self, name: str) -> None:
        self.kubectl("delete", "pod", name, "--grace-period=1")


@pytest.fixture(scope="module")
def cluster(home: Home, run_service: Callable[..., ServiceProcess]) -> Iterator[Cluster]:
    api = run_service(home, "kubernetes", "kubernetes")
    write_kubeconfig(home)
    serving = run_service(home, "serving", "ingress")
    cluster = Cluster(home)
    cluster.create("server", command=SERVER, ports=[{"containerPort": 8080}], env=[{"name": "COLOR", "value": "blue"}])
    yield cluster
    assert "Traceback" not in serving.log + api.log, serving.log + api.log


@pytest.fixture(params=["websocket", "spdy"])
def either(request: pytest.FixtureRequest, cluster: Cluster) -> Cluster:
    """The cluster through kubectl over WebSockets, if it speaks them, and over SPDY."""
    return Cluster(cluster.home, OVER_SPDY if request.param == "spdy" else {})
