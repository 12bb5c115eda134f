"""The changes that KServe's webhook makes to an InferenceService, as the vendor's clients see them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.minipdk.services.kubernetes.conftest import Http, Kubectl, inference_service

from minipdk.services.kubernetes.kinds.custom.inference_service_defaults import FRAMEWORKS, defaulted

ISVCS = "/apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices"
DEFAULTS = {"cpu": "1", "memory": "2Gi"}


def created(http: Http, name: str, **predictor: Any) -> dict[str, Any]:
    """The predictor that the API server stores."""
    code, stored = http("POST", f"{ISVCS}?fieldValidation=Strict", json.dumps(inference_service(name, **predictor)))
    assert code == 201, stored
    return stored["spec"]["predictor"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_frameworks_field_is_stored_as_a_model(http: Http, framework: str) -> None:
    stored = created(http, f"old-{framework}", **{framework: {"storageUri": "s3://bucket/model"}})
    model = {"modelFormat": {"name": framework}, "name": "", "resources": {}, "storageUri": "s3://bucket/model"}
    protocol = {"protocolVersion": "v2"} if framework in ("triton", "onnx", "huggingface") else {}
    assert stored == {"model": model | protocol}
    assert http("GET", f"{ISVCS}/old-{framework}")[1]["metadata"]["annotations"] == {"modelFormat": framework}


def test_a_frameworks_field_replaces_the_model_however_it_is_written(http: Http, kubectl: Kubectl) -> None:
    created(http, "renamed", model={"modelFormat": {"name": "onnx"}, "storageUri": "s3://bucket/one"})

    def stored() -> tuple[list[str], str, str]:
        predictor = http("GET", f"{ISVCS}/renamed")[1]["spec"]["predictor"]
        return list(predictor), predictor["model"]["modelFormat"]["name"], predictor["model"]["storageUri"]

    patch = {"spec": {"predictor": {"sklearn": {"storageUri": "s3://bucket/two"}}}}
    assert http.patch(f"{ISVCS}/renamed", patch)[0] == 200
    assert stored() == (["model"], "sklearn", "s3://bucket/two")
    kubectl("apply", "-f", "-", stdin=inference_service("renamed", pytorch={"storageUri": "s3://bucket/three"}))
    assert stored() == (["model"], "pytorch", "s3://bucket/three")
    applied = inference_service("renamed", xgboost={"storageUri": "s3://bucket/four"})
    assert http.apply(f"{ISVCS}/renamed?force=true", applied)[0] == 200
    assert stored() == (["model"], "xgboost", "s3://bucket/four")
    assert (
        http.apply(f"{ISVCS}/first-applied", inference_service("first-applied", sklearn={"storageUri": "s3://bucket/one"}))[
            0
        ]
        == 201
    )
    assert list(http("GET", f"{ISVCS}/first-applied")[1]["spec"]["predictor"]) == ["model"]


def test_applying_the_same_manifest_again_changes_nothing(http: Http, kubectl: Kubectl) -> None:
    manifest = inference_service("same-again", pytorch={"storageUri": "s3://bucket/model"})
    kubectl("apply", "-f", "-", stdin=manifest)
    before = http("GET", f"{ISVCS}/same-again")[1]
    kubectl("apply", "-f", "-", stdin=manifest)
    assert http("GET", f"{ISVCS}/same-again")[1] == before


def test_a_custom_container_gets_its_name_and_what_it_may_use(http: Http) -> None:
    for number, container in enumerate(({"image": "a:1"}, {"image": "a:1", "name": "mine"}, {"name": "mine"})):
        [stored] = created(http, f"custom-{number}", containers=[container])["containers"]
        assert stored == {**container, "name": "kserve-container", "resources": {"requests": DEFAULTS, "limits": DEFAULTS}}
    first = {"name": "kserve-container", "image": "a:1", "resources": {"limits": {"memory": "1Gi"}}}
    main, side = created(http, "custom-side", containers=[first, {"name": "side", "image": "b:1"}])["containers"]
    assert main["resources"] == {"requests": DEFAULTS, "limits": DEFAULTS | {"memory": "1Gi"}}
    assert side == {"name": "side", "image": "b:1", "resources": {}}


def test_a_model_without_a_format_or_with_an_empty_name_is_taken(http: Http) -> None:
    for number, model in enumerate(({}, {"modelFormat": {"name": ""}})):
        stored = created(http, f"formless-{number}", model={**model, "storageUri": "s3://bucket/model"})
        assert stored["model"]["modelFormat"] == {"name": ""}
    body = json.dumps(inference_service("formless", model={"modelFormat": {}}))
    code, status = http("POST", ISVCS, body)
    assert (code, "spec.predictor.model.modelFormat.name: Required value" in status["message"]) == (422, True)


@pytest.mark.parametrize("handler", ["httpGet", "tcpSocket", "grpc"])
@pytest.mark.parametrize("place", ["sklearn", "model", "containers"])
def test_a_probe_needs_no_port(http: Http, handler: str, place: str) -> None:
    probes: dict[str, Any] = {name: {handler: {}} for name in ("readinessProbe", "livenessProbe", "startupProbe")}
    name = f"probed-{handler.lower()}-{place}"
    predictor: dict[str, Any] = {place: [{"image": "a:1", **probes}] if place == "containers" else probes}
    stored = created(http, name, **predictor)
    container = stored["containers"][0] if place == "containers" else stored["model"]
    assert {container[probe][handler]["port"] for probe in probes} == {0}
    assert http.apply(f"{ISVCS}/{name}-applied", inference_service(f"{name}-applied", **predictor))[0] == 201


def test_fields_that_kserve_has_added_since_the_client_are_known(http: Http) -> None:
    model = {"modelFormat": {"name": "sklearn"}}
    places = [{"uri": "s3://bucket/one", "mountPath": "/mnt/models/one"}]
    added = {"autoScaling": {"metrics": []}, "storageUris": places, "storageContainerName": "default"}
    stored = created(http, "newer-fields", model=model, **added)
    assert {name: stored[name] for name in added} == added
    body = inference_service("newer-canary", model=model)
    body["spec"]["canary"] = [{"trafficPercent": 10, "predictor": {"name": "next", "model": model}}]
    code, status = http("POST", f"{ISVCS}?fieldValidation=Strict", json.dumps(body))
    assert (code, "canary is only supported in Standard deployment mode" in status["message"]) == (403, True)


def test_a_mistake_is_reported_at_the_place_where_it_was_made(http: Http) -> None:
    unknown = json.dumps(inference_service("mistaken", sklearn={"modelFormat": {"name": "onnx"}}))
    code, status = http("POST", f"{ISVCS}?fieldValidation=Strict", unknown)
    assert (code, 'unknown field "spec.predictor.sklearn.modelFormat"' in status["message"]) == (400, True)
    code, status = http("POST", ISVCS, json.dumps(inference_service("mistaken", sklearn={"storageUri": 1})))
    assert (code, status["details"]["causes"][0]["field"]) == (422, "spec.predictor.sklearn.storageUri")


def test_former_names_of_deployment_modes_are_replaced() -> None:
    for former, mode in (("RawDeployment", "Standard"), ("Serverless", "Knative"), ("ModelMesh", "ModelMesh")):
        isvc = inference_service("modes", sklearn={})
        isvc["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": former}
        changed = defaulted(isvc)
        assert changed["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == mode
        assert ("sklearn" in changed["spec"]["predictor"]) == (mode == "ModelMesh")


@pytest.mark.parametrize("spec", [None, [], {"predictor": None}, {"predictor": [1]}, {"predictor": {"model": 1}}])
def test_values_of_a_wrong_type_are_left_for_the_checks(spec: Any) -> None:
    assert defaulted({"metadata": {"annotations": 1}, "spec": spec})["spec"] == spec
    for wrong in ({"containers": 1}, {"containers": [1]}, {"containers": [{"resources": 1}]}, {"sklearn": 1}):
        defaulted({"metadata": {}, "spec": {"predictor": wrong}})
