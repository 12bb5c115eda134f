"""Images of the cluster's registry: the node asks it with a Pod's pull secrets."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ServiceProcess, free_ports, wait_for

from minipdk.common.home import Home, Identity, save
from minipdk.images import ImageStore
from minipdk.images.registry import stored_name
from minipdk.services.kubernetes.certificates import write_kubeconfig
from minipdk.services.kubernetes.service import kubeconfig

USER, TOKEN = "learner", "a.valid.token"
SECRET = "registry"


@dataclass
class Registry:
    """A registry that opens its images to the token, and the paths that it was asked for."""

    port: int
    images: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        registry = self
        basic = f"Basic {base64.b64encode(f'{USER}:{TOKEN}'.encode()).decode()}"

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                registry.asked.append(self.path)
                known = self.path in registry.images
                self.send_response(401 if self.headers.get("Authorization") != basic else 200 if known else 404)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@dataclass
class Node:
    """A cluster with a registry, which has the image ``org/project/model:1``."""

    home: Home
    registry: Registry

    def image(self, name: str = "model:1", port: int | None = None) -> str:
        return f"127.0.0.1:{port or self.registry.port}/org/project/{name}"

    def kubectl(self, *arguments: str, stdin: object = None) -> str:
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig(self.home))}
        command, text = ["kubectl", "--namespace", "models", *arguments], json.dumps(stdin)
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, input=text).stdout

    def create(self, name: str, image: str, *secrets: str, **spec: Any) -> None:
        main = {"name": "main", "image": image, "command": ["sleep", "1000"]}
        spec = {"containers": [main], "imagePullSecrets": [{"name": secret} for secret in secrets], **spec}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        self.kubectl("create", "-f", "-", stdin=pod)

    def add_secret(self, name: str, token: str = TOKEN, host: str = "") -> None:
        server = host or f"127.0.0.1:{self.registry.port}"
        credentials = (f"--docker-server={server}", f"--docker-username={USER}", f"--docker-password={token}")
        self.kubectl("create", "secret", "docker-registry", name, *credentials)

    def state(self, name: str) -> dict[str, Any]:
        status = json.loads(self.kubectl("get", "pod", name, "-o", "json"))["status"]
        state: dict[str, Any] = (status.get("containerStatuses") or [{}])[0].get("state", {})
        return state

    def waits(self, name: str, words: str) -> None:
        """Wait until the container backs off for a reason with these words, which `kubectl describe` shows too."""
        wait_for(lambda: words in self.state(name).get("waiting", {}).get("message", ""), what=f"{name}: {words}")
        assert self.state(name)["waiting"]["reason"] in ("ErrImagePull", "ImagePullBackOff")
        wait_for(lambda: words in self.kubectl("describe", "pod", name), what=f"an event with {words}")

    def runs(self, name: str) -> None:
        wait_for(lambda: "running" in self.state(name), what=f"{name} to run")
        self.kubectl("delete", "pod", name, "--grace-period=1")


@pytest.fixture(scope="module")
def node(home: Home, run_service: Callable[..., ServiceProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    identity = home.identity
    [port] = [identity.ports["neuro"]] if "neuro" in identity.ports else free_ports(1)
    home = save(home.path, Identity(identity.cluster_id, identity.token, {**identity.ports, "neuro": port}))
    context: Path = tmp_path_factory.mktemp("context")
    (context / "Dockerfile").write_text("FROM bash\n")
    ImageStore(home).build(context, "registry.neuro/org/project/model:1")
    run_service(home, "kubernetes", "kubernetes")
    write_kubeconfig(home)
    run_service(home, "serving", "ingress")
    registry = Registry(port, {"/v2/org/project/model/manifests/1"})
    node = Node(home, registry)
    node.add_secret(SECRET)
    yield node
    registry.server.shutdown()
    registry.server.server_close()


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("127.0.0.1:5000/a/b/c:1", "registry.neuro/a/b/c:1"),
        ("localhost:5000/a/b/c:1", "registry.neuro/a/b/c:1"),
        ("localhost/a/b", "registry.neuro/a/b:latest"),
        ("registry.neuro/a/b:1", "registry.neuro/a/b:1"),
        ("127.0.0.1:5000", None),
        ("127.0.0.2:5000/a", None),
        ("localhost:x/a", None),
        ("a/b:1", None),
        ("python:3.11", None),
    ],
)
def test_a_reference_to_this_machine_is_stored_without_its_port(reference: str, name: str | None) -> None:
    assert stored_name(reference) == name


def test_an_image_runs_with_a_secret_that_opens_the_registry(node: Node) -> None:
    node.create("opened", node.image(), SECRET)
    node.runs("opened")
    assert node.registry.asked[-1] == "/v2/org/project/model/manifests/1"


def test_an_image_runs_after_the_registry_has_moved_to_another_port(node: Node) -> None:
    node.add_secret("older", host="127.0.0.1:1")
    node.create("moved", node.image(port=1), "older")
    node.runs("moved")


def test_the_service_account_may_have_the_secret(node: Node) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "puller"}}
    node.kubectl("create", "-f", "-", stdin={**account, "imagePullSecrets": [{"name": SECRET}]})
    node.create("by-account", node.image(), serviceAccountName="puller")
    node.runs("by-account")


def test_every_secret_is_tried(node: Node) -> None:
    node.add_secret("expired", token="another")
    node.create("tries", node.image(), "expired", SECRET)
    node.runs("tries")


def test_without_a_fitting_secret_the_container_backs_off_and_says_what_is_missing(node: Node) -> None:
    node.kubectl("create", "secret", "generic", "opaque", "--from-literal=a=b")
    node.add_secret("elsewhere", host="registry.example.com")
    node.add_secret("wrong", token="another")
    for name, secrets, words in (
        ("none", (), "401 Unauthorized: the pod names no imagePullSecrets"),
        ("absent", ("absent",), 'secret "absent" not found in namespace models'),
        ("opaque", ("opaque",), 'secret "opaque" is of the type Opaque, not kubernetes.io/dockerconfigjson'),
        ("elsewhere", ("elsewhere",), f'secret "elsewhere" has no entry for the registry 127.0.0.1:{node.registry.port}'),
        ("wrong", ("wrong",), "the token in secret wrong is not valid (any more)"),
    ):
        node.create(name, node.image(), *secrets)
        node.waits(name, words)
        assert "`neuro-extras k8s generate-registry-secret | kubectl -n models apply -f -`" in node.kubectl(
            "describe", "pod", name
        )
    wait_for(lambda: "FailedToRetrieveImagePullSecret" in node.kubectl("describe", "pod", "absent"), what="the event")
    wait_for(lambda: node.state("none")["waiting"]["reason"] == "ImagePullBackOff", what="the back-off")
    node.add_secret("absent")
    node.runs("absent")
    node.kubectl("delete", "pod", "none", "opaque", "elsewhere", "wrong", "--grace-period=0")


@pytest.mark.parametrize(
    "auths",
    [lambda host: [host], lambda host: {host: {"username": "a:b", "password": "c"}}, lambda host: {host: [host]}],
    ids=["list", "colon", "entry"],
)
def test_a_secret_without_usable_credentials_has_no_entry(node: Node, auths: Callable[[str], object]) -> None:
    document = json.dumps({"auths": auths(f"127.0.0.1:{node.registry.port}")})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "odd"}, "type": "kubernetes.io/dockerconfigjson"}
    node.kubectl("apply", "-f", "-", stdin={**secret, "stringData": {".dockerconfigjson": document}})
    node.create("odd", node.image(), "odd")
    node.waits("odd", 'secret "odd" has no entry for the registry')
    node.kubectl("delete", "pod,secret", "odd", "--grace-period=1")


def test_an_unknown_image_is_not_found(node: Node) -> None:
    node.create("unknown", node.image("other:1"), SECRET)
    node.waits("unknown", "404 Not Found")
    node.kubectl("delete", "pod", "unknown", "--grace-period=0")
