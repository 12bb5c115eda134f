"""The denials of KServe's webhooks, in their words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from minipdk.services.kubernetes.errors import ForbiddenError
from minipdk.services.kubernetes.kinds.custom import inference_services, serving_runtimes

MODEL: dict[str, Any] = {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://bucket/iris"}}
CUSTOM: dict[str, Any] = {"containers": [{"name": "kserve-container", "image": "mine:1"}]}


INVALID = 'the InferenceService "iris" is invalid'


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
        "exactly one of [Name, SKLearn, XGBoost, Tensorflow, PyTorch, Triton, ONNX, HuggingFace, PMML, LightGBM, Paddle, "
        "Model, StorageUris, StorageContainerName, WorkerSpec, PodSpec] must be specified in PredictorSpec"
    )
    wrong: list[dict[str, Any]] = [{}, {"sklearn": {}, "onnx": {}}, MODEL | CUSTOM, {"containers": CUSTOM["containers"] * 2}]
    for refused in wrong:
        assert denial(service(refused)) == rule


def test_another_component_has_exactly_one_implementation() -> None:
    for name, listed in (("transformer", ""), ("explainer", "ART, ")):
        refused = service(MODEL)
        refused["spec"][name] = {}
        rule = f"exactly one of [{listed}PodSpec, ComponentExtensionSpec] must be specified in {name.capitalize()}Spec"
        assert denial(refused) == rule
        refused["spec"][name] = {"containers": [{"name": "a"}]}
        inference_services.admit(refused, list)


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
        ({"model": {**MODEL["model"], "name": "mine"}}, "the 'name' field is not allowed in standard predictor"),
        ({"workerSpec": {"containers": [{}, {}]}}, f"{INVALID}: setting multiple containers in workerSpec is not allowed"),
        ({"workerSpec": {}}, f"{INVALID}: Multinode only supports 'pvc' and 'oci' Storage Protocol(s3)"),
    ],
)
def test_an_invalid_component_is_denied(predictor: dict[str, Any], said: str) -> None:
    assert denial(service(MODEL | predictor)) == said


def test_a_service_of_a_wrong_name_protocol_or_autoscaler_is_denied() -> None:
    assert 'the InferenceService "1iris" is invalid' in denial(service(MODEL, name="1iris"))
    wrong = denial(service(MODEL, **{"serving.kserve.io/autoscalerClass": "kpa"}))
    assert wrong == "[kpa] is not a supported autoscaler class type"
    inference_services.admit(service(MODEL, **{"serving.kserve.io/autoscalerClass": "none"}), list)
    container = {**CUSTOM["containers"][0], "env": [{"name": "PROTOCOL", "value": "v3"}]}
    assert denial(service({"containers": [container]})) == "invalid protocol v3. Must be one of [v1, v2]"
    transformer = {"name": "transformer-container", "env": [{"name": "STORAGE_URI", "value": "s3://bucket"}]}
    said = denial(service({"containers": [*CUSTOM["containers"], transformer]}))
    assert said == "storage uri should not be specified in transformer container"


@pytest.mark.parametrize("place", ["containers", "initContainers", "model"])
def test_no_container_sets_a_variable_that_would_change_a_servers_code(place: str) -> None:
    container = {"name": "a", "env": [{"name": "PYTHONPATH", "value": "/mine"}]}
    predictor = {"model": {**MODEL["model"], **container}} if place == "model" else MODEL | {place: [container]}
    assert (
        denial(service(predictor)) == f'{INVALID}: setting PYTHONPATH in container "a" is not allowed for security reasons'
    )
    said = denial(runtime("first", containers=[container]))
    assert (
        said
        == 'the ServingRuntime "first" is invalid: setting PYTHONPATH in container "a" is not allowed for security reasons'
    )


@pytest.mark.parametrize(
    ("mode", "scaler", "predictor", "said"),
    [
        ("Standard", "hpa", {"scaleMetric": "rps"}, "[rps] is not a supported metric"),
        ("Standard", "hpa", {"scaleTarget": 101}, "the target utilization percentage should be a [1-100] integer"),
        ("Standard", "hpa", {"scaleMetric": "memory", "scaleTarget": 0}, "the target memory should be greater than 1 MiB"),
        ("Standard", "keda", {"scaleMetric": "cpu"}, "ScaleMetric is not supported for KEDA"),
        ("Standard", "none", {"scaleMetric": "rps", "deploymentStrategy": {"type": "Recreate"}}, ""),
        ("Knative", "hpa", {"scaleMetric": "cpu"}, "[cpu] is not a supported metric"),
    ],
)
def test_the_rules_for_scaling_are_those_of_the_mode_and_its_autoscaler(
    mode: str, scaler: str, predictor: dict[str, Any], said: str
) -> None:
    isvc = service(
        MODEL | predictor, **{"serving.kserve.io/deploymentMode": mode, "serving.kserve.io/autoscalerClass": scaler}
    )
    if said:
        assert denial(isvc) == said
    else:
        inference_services.admit(isvc, list)


@pytest.mark.parametrize(
    ("recorded", "mode", "refused"),
    [
        ("", "Standard", False),
        ("Knative", "Knative", False),
        ("Knative", None, False),
        ("Knative", "Standard", True),
        ("Knative", "ModelMesh", True),
        ("Standard", "Knative", True),
    ],
)
def test_the_deployment_mode_of_a_running_service_cannot_be_changed(recorded: str, mode: str | None, refused: bool) -> None:
    new = service(MODEL, **({"serving.kserve.io/deploymentMode": mode} if mode else {}))
    old = {**service(MODEL), "status": {"deploymentMode": recorded}}
    if not refused:
        inference_services.admit(new, list, old)
        return
    with pytest.raises(ForbiddenError) as raised:
        inference_services.admit(new, list, old)
    said = f"update rejected: deploymentMode cannot be changed from '{recorded}' to '{mode}'"
    assert str(raised.value).endswith(said)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"containers": [{}, {}]}, "setting multiple containers in workerSpec is not allowed"),
        ({"pipelineParallelSize": 0}, "the WorkerSpec.PipelineParallelSize cannot be less than 1(0)"),
        ({"tensorParallelSize": 0}, "the WorkerSpec.TensorParallelSize cannot be less than 1(0)"),
    ],
)
def test_a_runtime_of_several_nodes_has_one_worker_container_and_positive_sizes(spec: dict[str, Any], said: str) -> None:
    assert denial(runtime("first", workerSpec=spec)) == f"the ServingRuntime first is invalid: {said}"


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
