"""Server-side apply against a kind's schema: misfits are refused, with a real API server's words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.minipdk.services.kubernetes.conftest import PODS, Http, inference_service, pod

SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices"
OURS = "failed to create typed patch object (models/typed; serving.kserve.io/v1beta1, Kind=InferenceService): "


def model(**fields: Any) -> dict[str, Any]:
    return {"model": {"modelFormat": {"name": "sklearn"}, **fields}}


def container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "main", "image": "python:3.11", **fields}]}


MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown field": (model(colour="red"), ".spec.predictor.model.colour: field not declared in schema"),
    "an unknown field of an item": (
        container(colour="red"),
        '.spec.predictor.containers[name="main"].colour: field not declared in schema',
    ),
    "text for a number": (
        {**model(), "minReplicas": "x"},
        ".spec.predictor.minReplicas: expected numeric (int or float), got string",
    ),
    "a number for text": (
        container(env=[{"name": "A", "value": 1}]),
        '.spec.predictor.containers[name="main"].env[name="A"].value: '
        "expected string, got &value.valueUnstructured{Value:1}",
    ),
    "text for a list": (model(env="x"), ".spec.predictor.model.env: expected list, got &{x}"),
    "a list for an object": (model(resources=["a", 1]), ".spec.predictor.model.resources: expected map, got &{[a 1]}"),
    "a variable twice": (
        model(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
        '.spec.predictor.model.env: duplicate entries for key [name="A"]',
    ),
    "a port twice": (
        container(ports=[{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}]),
        '.spec.predictor.containers[name="main"].ports: duplicate entries for key [containerPort=80,protocol="TCP"]',
    ),
    "two faults": (
        {**model(colour="red"), "size": 1},
        "errors:\n  .spec.predictor.model.colour: field not declared in schema\n"
        "  .spec.predictor.size: field not declared in schema",
    ),
}


@pytest.mark.parametrize(("predictor", "fault"), MISFITS.values(), ids=MISFITS.keys())
def test_an_apply_that_does_not_fit_the_schema_changes_nothing(http: Http, predictor: dict[str, Any], fault: str) -> None:
    code, status = http.apply(f"{SERVICES}/typed", inference_service("typed", **predictor))
    assert (code, status["message"], status.get("reason")) == (500, OURS + fault, None)
    assert http("GET", f"{SERVICES}/typed")[0] == 404


def test_a_kind_of_the_core_is_checked_too(http: Http) -> None:
    misspelt = pod("typed")
    misspelt["spec"]["contaners"] = []
    code, status = http.apply(f"{PODS}/typed", misspelt)
    fault = ".spec.contaners: field not declared in schema"
    assert (code, status["message"]) == (500, f"failed to create typed patch object (models/typed; /v1, Kind=Pod): {fault}")


@pytest.mark.parametrize(
    ("changes", "described"),
    [
        ({"kind": "Other"}, "serving.kserve.io/v1beta1, Kind=Other"),
        ({"apiVersion": "v1"}, "/v1, Kind=InferenceService"),
        ({"apiVersion": "", "kind": ""}, "/, Kind="),
    ],
    ids=["another kind", "another version", "neither"],
)
def test_an_apply_names_its_kind(http: Http, changes: dict[str, str], described: str) -> None:
    code, status = http.apply(f"{SERVICES}/typed", inference_service("typed") | changes)
    assert (code, status["message"]) == (400, f"invalid object type: {described}")


def test_two_managers_each_apply_an_item_of_a_list_with_keys(http: Http) -> None:
    http.apply(f"{SERVICES}/shared", inference_service("shared", **model(env=[{"name": "A", "value": "1"}])))
    other = inference_service("shared", **model(env=[{"name": "B", "value": "2"}]))
    code, merged = http(
        "PATCH", f"{SERVICES}/shared?fieldManager=other", json.dumps(other), Content_Type="application/apply-patch+yaml"
    )
    assert code == 200, merged
    assert merged["spec"]["predictor"]["model"]["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    first, second = (
        entry["fieldsV1"]["f:spec"]["f:predictor"]["f:model"]["f:env"] for entry in merged["metadata"]["managedFields"]
    )
    assert first == {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}}
    assert second == {'k:{"name":"B"}': {".": {}, "f:name": {}, "f:value": {}}}
    contested = inference_service("shared", **model(env=[{"name": "A", "value": "9"}]))
    code, status = http(
        "PATCH", f"{SERVICES}/shared?fieldManager=other", json.dumps(contested), Content_Type="application/apply-patch+yaml"
    )
    conflict = 'Apply failed with 1 conflict: conflict with "me": .spec.predictor.model.env[name="A"].value'
    assert (code, status["message"]) == (409, conflict)
