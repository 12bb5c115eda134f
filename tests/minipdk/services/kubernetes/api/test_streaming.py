"""exec, attach and port-forward at the API server: who may ask, for which pods, and the answer without the node."""

from __future__ import annotations

import json

import pytest
from tests.minipdk.services.kubernetes.conftest import PODS, Http, pod

PARTS = ("exec", "attach", "portforward")
UPGRADE = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}


@pytest.fixture(scope="module", autouse=True)
def pods(http: Http) -> None:
    placed = pod("placed")
    placed["spec"] = {"nodeName": "minipdk", "containers": [{"name": name, "image": "busybox:1"} for name in ("a", "b")]}
    for created in (placed, pod("waiting")):
        assert http("POST", PODS, json.dumps(created))[0] == 201


@pytest.mark.parametrize("part", PARTS)
def test_a_session_needs_a_token(http: Http, part: str) -> None:
    assert http("POST", f"{PODS}/placed/{part}", Authorization="", **UPGRADE)[0] == 401


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("method", "code"), [("PUT", 405), ("DELETE", 405), ("PATCH", 405)])
def test_a_session_has_a_verb(http: Http, part: str, method: str, code: int) -> None:
    assert http(method, f"{PODS}/placed/{part}", **UPGRADE)[0] == code


REFUSED = {
    "no such pod": ("nobody/exec?container=a", 404, 'pods "nobody" not found'),
    "no container named": ("placed/exec", 400, "a container name must be specified for pod placed, choose one of: [a b]"),
    "no such container": ("placed/attach?container=c", 400, "container c is not valid for pod placed"),
    "no node yet": ("waiting/portforward", 400, "pod waiting does not have a host assigned"),
    "the node does not run": ("placed/exec?container=a", 500, "Internal error occurred: error dialing backend:"),
}


@pytest.mark.parametrize(("path", "code", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_session_that_cannot_be_is_refused_with_a_status(http: Http, path: str, code: int, message: str) -> None:
    answered, status = http("GET", f"{PODS}/{path}", **UPGRADE)
    assert (answered, status["kind"]) == (code, "Status")
    assert status["message"].startswith(message)


@pytest.mark.parametrize("part", PARTS)
def test_a_request_without_an_upgrade_is_a_bad_request(http: Http, part: str) -> None:
    code, status = http("GET", f"{PODS}/placed/{part}?container=a")
    assert (code, status["message"]) == (400, "Upgrade request required")
