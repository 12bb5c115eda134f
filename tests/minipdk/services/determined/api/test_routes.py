"""Every call of Determined's SDK has a route of its own: it is served, or refused by the name of its RPC."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest
import requests
from determined.common.api import bindings
from starlette.routing import Match, Route
from tests.minipdk.services.determined.conftest import Cluster

from minipdk.services.determined.api import ENDPOINTS, SERVED
from minipdk.services.determined.api.rpcs import RPCS


def calls() -> Iterator[tuple[str, str, str]]:
    """The method, path and RPC of each call that the SDK can make, from the source of its bindings."""
    for name, function in inspect.getmembers(bindings, inspect.isfunction):
        verb, _, rpc = name.partition("_")
        if verb in ("get", "post", "put", "patch", "delete") and rpc != "health":
            [call] = re.findall(r'method="(\w+)",\s+path=f?"([^"]+)"', inspect.getsource(function))
            yield *call, rpc


ROUTES = [Route(path, lambda _: None, methods=[method]) for method, path, _ in ENDPOINTS]


def reached(method: str, path: str) -> str:
    """The path of the endpoint that answers the request."""
    scope = {"type": "http", "method": method, "path": path}
    return next(route.path for route in ROUTES if route.matches(scope)[0] == Match.FULL)


def shape(path: str) -> str:
    return re.sub(r"{\w+}", "{}", path)


def test_list_of_calls_is_the_sdks() -> None:
    assert sorted(RPCS) == sorted(calls())


def test_call_reaches_its_own_route() -> None:
    swallowed = [path for method, path, _ in RPCS if shape(reached(method, re.sub(r"{\w+}", "7", path))) != shape(path)]
    assert swallowed == []


def test_call_that_is_not_served_is_refused_by_its_name(cluster: Cluster) -> None:
    session = cluster.session()
    headers = {"Authorization": f"Bearer {session.token}"}
    served = {(method, shape(path)) for method, path, _ in SERVED}
    for method, path, rpc in RPCS:
        if (method, shape(path)) not in served:
            path = re.sub(r"{\w+}", "7", path)
            answer = requests.request(method, cluster.url + path, headers=headers, json={})
            words = f"{rpc} ({method} {path}) is not supported by minipdk"
            assert (answer.status_code, answer.json()["error"]["error"]) == (501, words)


@pytest.mark.parametrize("call", ["GET /api/v1/nonsense", "PUT /api/v1/models", "GET /proxy/x"])
def test_call_that_determined_does_not_have_is_refused(cluster: Cluster, call: str) -> None:
    method, path = call.split()
    headers = {"Authorization": f"Bearer {cluster.session().token}"}
    answer = requests.request(method, cluster.url + path, headers=headers)
    assert answer.status_code == 501
    assert answer.json()["error"] == {"code": 12, "reason": "Unimplemented", "error": f"{call} is not supported by minipdk"}


def test_call_that_determined_has_needs_a_token(cluster: Cluster) -> None:
    assert requests.get(f"{cluster.url}/api/v1/templates").status_code == 401


@pytest.mark.parametrize("noun", ["command", "notebook", "shell", "tensorboard"])
def test_there_are_no_interactive_tasks_to_list(cluster: Cluster, noun: str) -> None:
    assert cluster.session().get(f"api/v1/{noun}s").json()[f"{noun}s"] == []
