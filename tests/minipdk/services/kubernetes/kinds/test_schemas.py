"""Custom objects against their CustomResourceDefinition's schema, whose validation differs from that of the core's kinds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.minipdk.services.kubernetes.conftest import PODS, Http, inference_service, pod

SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices?dryRun=All"
WRONG, VALUE, TWICE = "FieldValueTypeInvalid", "FieldValueInvalid", "FieldValueDuplicate"


def wrong(field: str, expected: str, kind: str) -> tuple[str, str, str]:
    path = f"spec.predictor.{field}"
    return WRONG, path, f'Invalid value: "{kind}": {path} in body must be of type {expected}: "{kind}"'


QUANTITY = (
    r"'^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$'"
)
CPU = "spec.predictor.model.resources.requests.cpu"
FAULTS: dict[str, tuple[dict[str, Any], tuple[str, str, str]]] = {
    "a fraction for a quantity": (
        {"resources": {"requests": {"cpu": 0.5}}},
        wrong("model.resources.requests.cpu", "integer,string", "number"),
    ),
    "a truth value for a quantity": (
        {"resources": {"limits": {"memory": True}}},
        wrong("model.resources.limits.memory", "integer,string", "boolean"),
    ),
    "words for a quantity": (
        {"resources": {"requests": {"cpu": "much"}}},
        (VALUE, CPU, f'Invalid value: "much": {CPU} in body should match {QUANTITY}'),
    ),
    "a fraction for a port": (
        {"readinessProbe": {"httpGet": {"port": 1.5}}},
        wrong("model.readinessProbe.httpGet.port", "integer,string", "number"),
    ),
    "text for a number": ({"ports": [{"containerPort": "x"}]}, wrong("model.ports[0].containerPort", "integer", "string")),
    "a number for text": ({"runtime": 7}, wrong("model.runtime", "string", "integer")),
    "an empty field": ({"resources": None}, wrong("model.resources", "object", "null")),
    "an empty list": ({"args": None}, wrong("model.args", "array", "null")),
    "a variable twice": (
        {"env": [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "A"}]},
        (TWICE, "spec.predictor.model.env[2]", 'Duplicate value: {"name":"A"}'),
    ),
    "a port twice": (
        {"ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}]},
        (TWICE, "spec.predictor.model.ports[1]", 'Duplicate value: {"containerPort":80,"protocol":"TCP"}'),
    ),
}


@pytest.mark.parametrize(("fields", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_field_that_breaks_the_schema_is_refused(http: Http, fields: dict[str, Any], fault: tuple[str, str, str]) -> None:
    service = inference_service("broken", model={"modelFormat": {"name": "sklearn"}, **fields})
    code, status = http("POST", SERVICES, json.dumps(service))
    causes = [(cause["reason"], cause["field"], cause["message"]) for cause in status["details"]["causes"]]
    assert (code, causes) == (422, [fault])


@pytest.mark.parametrize("amount", [1, "500m", "0.5", "1e3", "2Gi"])
def test_whole_numbers_and_text_are_quantities(http: Http, amount: int | str) -> None:
    resources = {"requests": {"memory": amount}}
    service = inference_service("whole", model={"modelFormat": {"name": "sklearn"}, "resources": resources})
    assert http("POST", SERVICES, json.dumps(service))[0] == 201


def test_a_pod_s_quantities_may_be_fractions(http: Http) -> None:
    fraction = pod("fraction")
    fraction["spec"]["containers"][0]["resources"] = {"requests": {"cpu": 0.5}}
    assert http("POST", f"{PODS}?dryRun=All", json.dumps(fraction))[0] == 201
