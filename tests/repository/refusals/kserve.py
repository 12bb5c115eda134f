"""Refusals of docs/kserve.md: an InferenceService for each feature, and the reason in its status."""

from __future__ import annotations

from typing import Any

from tests.repository.refusals.cluster import Answer, Check, Cluster, answers_of, in_models

API = "serving.kserve.io/v1beta1"
PATH = in_models("inferenceservices", f"/apis/{API}")
MODEL: dict[str, Any] = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://bucket/model"}
COMPONENT = {"containers": [{"name": "kserve-container", "image": "absent:1"}]}
PREDICTOR_FIELDS: dict[str, Any] = {
    "containerConcurrency": 1,
    "batcher": {"maxBatchSize": 1},
    "logger": {"mode": "all", "url": "http://192.0.2.1"},
    "workerSpec": {"size": 2, "containers": [{"name": "worker-container", "image": "absent:1"}]},
    "initContainers": [{"name": "a", "image": "absent:1"}],
    "nodeSelector": {"a": "b"},
    "affinity": {"podAffinity": {}},
    "hostNetwork": True,
}


def _service(predictor: dict[str, Any], annotations: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {"annotations": annotations or {}}
    return {"apiVersion": API, "kind": "InferenceService", "metadata": metadata, "spec": {"predictor": predictor}}


def _of_model(**fields: Any) -> dict[str, Any]:
    return _service({"model": {**MODEL, **fields}})


def _refused(cluster: Cluster, bodies: dict[str, Any]) -> list[Answer]:
    def reason(service: Any) -> str:
        failure = service.get("status", {}).get("modelStatus", {}).get("lastFailureInfo", {})
        return str(failure.get("reason", ""))

    return answers_of(cluster, PATH, bodies, reason)


def components(cluster: Cluster, names: list[str]) -> list[Answer]:
    service = _service({"model": MODEL})
    return _refused(cluster, {name: {**service, "spec": {**service["spec"], name: COMPONENT}} for name in names})


def modes(cluster: Cluster, names: list[str]) -> list[Answer]:
    annotation = "serving.kserve.io/deploymentMode"
    return _refused(cluster, {name: _service({"model": MODEL}, {annotation: name}) for name in names})


def schemes(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _refused(cluster, {name: _of_model(storageUri=f"{name}bucket/model") for name in names})


def azure(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _refused(cluster, {name: _of_model(storageUri=f"{name.replace('*', 'account')}/a/b") for name in names})


def storage(cluster: Cluster, names: list[str]) -> list[Answer]:
    model = {"modelFormat": MODEL["modelFormat"]}
    return _refused(cluster, {name: _service({"model": {**model, name: {"path": "a", "key": "b"}}}) for name in names})


def predictor_fields(cluster: Cluster, names: list[str]) -> list[Answer]:
    # KServe's webhook takes several nodes only with a model on a claim and without an autoscaler.
    model, annotations = {**MODEL, "storageUri": "pvc://claim/model"}, {"serving.kserve.io/autoscalerClass": "none"}
    bodies = {name: _service({"model": model, name: PREDICTOR_FIELDS[name]}, annotations) for name in names}
    return _refused(cluster, bodies)


def container_fields(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _refused(cluster, {name: _of_model(**{name: {"preStop": {"exec": {"command": ["a"]}}}}) for name in names})


def formats(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _refused(cluster, {name: _of_model(modelFormat={"name": name}) for name in names})


CHECKS: dict[str, Check] = {
    "the components *": components,
    "the deployment modes *": modes,
    "storage at *": schemes,
    "storage at Azure (*)": azure,
    "* with a path and a key": storage,
    "the predictor's fields *": predictor_fields,
    "fields of a pod that Knative refuses too, such as *": predictor_fields,
    "* of a container": container_fields,
    "a format that no runtime serves, such as *": formats,
}
