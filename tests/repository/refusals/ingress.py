"""Refusals of docs/ingress.md."""

from __future__ import annotations

from collections.abc import Iterator

import requests
from tests.repository.refusals.cluster import Answer, Check, Cluster


def _status(cluster: Cluster, method: str, **headers: str) -> str:
    headers = {"Host": "absent.models.example.com", **headers}
    return str(requests.request(method, f"{cluster.ingress}/v1/models/absent", headers=headers, timeout=30).status_code)


def upgrade(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    websocket = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    yield "WebSocket", _status(cluster, "GET", Connection="Upgrade", Upgrade="websocket", **websocket)
    yield "h2c", _status(cluster, "GET", Connection="Upgrade", Upgrade="example/1")


def other_origin(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    yield "Origin", _status(cluster, "POST", Origin="http://evil.example")


def unknown_host(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    yield "GET", _status(cluster, "GET")


CHECKS: dict[str, Check] = {
    "a change of protocol, such as WebSocket": upgrade,
    "an unsafe request from a web page of another origin": other_origin,
    "a Host that names no InferenceService": unknown_host,
}
