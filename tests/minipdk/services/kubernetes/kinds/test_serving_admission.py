"""The denials of KServe's webhooks, in their words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from minipdk.services.kubernetes.errors import ForbiddenError
from minipdk.services.kubernetes.kinds.custom import inference_services, serving_runtimes

MODEL: dict[str, Any] = {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://bucket/iris"}}
CUSTOM: dict[str, Any] = {"containers": [{"name": "kserve-container", "image": "mine:1"}]}


def service(predictor: dict[str, Any], name: str = "iris", **annotations: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": annotations}, "spec": {"predictor": predictor}}


def denial(item: dict[str, Any], *others: dict[str, Any]) -> str:
    admit = inference_services.admit if "predictor" in item["spec"] else serving_runtimes.admit
    with pytest.raises(ForbiddenError) as raised:
        admit(item, lambda: list(others))
    said = str(raised.value)
    assert said.startswith('admission webhook "')
    return said.partition(" denied the request: ")[2]


def test_a_predictor_has_exactly_one_implementation() -> None:
    accepted: list[dict[str, Any]] = [
        MODEL,
        CUSTOM,
        {"sklearn": {}},
        CUSTOM | {"sklearn": None},
        MODEL | {"containers": [{"name": "sidecar"}]},
    ]
    for predictor in accepted:
        inference_services.admit(service(predictor), list)
    rule = (
        "exactly one of [SKLearn, XGBoost, Tensorflow, PyTorch, Triton, ONNX, HuggingFace, PMML, LightGBM, Paddle, Model, "
    )
    for refused, given in (
        ({}, "none of them"),
        ({"sklearn": {}, "onnx": {}}, "sklearn and onnx"),
        (MODEL | CUSTOM, "model and"),
    ):
        said = denial(service(refused))
        assert said.startswith(rule)
        assert f"spec.predictor has {given}" in said


@pytest.mark.parametrize(
    ("predictor", "said"),
    [
        ({"containerConcurrency": -1}, "parallelism cannot be less than 0"),
        ({"minReplicas": -1}, "'MinReplicas' cannot be less than 0"),
        ({"maxReplicas": -1}, "'MaxReplicas' cannot be less than 0"),
        ({"minReplicas": 3, "maxReplicas": 2}, "'MinReplicas' cannot be greater than MaxReplicas"),
        ({"logger": {"mode": "some"}}, "invalid logger type"),
        ({"scaleMetric": "cpu"}, "[cpu] is not a supported metric"),
        ({"scaleMetric": "rps", "scaleTarget": 0}, "the target for rps should be greater than 1"),
        (
            {"deploymentStrategy": {"type": "Recreate"}},
            "customizing deploymentStrategy is only supported for raw deployment mode",
        ),
        ({"canaryTrafficPercent": 101}, "expected 0 <= 101 <= 100: spec.predictor.canaryTrafficPercent"),
    ],
)
def test_an_invalid_component_is_denied(predictor: dict[str, Any], said: str) -> None:
    assert denial(service(MODEL | predictor)) == said


def test_a_service_of_a_wrong_name_protocol_or_autoscaler_is_denied() -> None:
    assert 'the InferenceService "1iris" is invalid' in denial(service(MODEL, name="1iris"))
    wrong = denial(service(MODEL, **{"serving.kserve.io/autoscalerClass": "none"}))
    assert wrong == "[none] is not a supported autoscaler class type"
    container = {**CUSTOM["containers"][0], "env": [{"name": "PROTOCOL", "value": "v3"}]}
    assert denial(service({"containers": [container]})) == "invalid protocol v3. Must be one of [v1, v2]"
    transformer = {"name": "transformer-container", "env": [{"name": "STORAGE_URI", "value": "s3://bucket"}]}
    said = denial(service({"containers": [*CUSTOM["containers"], transformer]}))
    assert said == "storage uri should not be specified in transformer container"


def runtime(name: str, *formats: dict[str, Any], **spec: Any) -> dict[str, Any]:
    supported = [{"autoSelect": True, "priority": 1} | entry for entry in formats or ({"name": "note"},)]
    return {
        "kind": "ServingRuntime",
        "metadata": {"name": name, "namespace": "models"},
        "spec": {"supportedModelFormats": supported, "protocolVersions": ["v1", "v2"]} | spec,
    }


def test_two_runtimes_of_a_namespace_do_not_claim_the_same_priority() -> None:
    first = runtime("first")
    rule = "same priority assigned for the model format note in the servingruntimes first and second in namespace models"
    assert denial(runtime("second"), first) == rule
    serving_runtimes.admit(first, lambda: [copy.deepcopy(first)])
    for other in (
        runtime("second", {"name": "note", "priority": 2}),
        runtime("second", {"name": "note", "autoSelect": False}),
        runtime("second", {"name": "note", "version": "2"}),
        runtime("second", protocolVersions=["grpc-v2"]),
        runtime("second", disabled=True),
        runtime("second", multiModel=True),
    ):
        serving_runtimes.admit(other, lambda: [first])


def test_a_runtime_claims_one_priority_for_a_format() -> None:
    wrong = runtime("first", {"name": "note", "version": "1"}, {"name": "note", "version": "2", "priority": 2})
    assert denial(wrong) == "different priorities assigned for the model format note under the servingruntime first"
