"""The denials of Seldon's webhook, in its words, and the schema of a SeldonDeployment."""

from __future__ import annotations

from typing import Any

import pytest
from tests.minipdk.services.kubernetes.conftest import Kubectl

from minipdk.services.kubernetes.errors import InvalidError
from minipdk.services.kubernetes.kinds.custom.seldon_deployments import SELDON_DEPLOYMENTS, admit
from minipdk.services.kubernetes.kinds.schemas import check

CONTAINER: dict[str, Any] = {"name": "model", "image": "mine:1"}
GRAPH: dict[str, Any] = {"name": "model", "type": "MODEL"}


def predictor(**fields: Any) -> dict[str, Any]:
    return {"name": "main", "graph": GRAPH, "componentSpecs": [{"spec": {"containers": [CONTAINER]}}], **fields}


def sdep(*predictors: Any, **spec: Any) -> dict[str, Any]:
    body = {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment", "metadata": {"name": "a"}}
    return {**body, "spec": {"predictors": list(predictors), **spec}}


def graph(**fields: Any) -> dict[str, Any]:
    return predictor(graph={**GRAPH, **fields})


@pytest.mark.parametrize(
    ("denied", "reason"),
    [
        (sdep(), 'spec: Invalid value: "": Graph contains no predictors'),
        (
            sdep(graph(name="other")),
            'spec.predictors[0].graph: Invalid value: "other": Can\'t find container for Predictive Unit',
        ),
        (
            sdep(graph(children=[{"name": "other"}])),
            'spec.predictors[0].graph[0]: Invalid value: "other": Can\'t find container for Predictive Unit',
        ),
        (sdep(predictor(), protocol="http"), 'spec: Invalid value: "http": Invalid protocol'),
        (sdep(predictor(), transport="udp"), 'spec: Invalid value: "udp": Invalid transport'),
        (sdep(predictor(), serverType="x"), 'spec: Invalid value: "x": Invalid serverType'),
        (sdep(predictor(shadow=True)), 'spec.predictors[0]: Invalid value: "main": Shadow can not exist as only predictor'),
        (
            sdep(predictor(traffic=60), predictor(name="other", traffic=50)),
            'spec: Invalid value: "main": Traffic must sum to 100 for multiple predictors',
        ),
        (
            sdep(predictor(traffic=60)),
            'spec: Invalid value: "main": Traffic must sum be 100 for a single predictor when set',
        ),
        (
            sdep(predictor(traffic=50), predictor(traffic=50)),
            'spec.predictors[1]: Invalid value: "main": Duplicate predictor name',
        ),
        (
            sdep(graph(implementation="SKLEARN_SERVER")),
            'spec.predictors[0].graph: Invalid value: "model": Predictive unit modelUri required when using standalone '
            "servers",
        ),
        (sdep(graph(logger={})), 'spec.predictors[0].graph: Invalid value: "": No logger mode specified'),
        (
            sdep(graph(endpoint={"type": "GRPC"}), transport="rest"),
            'spec: Invalid value: "": Mixed transport types found. Remove graph endpoint.types if transport set at '
            "deployment level",
        ),
    ],
)
def test_seldons_webhook_denies_in_its_own_words(denied: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidError) as raised:
        admit(denied, list)
    webhook = 'admission webhook "v1.vseldondeployment.kb.io" denied the request: '
    assert raised.value.message == f'{webhook}SeldonDeployment.machinelearing.seldon.io "" is invalid: {reason}'


def test_several_faults_are_listed(kubectl: Kubectl) -> None:
    said = kubectl("apply", "-f", "-", stdin=sdep(graph(name="other"), protocol="http"), fails=True).stderr
    assert "Invalid protocol" in said
    assert "Can't find container for Predictive Unit" in said


@pytest.mark.parametrize(
    "accepted",
    [sdep(predictor()), sdep(predictor(traffic=100)), sdep(predictor(traffic=40), predictor(name="b", traffic=60))],
)
def test_the_webhook_takes(accepted: dict[str, Any]) -> None:
    admit(accepted, list)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"spec": {}}, "spec.predictors"),
        ({"spec": {"predictors": "x"}}, "spec.predictors"),
        (sdep({"name": "main"}), "spec.predictors[0].graph"),
        (sdep(predictor(replicas="two")), "spec.predictors[0].replicas"),
        (sdep(predictor(graph={"type": "MODEL"})), "spec.predictors[0].graph.name"),
        (sdep(predictor(componentSpecs=[{"spec": {}}])), "spec.predictors[0].componentSpecs[0].spec.containers"),
        (
            sdep(predictor(componentSpecs=[{"spec": {"containers": [CONTAINER, CONTAINER]}}])),
            "spec.predictors[0].componentSpecs[0].spec.containers[1]",
        ),
    ],
)
def test_the_schema_names_the_field_that_is_wrong(wrong: dict[str, Any], field: str) -> None:
    _, faults = check(SELDON_DEPLOYMENTS, {"metadata": {"name": "a"}, **wrong})
    assert [cause.field for cause in faults.causes] == [field]


def test_unknown_fields_are_named(kubectl: Kubectl) -> None:
    said = kubectl("apply", "-f", "-", stdin=sdep(predictor(trafic=100)), fails=True).stderr
    assert 'unknown field "spec.predictors[0].trafic"' in said


def test_explain_reads_the_schema(kubectl: Kubectl) -> None:
    assert "The name of the node" in kubectl("explain", "sdep.spec.predictors.graph.name").stdout
