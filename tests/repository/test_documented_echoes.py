"""The tables of echoed fields in docs/ are true: a running cluster accepts each field, returns it, and refuses nothing."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

import pytest
import yaml
from pachyderm_sdk.api import pfs, pps
from tests.conftest import wait_for
from tests.repository.refusals.cluster import Cluster, in_models
from tests.repository.refusals.determined import CONFIG
from tests.repository.refusals.tables import echoed

KSERVE = "serving.kserve.io"
SETTINGS: dict[str, Any] = {
    "checkpoint_storage.propagation": "rshared",
    "integrations.pachyderm": {
        "dataset": {"project": "p", "repo": "a", "branch": "b", "commit": "c", "token": "t"},
        "pachd": {"host": "h", "port": 1},
        "proxy": {"scheme": "s", "host": "h", "port": 2},
    },
    "optimizations.auto_tune_tensor_fusion": True,
    "optimizations.grad_updates_size_file": "sizes",
    "optimizations.mixed_precision": "O1",
    "optimizations.tensor_fusion_cycle_time": 2,
    "optimizations.tensor_fusion_threshold": 32,
    "resources.agent_label": "a",
    "resources.is_single_node": True,
    "resources.native_parallel": True,
    "resources.shm_size": 2**32,
    "resources.weight": 2,
    "data_layer": {"type": "shared_fs"},
}
PREDICTOR: dict[str, Any] = {"maxReplicas": 3, "scaleMetric": "concurrency", "scaleTarget": 5}
RUNTIME: dict[str, Any] = {
    "builtInAdapter": {"serverType": "triton"},
    "grpcDataEndpoint": "port:8085",
    "grpcEndpoint": "port:8086",
    "httpDataEndpoint": "http://127.0.0.1:8087",
    "replicas": 2,
    "storageHelper": {"disabled": True},
}
REQUIREMENT = {"key": "a", "operator": "Exists"}
TERMS = {"nodeSelectorTerms": [{"matchExpressions": [REQUIREMENT]}]}
POD: dict[str, Any] = {
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": TERMS}},
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    "tolerations": [REQUIREMENT],
    "priorityClassName": "system-node-critical",
    "priority": 7,
    "preemptionPolicy": "Never",
    "schedulerName": "other",
    "imagePullSecrets": [{"name": "absent"}],
    "dnsPolicy": "Default",
    "enableServiceLinks": False,
    "automountServiceAccountToken": False,
}
POD_SECURITY: dict[str, Any] = {
    "fsGroup": 1000,
    "fsGroupChangePolicy": "Always",
    "supplementalGroups": [1000],
    "supplementalGroupsPolicy": "Merge",
}
CONTAINER: dict[str, Any] = {
    "imagePullPolicy": "Always",
    "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
    "terminationMessagePolicy": "FallbackToLogsOnError",
    "resources.requests.cpu": "900",
}
CONTAINER_SECURITY: dict[str, Any] = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities.drop": ["ALL"],
    "seccompProfile": {"type": "RuntimeDefault"},
    "seLinuxOptions": {"level": "s0"},
    "appArmorProfile": {"type": "RuntimeDefault"},
}
VOLUME: dict[str, Any] = {"emptyDir.medium": "Memory", "emptyDir.sizeLimit": "1Mi"}


def at(value: Any, path: str) -> Any:
    """The value at a path with dots, through mappings and objects."""
    for name in path.split("."):
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    return value


def nested(fields: dict[str, Any], base: dict[str, Any] | None = None) -> dict[str, Any]:
    """A copy of ``base`` with a value at each path."""
    result: dict[str, Any] = yaml.safe_load(yaml.safe_dump(base or {}))
    for path, value in fields.items():
        *parents, name = path.split(".")
        inner = result
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[name] = value
    return result


def custom(version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A custom object of KServe's."""
    return {"apiVersion": f"{KSERVE}/{version}", "kind": kind, "metadata": {"name": "echoed"}, "spec": spec}


def unequal(fields: dict[str, Any], returned: Any) -> dict[str, Any]:
    return {path: at(returned, path) for path, value in fields.items() if at(returned, path) != value}


def test_pipelines_echo_their_fields(cluster: Cluster) -> None:
    repo = pfs.Repo.from_uri(f"default/{uuid.uuid4().hex}")
    cluster.pachyderm.pfs.create_repo(repo=repo)
    resources = pps.ResourceSpec(cpu=1, memory="1Gi", disk="1Gi")
    request = pps.CreatePipelineRequest(
        pipeline=pps.Pipeline(project=repo.project, name="echoed"),
        transform=pps.Transform(cmd=["true"], debug=True, image_pull_secrets=["a"], memory_volume=True),
        input=pps.Input(pfs=pps.PfsInput(repo=repo.name, glob="/", lazy=True)),
        autoscaling=True,
        determined=pps.Determined(workspaces=["a"]),
        metadata=pps.Metadata(annotations={"a": "b"}),
        resource_limits=resources,
        resource_requests=resources,
        sidecar_resource_limits=resources,
        sidecar_resource_requests=resources,
        scheduling_spec=pps.SchedulingSpec(node_selector={"a": "b"}),
        tolerations=[pps.Toleration(key="a")],
    )
    cluster.pachyderm.pps.create_pipeline_v2(create_pipeline_request_json=request.to_json())
    details = cluster.pachyderm.pps.inspect_pipeline(pipeline=request.pipeline, details=True).details
    fields = [name.partition(", ")[0] for name in echoed("pachyderm")]
    assert fields
    assert [field for field in fields if not at(request, field) or at(details, field) != at(request, field)] == []


