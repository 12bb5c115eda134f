"""Refusals of docs/seldon.md: a SeldonDeployment for each feature, and its state."""

from __future__ import annotations

from typing import Any

from tests.repository.refusals.cluster import Answer, Check, Cluster, answers_of, in_models

API = "machinelearning.seldon.io/v1"
PATH = in_models("seldondeployments", f"/apis/{API}")
CONTAINER: dict[str, Any] = {"name": "model", "image": "absent:1"}
GRAPH: dict[str, Any] = {"name": "model", "type": "MODEL"}
GRAPH_FIELDS: dict[str, Any] = {
    "modelUri": "gs://a/b",
    "methods": ["TRANSFORM_INPUT"],
    "logger": {"mode": "all"},
    "serviceAccountName": "a",
    "envSecretRefName": "a",
    "storageInitializerImage": "a:1",
}
PREDICTOR_FIELDS: dict[str, Any] = {
    "explainer": {"type": "AnchorTabular"},
    "ssl": {"certSecretName": "a"},
    "svcOrchSpec": {"env": [{"name": "A", "value": "b"}]},
}
COMPONENT_FIELDS: dict[str, Any] = {
    "hpaSpec": {"maxReplicas": 2},
    "kedaSpec": {"maxReplicaCount": 2},
    "pdbSpec": {"minAvailable": 1},
}
KAFKA = {"env": [{"name": f"KAFKA_{name}", "value": "a"} for name in ("BROKER", "INPUT_TOPIC", "OUTPUT_TOPIC")]}


def _predictor(**fields: Any) -> dict[str, Any]:
    return {"name": "main", "graph": GRAPH, "componentSpecs": [{"spec": {"containers": [CONTAINER]}}], **fields}


def _of(*predictors: dict[str, Any], **spec: Any) -> dict[str, Any]:
    spec = {"predictors": list(predictors) or [_predictor()], **spec}
    return {"apiVersion": API, "kind": "SeldonDeployment", "metadata": {}, "spec": spec}


def _refused(cluster: Cluster, bodies: dict[str, Any]) -> list[Answer]:
    """The state of each SeldonDeployment, once it has one whose description names the feature."""

    def state(sdep: Any) -> str:
        status = sdep.get("status", {})
        named = "is not supported by minipdk" in status.get("description", "")
        return str(status.get("state", "")) if named else ""

    return answers_of(cluster, PATH, bodies, state)


def children(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _refused(cluster, {name: _of(_predictor(graph={**GRAPH, name: [GRAPH]})) for name in names})


def types(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _refused(cluster, {name: _of(_predictor(graph={**GRAPH, "type": name})) for name in names})


def implementations(cluster: Cluster, names: list[str]) -> list[Answer]:
    field, *servers = names
    graphs = {name: {**GRAPH, field: name, "modelUri": "gs://a/b"} for name in servers}
    return _refused(cluster, {name: _of(_predictor(graph=graph)) for name, graph in graphs.items()})


def graph_fields(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _refused(cluster, {name: _of(_predictor(graph={**GRAPH, name: GRAPH_FIELDS[name]})) for name in names})


def predictor_fields(cluster: Cluster, names: list[str]) -> list[Answer]:
    bodies = {name: _of(_predictor(**{name: PREDICTOR_FIELDS[name]})) for name in names if name in PREDICTOR_FIELDS}
    # Seldon's webhook takes a shadow beside another predictor.
    return _refused(cluster, {**bodies, "shadow": _of(_predictor(), _predictor(name="other", shadow=True))})


def component_fields(cluster: Cluster, names: list[str]) -> list[Answer]:
    component = {"spec": {"containers": [CONTAINER]}}
    specs = {name: [{**component, name: COMPONENT_FIELDS[name]}] for name in names}
    return _refused(cluster, {name: _of(_predictor(componentSpecs=spec)) for name, spec in specs.items()})


def container_fields(cluster: Cluster, names: list[str]) -> list[Answer]:
    containers = {name: {**CONTAINER, name: {"preStop": {"exec": {"command": ["a"]}}}} for name in names}
    return _refused(
        cluster,
        {name: _of(_predictor(componentSpecs=[{"spec": {"containers": [it]}}])) for name, it in containers.items()},
    )


def several_components(cluster: Cluster, names: list[str]) -> list[Answer]:
    components = [{"spec": {"containers": [{**CONTAINER, "name": name}]}} for name in ("model", "other")]
    return _refused(cluster, {name: _of(_predictor(**{name: components})) for name in names})


def protocols(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _refused(cluster, {name: _of(protocol=name) for name in names})


def transports(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _refused(cluster, {name: _of(transport=name) for name in names})


def kafka(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _refused(cluster, {name: _of(_predictor(svcOrchSpec=KAFKA), **{name: "kafka"}) for name in names})


def older_fields(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _refused(cluster, {name: _of(**{name: "a"}) for name in names})


def separate_executor(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _refused(cluster, {name: _of(annotations={name: "true"}) for name in names})


CHECKS: dict[str, Check] = {
    "* of a graph node: a graph of more than one": children,
    "graph nodes of the type *": types,
    "servers that Seldon brings (*), such as *": implementations,
    "the graph's fields *": graph_fields,
    "the predictor's fields *": predictor_fields,
    "the component's fields *": component_fields,
    "* of a predictor's container": container_fields,
    "* other than one": several_components,
    "the protocols *": protocols,
    "the transport *": transports,
    "requests by Kafka (*)": kafka,
    "the older fields *": older_fields,
    "a separate pod for the executor (*)": separate_executor,
}
