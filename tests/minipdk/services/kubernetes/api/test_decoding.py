"""Bodies in JSON and YAML: size, depth, duplicate fields, and YAML that is not JSON."""

from __future__ import annotations

from typing import Any

import pytest
from tests.minipdk.services.kubernetes.conftest import MAPS, PODS, Http


def test_a_body_that_is_too_large_or_too_deep_is_refused(http: Http) -> None:
    assert http("POST", PODS, "x" * (4 << 20))[0] == 413
    deep = '{"metadata":{"name":"a"},"spec":' + '{"a":' * 5000 + "1" + "}" * 5001
    assert http("POST", "/apis/machinelearning.seldon.io/v1/namespaces/models/seldondeployments", deep)[0] == 400


@pytest.mark.parametrize(
    ("keys", "data"),
    [("1: x", {"1": "x"}), ("true: x", {"true": "x"}), ("1.5: x", {"1.5": "x"}), ("2026-01-02: x", {"2026-01-02": "x"})],
)
def test_every_name_in_yaml_is_a_string(http: Http, keys: str, data: Any) -> None:
    body = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: named}}\ndata: {{{keys}}}"
    path = f"{MAPS}/named?dryRun=All&fieldManager=me"
    code, made = http("PATCH", path, body, Content_Type="application/apply-patch+yaml")
    assert (code, made["data"]) == (201, data)


@pytest.mark.parametrize(
    "yaml",
    ["? [a]\n: x", "? !!binary aGk=\n: x", "a: !!set {b}", "a: !!binary aGk=", "a: .nan", "a: &a [*a]", 'a: "\\ud800"'],
)
def test_yaml_that_is_not_json_is_refused(http: Http, yaml: str) -> None:
    code, status = http("PATCH", f"{MAPS}/x?fieldManager=me", yaml, Content_Type="application/apply-patch+yaml")
    assert (code, status["reason"]) == (400, "BadRequest")


def test_yaml_whose_aliases_multiply_is_refused(http: Http) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
    path = f"{MAPS}/x?fieldManager=me"
    code, status = http("PATCH", path, "\n".join(lines), Content_Type="application/apply-patch+yaml")
    assert (code, "excessive aliasing" in status["message"]) == (400, True)


def test_a_duplicate_field_is_refused_or_reported(http: Http) -> None:
    body = '{"metadata": {"name": "twice"}, "spec": {"containers": [{"name": "a", "image": "b:1", "image": "c:1"}]}}'
    duplicate = 'duplicate field "spec.containers[0].image"'
    code, status = http("POST", f"{PODS}?dryRun=All&fieldValidation=Strict", body)
    assert (code, f"strict decoding error: {duplicate}" in status["message"]) == (400, True)
    yaml = "metadata:\n  name: twice\ndata:\n  a: '1'\n  a: '2'\n"
    maps = "/api/v1/namespaces/models/configmaps?dryRun=All&fieldValidation="
    code, status = http("POST", f"{maps}Strict", yaml, Content_Type="application/yaml")
    assert (code, 'line 5: key "a" already set in map' in status["message"]) == (400, True)
    assert http("POST", f"{maps}Ignore", yaml, Content_Type="application/yaml")[1]["data"] == {"a": "2"}