def test_experiments_echo_their_settings(cluster: Cluster) -> None:
    assert set(SETTINGS) == set(echoed("determined"))
    config = yaml.safe_dump(nested(SETTINGS, {**CONFIG, "checkpoint_storage": {"type": "shared_fs"}}))
    body = {"config": config, "modelDefinition": [], "activate": False}
    returned = cluster.determined.create("/api/v1/experiments", body)["config"]
    assert at(returned, "integrations.pachyderm.dataset.repo") == "a"
    assert unequal({path: value for path, value in SETTINGS.items() if path != "integrations.pachyderm"}, returned) == {}


def test_inference_services_and_runtimes_echo_their_fields(cluster: Cluster) -> None:
    assert {*PREDICTOR, *RUNTIME} == set(echoed("kserve"))
    runtimes = in_models("servingruntimes", f"/apis/{KSERVE}/v1alpha1")
    container = {"name": "kserve-container", "image": "absent:1"}
    runtime = {"supportedModelFormats": [{"name": "echoed", "version": "1", "autoSelect": True}], "containers": [container]}
    cluster.kubernetes.create(runtimes, custom("v1alpha1", "ServingRuntime", {**runtime, **RUNTIME}))
    assert unequal(RUNTIME, cluster.kubernetes.get(f"{runtimes}/echoed")["spec"]) == {}
    services = in_models("inferenceservices", f"/apis/{KSERVE}/v1beta1")
    predictor = {"model": {"modelFormat": {"name": "echoed"}}, **PREDICTOR}
    cluster.kubernetes.create(services, custom("v1beta1", "InferenceService", {"predictor": predictor}))
    assert unequal(PREDICTOR, cluster.kubernetes.get(f"{services}/echoed")["spec"]["predictor"]) == {}

    def revision() -> Any:
        return cluster.kubernetes.get(f"{services}/echoed").get("status", {}).get("components", {}).get("predictor")

    try:
        wait_for(revision, what="a revision of the predictor: nothing is refused")
    finally:
        cluster.kubernetes("DELETE", f"{services}/echoed")


def test_pods_echo_their_fields(cluster: Cluster) -> None:
    """A pod with all of them runs to its end."""
    assert {*POD, *POD_SECURITY, *CONTAINER, *CONTAINER_SECURITY, *VOLUME} == set(echoed("node"))
    main = {
        "name": "main",
        "image": "busybox:1",
        "command": ["true"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    container = nested({**CONTAINER, "securityContext": nested({**CONTAINER_SECURITY, "runAsUser": 1000})}, main)
    spec = {
        **POD,
        "restartPolicy": "Never",
        "securityContext": POD_SECURITY,
        "containers": [container],
        "volumes": [nested(VOLUME, {"name": "data"})],
    }
    cluster.kubernetes.create(in_models("pods"), {"metadata": {"name": "echoed"}, "spec": spec})
    path = in_models("pods/echoed")

    def phase(expected: str) -> bool:
        return bool(cluster.kubernetes.get(path)["status"].get("phase") == expected)

    wait_for(partial(phase, "Succeeded"), what="the pod to succeed")
    returned = cluster.kubernetes.get(path)["spec"]
    assert unequal(POD, {**returned, "priority": returned["priority"]}) == {}
    assert unequal(POD_SECURITY, returned["securityContext"]) == {}
    assert unequal(CONTAINER, returned["containers"][0]) == {}
    assert unequal(CONTAINER_SECURITY, returned["containers"][0]["securityContext"]) == {}
    assert unequal(VOLUME, next(volume for volume in returned["volumes"] if volume["name"] == "data")) == {}


def test_claims_and_deletes_echo_their_fields(cluster: Cluster) -> None:
    fields = {"resources.requests.storage": "900Ti", "accessModes": ["ReadWriteMany"]}
    assert {*fields, "gracePeriodSeconds"} == set(echoed("kubernetes"))
    path = in_models("persistentvolumeclaims")
    cluster.kubernetes.create(path, {"metadata": {"name": "echoed"}, "spec": nested(fields)})
    assert unequal(fields, cluster.kubernetes.get(f"{path}/echoed")["spec"]) == {}
    maps = in_models("configmaps")
    cluster.kubernetes.create(maps, {"metadata": {"name": "echoed"}})
    assert cluster.kubernetes.status("DELETE", f"{maps}/echoed", {"gracePeriodSeconds": 600}) == "200"
    assert cluster.kubernetes.status("GET", f"{maps}/echoed") == "404"


@pytest.mark.parametrize("page", ["ingress"])
def test_a_page_without_echoed_fields_says_so(page: str) -> None:
    assert echoed(page) == []
