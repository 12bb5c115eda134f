"""The fields of an InferenceService's spec: each is used, echoed, or refused by name, never ignored."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from kserve import V1alpha1ServingRuntimeSpec, V1beta1ModelSpec, V1beta1PredictorSpec
from kubernetes.client import V1Container

from minipdk.services.kserve.errors import (
    NotSupportedError,
    ReconcileError,
    ServiceError,
    ServingRuntimeError,
)
from minipdk.services.kserve.pods import pod_for
from minipdk.services.kserve.predictor import (
    CONTAINER_FIELDS,
    ECHOED,
    MODEL_FIELDS,
    PREDICTOR_FIELDS,
    RUNTIME_ECHOED,
    RUNTIME_FIELDS,
    Template,
    read_predictor,
)
from minipdk.services.kserve.revisions import revision_for
from minipdk.services.kserve.runtimes import manifests
from minipdk.services.kserve.servingruntime import ServingRuntime, choose

BUILT_IN = [ServingRuntime.of(manifest, common=True) for manifest in manifests()]
FRAMEWORKS = ("sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm", "paddle")
"""The older fields, of which the API server makes a model."""
SPEC = {
    "serviceAccountName": "pach",
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "timeout": 60,
    "model": {
        "modelFormat": {"name": "pytorch"},
        "protocolVersion": "v1",
        "storageUri": "s3://bucket/model",
        "args": ["--model-store=/mnt/models"],
        "env": [{"name": "A", "value": "1"}],
        "resources": {"limits": {"cpu": "1"}},
    },
}
CUSTOM = {"name": "kserve-container", "image": "mine:1"}


def service(
    spec: Any, annotations: Mapping[str, str] | None = None, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "churn", "namespace": "models", "uid": "1"}
    metadata |= {"annotations": dict(annotations or {}), "labels": dict(labels or {})}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {"predictor": spec},
    }


def changed(**fields: Any) -> dict[str, Any]:
    """SPEC with other ``fields`` of its model."""
    spec = copy.deepcopy(SPEC)
    spec["model"] |= fields  # type: ignore[operator]
    return spec


def custom(*containers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"containers": [{**CUSTOM, **container} for container in containers], **fields}


def read(isvc: dict[str, Any], *own: dict[str, Any]) -> Template:
    """The template, if the namespace has its ``own`` runtimes, by their specs."""
    local = [ServingRuntime(f"own-{index}", spec, created=str(index)) for index, spec in enumerate(own)]
    return read_predictor(isvc, lambda model, _: choose(model, local, BUILT_IN))


def container(spec: Any, *own: dict[str, Any]) -> dict[str, Any]:
    """The container that serves ``spec``."""
    [only] = read(service(spec), *own).spec["containers"]
    return only  # type: ignore[no-any-return]


def pod(spec: Any, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The spec of the Pod that serves ``spec``."""
    isvc = service(spec, annotations)
    revision = revision_for(isvc, read(isvc), 3)
    revision["metadata"]["uid"] = "2"
    return pod_for(revision, [{"name": "KEY", "value": "secret"}])["spec"]  # type: ignore[no-any-return]


DIFFERENT = [
    changed(storageUri="s3://bucket/other"),
    changed(protocolVersion="v2"),
    changed(args=[]),
    changed(env=[]),
    changed(resources={"limits": {"cpu": "2"}}),
    changed(image="local:1.0"),
    changed(runtimeVersion="0.13.0"),
    SPEC | {"serviceAccountName": "other"},
    SPEC | {"timeout": 61},
    SPEC | {"tolerations": []},
    SPEC | {"annotations": {"a": "b"}},
    SPEC | {"labels": {"a": "b"}},
    SPEC | {"minReplicas": 2},
    SPEC | {"volumes": [{"name": "a", "emptyDir": {}}]},
]


def test_every_field_that_is_used_makes_a_revision_of_its_own() -> None:
    hashes = {read(service(spec)).hash() for spec in [SPEC, *DIFFERENT]}
    assert len(hashes) == len(DIFFERENT) + 1


def test_a_share_of_the_requests_and_empty_fields_that_clients_send_make_none() -> None:
    empty = changed(name="", image=None, volumeMounts=[]) | {"containers": [], "minReplicas": 1, "hostNetwork": False}
    assert read(service(empty)) == read(service(SPEC)) == read(service(SPEC | {"canaryTrafficPercent": 10}))


