"""Services: their rules and defaults."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.minipdk.services.kubernetes.conftest import SERVICES, Http


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"ports": [{"port": 80}, {"port": 81}]}, "spec.ports[0].name: Required value"),
        ({"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]}, 'spec.ports[1].name: Duplicate value: "a"'),
        ({"ports": [{"port": 80, "protocol": "HTTP"}]}, 'spec.ports[0].protocol: Unsupported value: "HTTP"'),
        ({"type": "NodePort", "ports": [{"port": 80}]}, 'spec.type: Unsupported value: "NodePort"'),
        ({"clusterIP": "10.0.0.1", "ports": [{"port": 80}]}, "virtual addresses are not supported by minipdk"),
        ({"clusterIPs": ["10.0.0.1"], "ports": [{"port": 80}]}, "spec.clusterIPs: Invalid value"),
    ],
)
def test_an_invalid_service_is_refused_by_its_field(http: Http, spec: Any, message: str) -> None:
    code, status = http("POST", SERVICES, json.dumps({"metadata": {"name": "wrong"}, "spec": spec}))
    assert (code, status["reason"]) == (422, "Invalid")
    assert message in status["message"]


def test_a_service_that_becomes_an_external_name_loses_its_address(http: Http) -> None:
    body = {"metadata": {"name": "named"}, "spec": {"ports": [{"port": 80}]}}
    assert http("POST", SERVICES, json.dumps(body))[1]["spec"]["clusterIPs"] == ["None"]
    patch = {"spec": {"type": "ExternalName", "externalName": "example.com"}}
    _, changed = http("PATCH", f"{SERVICES}/named", json.dumps(patch), Content_Type="application/merge-patch+json")
    assert changed["spec"]["externalName"] == "example.com"
    assert "clusterIP" not in changed["spec"]
