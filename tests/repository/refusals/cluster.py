"""A running cluster and connections to it, and the type of the checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import boto3
import requests
import yaml
from botocore.config import Config
from pachyderm_sdk import Client
from tests.conftest import wait_for

from minipdk.common.home import MODELS_NAMESPACE, Home

Answer = tuple[str, str]
"""The name of a refused thing and the server's answer."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs in ``home``, with its profile's variables."""

    home: Home
    profile: dict[str, str]

    @cached_property
    def pachyderm(self) -> Client:
        return Client.from_pachd_address(self.profile["PACHD_ADDRESS"], auth_token=self.home.token)

    @cached_property
    def s3(self) -> Any:
        token = self.home.token
        return boto3.client(
            "s3",
            endpoint_url=self.profile["PACH_S3_ENDPOINT"],
            aws_access_key_id=token,
            aws_secret_access_key=token,
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 1}),
        )

    @cached_property
    def determined(self) -> Rest:
        login = {"username": self.profile["DET_USER"], "password": self.profile["DET_PASS"]}
        session = _session()
        url = self.profile["DET_MASTER"]
        session.headers["Authorization"] = f"Bearer {session.post(f'{url}/api/v1/auth/login', json=login).json()['token']}"
        return Rest(session, url)

    @cached_property
    def kubernetes(self) -> Rest:
        with open(self.profile["KUBECONFIG"], encoding="utf-8") as file:  # noqa: PTH123
            kubeconfig = yaml.safe_load(file)
        session = _session()
        session.verify = str(self.home.ca_certificate)
        session.headers["Authorization"] = f"Bearer {kubeconfig['users'][0]['user']['token']}"
        return Rest(session, kubeconfig["clusters"][0]["cluster"]["server"])

    @property
    def ingress(self) -> str:
        return f"http://{self.profile['INGRESS_HOST']}:{self.profile['INGRESS_PORT']}"


@dataclass(frozen=True)
class Rest:
    """Plain requests, for bodies that no client would send."""

    session: requests.Session
    url: str

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = {} if content is None else {"Content-Type": "application/json"}
        return self.session.request(method, self.url + path, data=content, headers={**kind, **headers}, timeout=30)

    def status(self, method: str, path: str, body: Any = None, **headers: str) -> str:
        return str(self(method, path, body, **headers).status_code)

    def create(self, path: str, body: Any) -> Any:
        response = self("POST", path, body)
        assert response.ok, response.text
        return response.json()

    def get(self, path: str) -> Any:
        return self("GET", path).json()


Check = Callable[[Cluster, list[str]], Iterable[Answer]]
"""``check(cluster, names)`` tries each name of a row and returns the answers."""


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # neither proxies nor another CA
    return session


def in_models(kind: str, group: str = "/api/v1") -> str:
    """The path of the objects of a kind in the namespace that the course uses."""
    return f"{group}/namespaces/{MODELS_NAMESPACE}/{kind}"


def answers_of(cluster: Cluster, path: str, bodies: dict[str, Any], read: Callable[[Any], str]) -> list[Answer]:
    """Create an object for each name, wait until ``read`` returns an answer for each, and delete them."""

    def answer(created: str) -> str:
        return read(cluster.kubernetes.get(f"{path}/{created}"))

    def is_gone(created: str) -> bool:
        return cluster.kubernetes.status("GET", f"{path}/{created}") == "404"

    names = {}
    for number, (name, body) in enumerate(bodies.items()):
        metadata = {"name": f"refused-{number}", **body.get("metadata", {})}
        names[name] = cluster.kubernetes.create(path, {**body, "metadata": metadata})["metadata"]["name"]
    try:
        return [(name, str(wait_for(partial(answer, created), what=name))) for name, created in names.items()]
    finally:
        for created in names.values():
            cluster.kubernetes("DELETE", f"{path}/{created}", {"gracePeriodSeconds": 0})
            wait_for(partial(is_gone, created), what=f"{created} to be deleted")