def test_an_annotation_makes_a_new_revision_but_kubectls_own_does_not() -> None:
    plain = read(service(SPEC)).hash()
    assert read(service(SPEC, {"pach_id": "2"})).hash() != plain
    assert read(service(SPEC, {"kubectl.kubernetes.io/last-applied-configuration": "{}"})).hash() == plain


@pytest.mark.parametrize(
    ("model", "known", "where"),
    [
        (V1beta1PredictorSpec, PREDICTOR_FIELDS | ECHOED | {*FRAMEWORKS}, "spec.predictor"),
        (V1beta1ModelSpec, MODEL_FIELDS, "spec.predictor.model"),
        (V1Container, CONTAINER_FIELDS, "spec.predictor.containers[kserve-container]"),
        (V1alpha1ServingRuntimeSpec, RUNTIME_FIELDS | RUNTIME_ECHOED | {"workerSpec"}, "ServingRuntime own-0: spec"),
    ],
    ids=lambda model: getattr(model, "__name__", ""),
)
def test_every_other_field_of_the_vendors_is_refused_by_name(model: Any, known: frozenset[str], where: str) -> None:
    formats = {"supportedModelFormats": [{"name": "pytorch", "autoSelect": True}], "containers": [CUSTOM]}
    attempts: dict[Any, Callable[[str], tuple[dict[str, Any], Sequence[dict[str, Any]]]]] = {
        V1beta1PredictorSpec: lambda field: (SPEC | {field: 1}, ()),
        V1beta1ModelSpec: lambda field: (changed(**{field: 1}), ()),
        V1Container: lambda field: (custom({field: 1}), ()),
        V1alpha1ServingRuntimeSpec: lambda field: (SPEC, [{**formats, field: 1}]),
    }
    unknown = sorted(set(model.attribute_map.values()) - known)
    assert unknown
    for field in unknown:
        spec, own = attempts[model](field)
        with pytest.raises(NotSupportedError) as raised:
            read(service(spec), *own)
        assert str(raised.value).startswith(f"{where}.{field} is not supported by minipdk")


