"""What a pod may say, and what is filled in for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.minipdk.kubernetes.conftest import CONTAINER, PODS, Http


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"containers": [{**CONTAINER, "image": ""}]}, "spec.containers[0].image: Required value"),
        ({"containers": [CONTAINER, CONTAINER]}, 'spec.containers[1].name: Duplicate value: "main"'),
        (
            {"containers": [{**CONTAINER, "ports": [{"containerPort": 99999}]}]},
            "ports[0].containerPort: Invalid value: 99999",
        ),
        ({"containers": [{**CONTAINER, "env": [{"name": "A=B"}]}]}, 'env[0].name: Invalid value: "A=B"'),
        (
            {"containers": [{**CONTAINER, "volumeMounts": [{"name": "x", "mountPath": "/x"}]}]},
            'spec.containers[0].volumeMounts[0].name: Not found: "x"',
        ),
        (
            {"containers": [CONTAINER], "volumes": [{"name": "Not_A_Name"}]},
            'spec.volumes[0].name: Invalid value: "Not_A_Name"',
        ),
        ({"containers": [CONTAINER], "dnsPolicy": "Mine"}, 'spec.dnsPolicy: Unsupported value: "Mine"'),
        ({"containers": [CONTAINER], "terminationGracePeriodSeconds": -1}, "must be greater than or equal to 0"),
        ({"containers": [{**CONTAINER, "resources": {"limits": {"cpu": "much"}}}]}, "quantities must match"),
    ],
)
def test_a_pod_that_cannot_be_is_refused_by_its_field(http: Http, spec: Any, told: str) -> None:
    code, status = http("POST", PODS, json.dumps({"metadata": {"name": "wrong"}, "spec": spec}))
    assert code in (400, 422)
    assert told in status["message"]
    assert status["details"]["causes"]


def test_an_amount_may_be_a_number(http: Http) -> None:
    spec = {"containers": [{**CONTAINER, "resources": {"limits": {"cpu": 1, "memory": "1.5Gi"}}}]}
    code, made = http("POST", f"{PODS}?dryRun=All", json.dumps({"metadata": {"name": "sized"}, "spec": spec}))
    assert (code, made["spec"]["containers"][0]["resources"]["limits"]) == (201, {"cpu": "1", "memory": "1.5Gi"})
