"""Refusals of docs/kubernetes.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.repository.refusals.cluster import Answer, Check, Cluster, in_models

DEPLOYMENTS = in_models("deployments", "/apis/apps/v1")
POD = {"metadata": {"name": "refused"}, "spec": {"containers": [{"name": "main", "image": "absent:1"}]}}
DEPLOYMENT = {
    "metadata": {"name": "refused"},
    "spec": {
        "selector": {"matchLabels": {"app": "refused"}},
        "template": {**POD, "metadata": {"labels": {"app": "refused"}}},
    },
}
CLAIM_FIELDS: dict[str, Any] = {
    "storageClassName": "fast",
    "volumeMode": "Block",
    "volumeName": "other",
    "selector": {"matchLabels": {"a": "b"}},
    "dataSource": {"kind": "PersistentVolumeClaim", "name": "other"},
}
GROUPS = {"jobs": "batch", "statefulsets": "apps", "daemonsets": "apps", "ingresses": "networking.k8s.io"}


def _subresources(cluster: Cluster, path: str, names: list[str]) -> Iterator[Answer]:
    for name in names:
        for method in ("GET", "POST", "PUT"):
            yield f"{method} {name}", cluster.kubernetes.status(method, f"{path}/{name}", None if method == "GET" else {})


def of_a_pod(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    cluster.kubernetes.create(in_models("pods"), POD)
    yield from _subresources(cluster, in_models("pods/refused"), names)
    cluster.kubernetes("DELETE", in_models("pods/refused"), {"gracePeriodSeconds": 0})


def of_a_deployment(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    cluster.kubernetes.create(DEPLOYMENTS, DEPLOYMENT)
    yield from _subresources(cluster, f"{DEPLOYMENTS}/refused", names)


def of_a_namespace(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    yield from _subresources(cluster, in_models("")[:-1], names)


def of_node_and_service(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    yield from _subresources(cluster, "/api/v1/nodes/minipdk", names)
    yield from _subresources(cluster, in_models("services/refused"), names)


def impersonation(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    for header in ("Impersonate-User", "Impersonate-Group"):
        yield header, cluster.kubernetes.status("GET", in_models("pods"), **{header: "somebody"})


def other_protobuf(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    kind = b"\x0a\x0d\x0a\x02v1\x12\x07Binding"  # an Unknown whose typeMeta is v1, Binding
    protobuf = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    yield "Binding", cluster.kubernetes.status("POST", in_models("pods"), b"k8s\x00" + kind, **protobuf)


def made_by_the_cluster(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    paths = {
        "persistentvolumes": "/api/v1/persistentvolumes",
        "customresourcedefinitions": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    }
    for name in names:
        assert cluster.kubernetes.status("GET", paths[name]) == "200"
        yield name, cluster.kubernetes.status("POST", paths[name], {"metadata": {"name": "refused"}, "spec": {}})


def _service(cluster: Cluster, **spec: Any) -> str:
    body = {"metadata": {"name": "refused"}, "spec": {"ports": [{"port": 80}], **spec}}
    return cluster.kubernetes.status("POST", in_models("services"), body)


def service_types(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    yield from ((name, _service(cluster, type=name)) for name in names)


def virtual_addresses(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    yield from ((name, _service(cluster, **{name: "10.0.0.1"})) for name in names)


def secret_types(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    for name in names:
        yield name, cluster.kubernetes.status("POST", in_models("secrets"), {"metadata": {"name": "refused"}, "type": name})


def claims(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    required = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    for name in names:
        body = {"metadata": {"name": "refused"}, "spec": {**required, name: CLAIM_FIELDS[name]}}
        yield name, cluster.kubernetes.status("POST", in_models("persistentvolumeclaims"), body)


def node_fields(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    values = {"unschedulable": True, "taints": [{"key": "a", "effect": "NoSchedule"}]}
    patch = {"Content-Type": "application/merge-patch+json"}
    for name in names:
        body = {"spec": {name: values[name]}}
        yield name, cluster.kubernetes.status("PATCH", "/api/v1/nodes/minipdk", body, **patch)


def other_kinds(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    for name in names:
        yield name, cluster.kubernetes.status("GET", in_models(name, f"/apis/{GROUPS[name]}/v1"))


CHECKS: dict[str, Check] = {
    "the subresources * of a pod": of_a_pod,
    "* of a Deployment": of_a_deployment,
    "* of a namespace": of_a_namespace,
    "* of a node or service": of_node_and_service,
    "impersonation": impersonation,
    "another kind in a protobuf body": other_protobuf,
    "creating a * object": made_by_the_cluster,
    "a Service of the type *": service_types,
    "a Service with a virtual address (*)": virtual_addresses,
    "a secret of the type *": secret_types,
    "a persistent volume claim with another *, a * of Block, a *, a * or a *": claims,
    "* of the node (*)": lambda cluster, names: node_fields(cluster, names[:2]),
    "kinds that are not served, such as *": other_kinds,
}
