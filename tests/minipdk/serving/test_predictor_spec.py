"""What an InferenceService's spec may ask for: used, echoed, or refused by name, never ignored."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kserve import V1beta1PredictorSpec, V1beta1TorchServeSpec

from minipdk.serving.controllers.predictor import (
    ECHOED,
    MODEL_FIELDS,
    PREDICTOR_FIELDS,
    read_predictor,
)
from minipdk.serving.errors import InvalidSpecError, NotSupportedError

SPEC = {
    "serviceAccountName": "pach",
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "timeout": 60,
    "pytorch": {
        "protocolVersion": "v1",
        "storageUri": "s3://bucket/model",
        "args": ["--model-store=/mnt/models"],
        "env": [{"name": "A", "value": "1"}],
        "resources": {"limits": {"cpu": "1"}},
    },
}


def service(spec: Any, **annotations: str) -> dict[str, Any]:
    return {"metadata": {"name": "churn", "namespace": "models", "annotations": annotations}, "spec": {"predictor": spec}}


def changed(**fields: Any) -> dict[str, Any]:
    """SPEC with other ``fields`` of its pytorch model."""
    spec = copy.deepcopy(SPEC)
    spec["pytorch"] |= fields  # type: ignore[operator]
    return spec


def test_the_old_and_the_new_way_to_name_a_format_are_the_same_revision() -> None:
    spec = copy.deepcopy(SPEC)
    spec["model"] = {"modelFormat": {"name": "pytorch"}, "runtime": "kserve-torchserve", **spec.pop("pytorch")}  # type: ignore[dict-item]
    assert read_predictor(service(spec)) == read_predictor(service(SPEC))


def test_empty_fields_that_clients_send_are_not_set() -> None:
    spec = changed(name="", image=None, env=[], resources={}) | {"containers": [], "minReplicas": 1}
    assert read_predictor(service(spec)).env == []


DIFFERENT = [
    changed(storageUri="s3://bucket/other"),
    changed(protocolVersion="v2"),
    changed(args=[]),
    changed(env=[]),
    changed(resources={}),
    changed(image="local:1.0"),
    SPEC | {"serviceAccountName": "other"},
    SPEC | {"timeout": 61},
    SPEC | {"tolerations": []},
    SPEC | {"annotations": {"a": "b"}},
    SPEC | {"labels": {"a": "b"}},
]


def test_every_field_that_is_used_makes_a_revision_of_its_own() -> None:
    hashes = {read_predictor(service(spec)).template_hash() for spec in [SPEC, *DIFFERENT]}
    assert len(hashes) == len(DIFFERENT) + 1


def test_an_annotation_makes_a_new_revision_but_kubectls_own_does_not() -> None:
    plain = read_predictor(service(SPEC)).template_hash()
    assert read_predictor(service(SPEC, pach_id="2")).template_hash() != plain
    note = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    assert read_predictor(service(SPEC, **note)).template_hash() == plain


PREDICTOR_UNKNOWN = sorted(
    set(V1beta1PredictorSpec.attribute_map.values()) - PREDICTOR_FIELDS - ECHOED - {"pytorch", "model"}
)
MODEL_UNKNOWN = sorted(set(V1beta1TorchServeSpec.attribute_map.values()) - MODEL_FIELDS - ECHOED - {"name"})


@pytest.mark.parametrize("field", PREDICTOR_UNKNOWN)
def test_a_predictors_other_fields_are_refused_by_name(field: str) -> None:
    with pytest.raises(NotSupportedError, match=rf"^spec\.predictor\.{field} is not supported by minipdk"):
        read_predictor(service(SPEC | {field: 1}))


@pytest.mark.parametrize("field", MODEL_UNKNOWN)
def test_a_models_other_fields_are_refused_by_name(field: str) -> None:
    with pytest.raises(NotSupportedError, match=rf"^spec\.predictor\.pytorch\.{field} is not supported by minipdk"):
        read_predictor(service(changed(**{field: 1})))


@pytest.mark.parametrize("component", ["transformer", "explainer"])
def test_other_components_are_refused_by_name(component: str) -> None:
    isvc = service(SPEC)
    isvc["spec"][component] = {"containers": []}
    with pytest.raises(NotSupportedError, match=rf"^spec\.{component} is not supported by minipdk"):
        read_predictor(isvc)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (SPEC | {"minReplicas": 0}, "minReplicas 0 is not supported by minipdk: a predictor has one replica"),
        (SPEC | {"maxReplicas": 3}, "maxReplicas 3 is not supported by minipdk"),
        (SPEC | {"timeout": 0}, "timeout must be a number of seconds"),
        (changed(storageUri=""), "storageUri is required"),
        (changed(storageUri="/mnt/models"), "has no scheme"),
        (changed(storageUri="s3:///model"), "names no bucket"),
        (changed(storageUri="pvc://volume/model"), "storageUri pvc:// is not supported by minipdk"),
        (changed(protocolVersion="grpc-v2"), "protocolVersion 'grpc-v2' is not supported by minipdk: use one of v1, v2"),
        (changed(args=["--workers=4"]), "'--workers=4' is not supported by minipdk"),
        (changed(env=[{"value": "1"}]), r"env\[0\] must have a name"),
        (changed(env=[{"name": "A", "valueFrom": {"fieldRef": {}}}]), "valueFrom.fieldRef is not supported by minipdk"),
        ({"model": {"modelFormat": {"name": "paddle"}}}, "modelFormat 'paddle' is not supported by minipdk"),
        ({}, "exactly one of pytorch, model"),
        (None, "spec.predictor must be an object"),
    ],
)
def test_a_wrong_value_is_named(spec: Any, message: str) -> None:
    with pytest.raises(InvalidSpecError, match=message):
        read_predictor(service(spec))


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(spec=json, model=json, field=st.sampled_from(sorted(PREDICTOR_FIELDS | MODEL_FIELDS | ECHOED)), value=json)
def test_no_spec_fails_but_with_a_reason(spec: Any, model: Any, field: str, value: Any) -> None:
    for one in (spec, {"pytorch": model}, {"model": model}, SPEC | {field: value}, changed(**{field: value})):
        with contextlib.suppress(InvalidSpecError):
            read_predictor(service(one)).template_hash()
