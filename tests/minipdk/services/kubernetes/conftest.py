"""One API server for all of these tests, and three real clients for it."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import kubernetes
import pytest
from kubernetes.client import ApiClient, CoreV1Api, CustomObjectsApi
from tests.conftest import ServiceProcess, new_home

from minipdk.common.home import Home
from minipdk.services.kubernetes.bootstrap import furnish_cluster
from minipdk.services.kubernetes.certificates import ensure_tls, write_kubeconfig
from minipdk.services.kubernetes.registry.registry import Registry
from minipdk.services.kubernetes.service import kubeconfig
from minipdk.services.kubernetes.store import ObjectStore

Kubectl = Callable[..., subprocess.CompletedProcess[str]]
PODS = "/api/v1/namespaces/models/pods"
MAPS = "/api/v1/namespaces/models/configmaps"
SERVICES = "/api/v1/namespaces/models/services"
CONTAINER = {"name": "main", "image": "busybox:1"}
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "minipdk"}}
ISVC = ("serving.kserve.io", "v1beta1", "models", "inferenceservices")


def start_server(path: Path) -> ServiceProcess:
    home = new_home(path)
    ensure_tls(home)
    write_kubeconfig(home)
    server = ServiceProcess(home, "kubernetes", "kubernetes")
    server.start()
    return server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    running = start_server(tmp_path_factory.mktemp("kubernetes") / "home")
    yield running
    running.stop()
    assert "Traceback" not in running.log, running.log


@pytest.fixture(scope="session")
def cluster(server: ServiceProcess) -> Home:
    return server.home


class Http:
    """Plain requests, for bodies and headers that no client would send."""

    def __init__(self, home: Home) -> None:
        self._home, self._context = home, ssl.create_default_context(cafile=str(home.ca_certificate))

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        connection = HTTPSConnection("127.0.0.1", self._home.port("kubernetes"), context=self._context, timeout=20)
        sent = {"Authorization": f"Bearer {self._home.token}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, {name: value for name, value in sent.items() if value})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if method == "HEAD":
            return answer.status, None
        return answer.status, json.loads(text) if answer.headers.get_content_type() == "application/json" else text.decode()

    def patch(self, path: str, body: Any, kind: str = "merge-patch+json") -> tuple[int, Any]:
        """A patch of any type; the manager of an apply is "me"."""
        separator = "&" if "?" in path else "?"
        query = f"{separator}fieldManager=me" if kind == "apply-patch+yaml" else ""
        return self("PATCH", f"{path}{query}", json.dumps(body), Content_Type=f"application/{kind}")

    def apply(self, path: str, body: Any) -> tuple[int, Any]:
        return self.patch(path, body, "apply-patch+yaml")


@pytest.fixture(scope="session")
def http(cluster: Home) -> Http:
    return Http(cluster)


@pytest.fixture(scope="session")
def client(cluster: Home) -> Iterator[ApiClient]:
    with kubernetes.config.new_client_from_config(str(kubeconfig(cluster))) as api_client:
        yield api_client


@pytest.fixture(scope="session")
def core(client: ApiClient) -> CoreV1Api:
    return CoreV1Api(client)


@pytest.fixture(scope="session")
def custom(client: ApiClient) -> CustomObjectsApi:
    return CustomObjectsApi(client)


@pytest.fixture(scope="session")
def kubectl(cluster: Home, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """Run the real kubectl; ``stdin`` is text or an object to apply. A failing command fails the test unless ``fails``."""
    program = os.environ.get("KUBECTL") or shutil.which("kubectl")
    assert program, "these tests need kubectl: install Debian's kubernetes-client, or name one in $KUBECTL"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("kubectl")),
        "KUBECONFIG": str(kubeconfig(cluster)),
    }

    def run(*arguments: str, stdin: Any = None, fails: bool = False) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [program, *arguments],
            input=json.dumps(stdin) if isinstance(stdin, dict) else stdin,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode != 0) == fails, f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done

    run.program, run.environment = program, environment  # type: ignore[attr-defined]
    return run


def inference_service(name: str, **predictor: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "models"},
        "spec": {"predictor": predictor or {"pytorch": {"storageUri": "s3://bucket/churn"}}},
    }


def pod(name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "models", **metadata},
        "spec": {"containers": [{"name": "main", "image": "busybox:1"}]},
    }


def config_map(name: str, data: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "models", **metadata},
        "data": data or {},
    }


def claim(name: str, **spec: Any) -> dict[str, Any]:
    defaults = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "models"},
        "spec": defaults | spec,
    }


def new_event(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "models"},
        "eventTime": "2026-01-02T03:04:05.000006Z",
        "regarding": {"kind": "Pod", "namespace": "models", "name": name},
        "reason": "Tested",
        "action": "Testing",
        "note": "said",
        "type": "Normal",
        "reportingController": "example.com/tester",
        "reportingInstance": "tester-1",
        **fields,
    }


@pytest.fixture
def in_process(tmp_path: Path) -> Registry:
    """A registry over a new store, for tests that need many operations."""
    registry = Registry(ObjectStore(tmp_path / "kubernetes.db"), tmp_path / "volumes")
    furnish_cluster(registry, "a certificate")
    return registry