@pytest.mark.parametrize("component", ["transformer", "explainer"])
def test_other_components_are_refused_by_name(component: str) -> None:
    isvc = service(SPEC)
    isvc["spec"][component] = {"containers": [{"name": "a"}]}
    with pytest.raises(NotSupportedError, match=rf"^spec\.{component} is not supported by minipdk"):
        read(isvc)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (SPEC | {"timeout": 601}, "expected 0 <= 601 <= 600: spec.template.spec.timeoutSeconds"),
        (SPEC | {"containerConcurrency": 1}, "containerConcurrency is not supported by minipdk"),
        (changed(storageUri=""), "a model without a storageUri is not supported by minipdk"),
        (
            changed(storageUri="/mnt/models"),
            "a path in the container, is not supported by minipdk: begin it with one of s3://",
        ),
        (changed(storageUri="ftp://host/model"), r"^StorageURI not supported: storageUri, must be one of: \[gs://, s3://"),
        (changed(storage={"path": "p"}), "^must provide only one of storageUri and storage.path$"),
        (custom({"image": None}), r"missing field\(s\): spec.template.spec.containers\[0\].image$"),
        (changed(storageUri="s3:///model"), "names no bucket"),
        (changed(storageUri="pvc:///model"), "names no persistent volume claim"),
        (changed(storageUri="file://host/model"), "is not of the form file:///"),
        (changed(storageUri="gs://bucket/model"), "storageUri gs:// is not supported by minipdk: use one of s3://"),
        (changed(storageUri="https://a.blob.core.windows.net/b/c"), "storageUri of Azure is not supported by minipdk"),
        (custom({"env": [{"name": "STORAGE_URI", "value": "hf://org/model"}]}), "STORAGE_URI .* hf:// is not supported"),
        (
            custom({"name": "other", "ports": [{"containerPort": 1}]}, {"name": "b"}),
            "cannot find container: kserve-container",
        ),
        (custom({}, {"name": "sidecar"}), "expected exactly one, got neither: .*ports"),
    ],
)
def test_a_wrong_value_is_named(spec: Any, message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        read(service(spec))


def test_kserves_other_deployment_modes_are_refused_by_name() -> None:
    for mode, named in (("Standard", r"Standard \(RawDeployment\)"), ("ModelMesh", "ModelMesh")):
        strategy = SPEC | {"deploymentStrategy": {"type": "Recreate"}}
        with pytest.raises(NotSupportedError, match=f"deploymentMode {named} is not supported by minipdk: leave it out"):
            read(service(strategy, {"serving.kserve.io/deploymentMode": mode}))
    assert read(service(SPEC, {"serving.kserve.io/deploymentMode": "Knative"}))


RUNTIME: dict[str, Any] = {
    "supportedModelFormats": [{"name": "pytorch", "version": "1", "autoSelect": True}],
    "protocolVersions": ["v1"],
    "containers": [{"name": "kserve-container", "image": "mine:1"}],
}


def test_a_runtime_of_the_namespace_goes_before_those_of_the_cluster() -> None:
    assert container(SPEC)["image"] == "pytorch/torchserve-kfs:0.12.0"
    assert container(SPEC, RUNTIME)["image"] == "mine:1"


@pytest.mark.parametrize(
    "other",
    [
        {"disabled": True},
        {"multiModel": True},
        {"workerSpec": {"pipelineParallelSize": 2}},
        {"protocolVersions": ["v2"]},
        {"supportedModelFormats": [{"name": "pytorch"}]},
        {"supportedModelFormats": [{"name": "sklearn", "autoSelect": True}]},
    ],
)
def test_a_runtime_that_does_not_offer_itself_for_the_model_is_not_chosen(other: dict[str, Any]) -> None:
    assert container(SPEC, RUNTIME | other)["image"] == "pytorch/torchserve-kfs:0.12.0"


def test_the_higher_priority_and_then_the_younger_runtime_is_chosen() -> None:
    first, second = ({**RUNTIME, "containers": [{"name": "kserve-container", "image": image}]} for image in ("a:1", "b:1"))
    assert container(SPEC, first, second)["image"] == "b:1"
    preferred = {"supportedModelFormats": [{"name": "pytorch", "autoSelect": True, "priority": 1}]}
    assert container(SPEC, first | preferred, second)["image"] == "a:1"


@pytest.mark.parametrize(
    ("model", "own", "reason", "message"),
    [
        ({"runtime": "nobody"}, {}, "RuntimeNotRecognized", "No ServingRuntimes or ClusterServingRuntimes with the name"),
        ({"runtime": "own-0"}, {"disabled": True}, "RuntimeDisabled", "specified runtime own-0 is disabled"),
        ({"runtime": "own-0", "protocolVersion": "v2"}, {}, "NoSupportingRuntime", "specified protocol version$"),
        ({"runtime": "own-0", "modelFormat": {"name": "onnx"}}, {}, "NoSupportingRuntime", "framework/version$"),
        ({"modelFormat": {"name": "pytorch", "version": "2"}}, {}, "NoSupportingRuntime", "model type: {pytorch 2}$"),
        ({"modelFormat": {"name": "paddle"}}, {}, "NoSupportingRuntime", "model type: {paddle <nil>}$"),
        ({}, {"containers": []}, "InvalidPredictorSpec", "no container configuration found"),
        ({}, {"containers": [{"name": "a", "image": "b"}]}, "InvalidPredictorSpec", "failed to find kserve-container"),
        ({"args": ["{{.Spec}}"]}, {}, "InvalidPredictorSpec", "failed to replace placeholders in serving runtime own-0"),
    ],
)
def test_the_reason_for_which_no_runtime_serves_a_model_is_kserves(
    model: dict[str, Any], own: dict[str, Any], reason: str, message: str
) -> None:
    with pytest.raises(ServiceError, match=message) as raised:
        container(changed(**model), RUNTIME | own)
    assert raised.value.reason == reason
    assert isinstance(raised.value, ServingRuntimeError) == (reason != "InvalidPredictorSpec")


def test_the_models_fields_overlay_the_runtimes_container() -> None:
    below = {
        "name": "kserve-container",
        "image": "registry:5000/mine:1",
        "args": ["--name={{.Name}}", "--place={{ .Namespace }}"],
        "env": [{"name": "A", "value": "0"}, {"name": "B", "value": "{{.Labels.team}}{{.Annotations.none}}"}],
        "ports": [{"containerPort": 9000, "name": "http1"}],
        "resources": {"limits": {"cpu": "2", "memory": "1Gi"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": 9000}, "periodSeconds": 5},
    }
    spec = changed(
        runtimeVersion="2", ports=[{"containerPort": 9001, "name": "h2c"}], readinessProbe={"tcpSocket": {"port": 9001}}
    )
    isvc = service(spec, labels={"team": "blue"})
    [merged] = read(isvc, {**RUNTIME, "containers": [below]}).spec["containers"]
    assert merged["image"] == "registry:5000/mine:2"
    assert merged["args"] == ["--name=churn", "--place=models", "--model-store=/mnt/models"]
    variables = {variable["name"]: variable["value"] for variable in merged["env"]}
    assert variables == {"A": "1", "B": "blue", "INFERENCE_SERVICE_NAME": "churn"}
    assert {port["containerPort"] for port in merged["ports"]} == {9000, 9001}
    assert merged["resources"] == {"limits": {"cpu": "1", "memory": "1Gi"}}
    assert merged["readinessProbe"] == {"tcpSocket": {"port": 9001}, "periodSeconds": 5}


def test_a_port_of_the_models_replaces_the_runtimes_port_of_that_name() -> None:
    ports = container(changed(ports=[{"containerPort": 7070, "name": "h2c", "protocol": "TCP"}]))["ports"]
    assert {port["name"]: port["containerPort"] for port in ports} == {"h2c": 7070, "http1": 8080}


def test_a_container_is_what_kserves_webhooks_and_its_runtime_make_it() -> None:
    spec = changed(modelFormat={"name": "sklearn"}, args=[], env=[], resources={})
    template = read(service(spec))
    [main] = template.spec["containers"]
    assert main["args"] == ["--model_name=churn", "--model_dir=/mnt/models", "--http_port=8080"]
    assert main["env"] == [{"name": "INFERENCE_SERVICE_NAME", "value": "churn"}]
    assert main["resources"] == {kind: {"cpu": "1", "memory": "2Gi"} for kind in ("requests", "limits")}
    assert template.annotations == {
        "autoscaling.knative.dev/class": "kpa.autoscaling.knative.dev",
        "autoscaling.knative.dev/min-scale": "1",
        "internal.serving.kserve.io/storage-initializer-sourceuri": "s3://bucket/model",
        "prometheus.kserve.io/path": "/metrics",
        "prometheus.kserve.io/port": "8080",
    }


def test_the_autoscalers_fields_are_noted_for_knative() -> None:
    scaled = SPEC | {"minReplicas": 2, "maxReplicas": 4, "scaleTarget": 10, "scaleMetric": "rps"}
    noted = read(service(scaled, {"autoscaling.knative.dev/class": "mine"})).annotations
    scaling = {name.partition("/")[2]: value for name, value in noted.items() if name.startswith("autoscaling")}
    assert scaling == {"class": "mine", "min-scale": "2", "max-scale": "4", "target": "10", "metric": "rps"}


def test_a_probe_without_a_port_asks_the_containers() -> None:
    probes: dict[str, dict[str, Any]] = {
        "readinessProbe": {"httpGet": {"port": 0}},
        "livenessProbe": {"tcpSocket": {}},
        "startupProbe": {"grpc": {}},
    }
    for ports, expected in (([], 8080), ([{"containerPort": 9000}], 9000)):
        main = container(custom({**probes, "ports": ports}))
        assert [main[name][handler]["port"] for name, probe in probes.items() for handler in probe] == [expected] * 3
    assert container(custom({"readinessProbe": {"periodSeconds": 1}}))["readinessProbe"]["tcpSocket"] == {"port": 8080}
    model = container(changed(readinessProbe={"httpGet": {"path": "/v1/models/churn", "port": 0}}))
    assert model["readinessProbe"]["httpGet"] == {"path": "/v1/models/churn", "port": 8080}


def test_long_names_are_shortened_as_knative_does() -> None:
    isvc = service(SPEC)
    isvc["metadata"]["name"] = "m" * 50
    revision = revision_for(isvc, read(isvc), 3)
    revision["metadata"]["uid"] = "2"
    assert revision["metadata"]["name"] == "m" * 25 + "2ef69cbbc7e896cbe13495dd26fccaf7-00003"  # md5 of the Service's name
    made = pod_for(revision, [])["metadata"]
    assert len(made["name"]) == 63
    assert all(len(value) <= 63 for value in made["labels"].values())
    isvc["metadata"]["name"] = "m" * 54
    with pytest.raises(ReconcileError, match=r"not a DNS 1035 label: \[must be no more than 63 characters\]"):
        read(isvc)


def test_minipdks_own_programs_alone_share_the_loopback() -> None:
    assert pod(SPEC)["hostNetwork"] is True
    for other in (changed(command=["python"]), changed(args=["--http_port=9"]), changed(image="mine:1"), custom({})):
        assert "hostNetwork" not in pod(other)


def test_a_custom_container_gets_knatives_port_and_probe_unless_it_has_its_own() -> None:
    plain = container(custom({}))
    assert plain["ports"] == [{"name": "user-port", "containerPort": 8080, "protocol": "TCP"}]
    assert plain["readinessProbe"]["tcpSocket"] == {"port": 8080}
    ports = [{"name": "h2c", "containerPort": 9000}]
    own = container(custom({"ports": ports, "readinessProbe": {"exec": {"command": ["true"]}}}))
    assert (own["ports"], own["readinessProbe"]) == (ports, {"exec": {"command": ["true"]}})


def test_a_custom_containers_storage_uri_is_fetched_for_it() -> None:
    spec = pod(custom({"env": [{"name": "STORAGE_URI", "value": "s3://bucket/model"}]}))
    [initializer], [main] = spec["initContainers"], spec["containers"]
    assert initializer["args"] == ["s3://bucket/model", "/mnt/models"]
    assert initializer["env"][0] == {"name": "KEY", "value": "secret"}
    assert initializer["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}
    assert {"name": "STORAGE_URI", "value": "/mnt/models"} in main["env"]
    assert main["volumeMounts"] == [{"name": "kserve-provision-location", "mountPath": "/mnt/models", "readOnly": True}]
    assert "initContainers" not in pod(custom({}))


def test_a_model_on_a_persistent_volume_is_mounted() -> None:
    spec = pod(changed(storageUri="pvc://claim/models/churn/"))
    assert "initContainers" not in spec
    assert spec["volumes"] == [{"name": "kserve-pvc-source", "persistentVolumeClaim": {"claimName": "claim"}}]
    mount = {"name": "kserve-pvc-source", "mountPath": "/mnt/models", "readOnly": True, "subPath": "models/churn"}
    assert spec["containers"][0]["volumeMounts"] == [mount]
    writable = pod(changed(storageUri="pvc://claim"), {"storage.kserve.io/readonly": "false"})
    assert writable["containers"][0]["volumeMounts"] == [
        {"name": "kserve-pvc-source", "mountPath": "/mnt/models", "readOnly": False}
    ]


def test_a_transformer_beside_a_model_takes_the_requests_instead_of_it() -> None:
    transformer = {"name": "transformer-container", "image": "mine:1", "ports": [{"containerPort": 8090}]}
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/iris"}
    spec = {"model": model, "containers": [transformer]}
    containers = {container["name"]: container for container in read(service(spec)).spec["containers"]}
    assert "ports" not in containers["kserve-container"]
    assert containers["transformer-container"]["ports"] == [{"containerPort": 8090}]


def test_a_sidecar_runs_beside_the_container_that_has_the_ports() -> None:
    spec = pod(custom({"ports": [{"containerPort": 9000}]}, {"name": "sidecar"}))
    main, sidecar = spec["containers"]
    assert [main["name"], sidecar["name"]] == ["kserve-container", "sidecar"]
    assert [main.get("readinessProbe") is None, sidecar.get("readinessProbe") is None] == [False, True]


def test_a_containers_variables_name_its_revision() -> None:
    [main] = pod(custom({"env": [{"name": "PORT", "value": "1"}]}))["containers"]
    env = {variable["name"]: variable["value"] for variable in main["env"]}
    assert env == {
        "PORT": "1",
        "K_REVISION": "churn-predictor-00003",
        "K_CONFIGURATION": "churn-predictor",
        "K_SERVICE": "churn-predictor",
        "INFERENCE_SERVICE_NAME": "churn",
    }


find = partial(choose, local=[], common=BUILT_IN)


@pytest.mark.parametrize("runtime", BUILT_IN, ids=lambda runtime: runtime.name)
def test_each_runtime_of_the_cluster_is_found_by_its_format(runtime: ServingRuntime) -> None:
    for model_format in runtime.spec["supportedModelFormats"]:
        for protocol in runtime.protocols:
            assert find({"modelFormat": {"name": model_format["name"]}, "protocolVersion": protocol}) == runtime
