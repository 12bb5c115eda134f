"""Requests that are refused: for their path, their query, their verb or their body."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from tests.minipdk.services.kubernetes.conftest import PODS, Http

from minipdk.common.home import Home

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubject"


TOKENS = "/api/v1/namespaces/models/serviceaccounts/default/token"


@pytest.mark.parametrize(("path", "code"), [("/version", 200), ("/api", 200), (PODS, 200), (f"{PODS}/nobody", 404)])
def test_an_answer_ends_its_line_and_is_not_cached(cluster: Home, path: str, code: int) -> None:
    url = f"{cluster.url('kubernetes', 'https')}{path}"
    answer = requests.get(url, headers={"Authorization": f"Bearer {cluster.token}"}, verify=str(cluster.ca_certificate))
    assert (answer.status_code, answer.headers["Cache-Control"]) == (code, "no-cache, private")
    assert answer.text.endswith("}\n")


@pytest.mark.parametrize("part", ["ephemeralcontainers", "eviction", "proxy", "resize"])
def test_subresources_of_a_real_cluster_are_refused_by_name(http: Http, part: str) -> None:
    code, status = http("POST", f"{PODS}/x/{part}")
    assert code == 501
    assert status["message"].startswith(f"pods/{part} is not supported by minipdk")


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "code", "message"),
    [
        ("POST", PODS, "{", {}, 400, "not JSON"),
        ("POST", PODS, "[]", {}, 400, "must be one API object"),
        ("POST", PODS, "{}", {"Content_Type": "text/plain"}, 415, "application/json"),
        ("POST", PODS, '{"metadata": {"name": NaN}}', {}, 400, "NaN"),
        ("POST", PODS, '{"metadata": "x"}', {}, 400, "metadata"),
        ("POST", PODS, '{"kind": "Secret"}', {}, 400, "does not match the expected kind (Pod)"),
        ("POST", PODS, '{"metadata": {"name": "a"}, "spec": {"containers": 3}}', {}, 400, "spec.containers"),
        ("POST", PODS, '{"metadata": {"name": "a"}, "spec": {}}', {}, 422, "spec.containers: Required value"),
        (
            "POST",
            "/apis/apps/v1/namespaces/models/deployments",
            '{"metadata": {"name": "a"}}',
            {},
            422,
            "spec.template: Required",
        ),
        ("POST", PODS, "", {}, 400, "must be of type Pod): unexpected end of JSON input"),
        ("POST", f"{PODS}?dryRun=Some", "{}", {}, 422, 'dryRun: Unsupported value: ["Some"]: supported values: "All"'),
        ("PUT", f"{PODS}/x?fieldValidation=No", "{}", {}, 422, 'UpdateOptions.meta.k8s.io "" is invalid: fieldValidation'),
        ("POST", f"{PODS}?fieldManager={'a' * 129}", "{}", {}, 422, "fieldManager: Too long: may not be more than 128"),
        ("POST", f"{PODS}?fieldManager=a%07", "{}", {}, 422, "invalid character U+0007 (at position 1)"),
        ("PATCH", f"{PODS}/x", "{}", {}, 415, "application/merge-patch+json"),
        ("GET", f"{PODS}?limit=many", None, {}, 400, "limit"),
        ("GET", f"{PODS}?labelSelector=a%20b", None, {}, 400, "unable to parse requirement"),
        ("GET", f"{PODS}?continue=x", None, {}, 400, "continue"),
        ("GET", f"{PODS}?resourceVersion=99999999", None, {}, 504, "Too large resource version: 99999999"),
        ("GET", f"{PODS}?resourceVersionMatch=Exact", None, {}, 422, "forbidden unless resourceVersion is provided"),
        ("GET", f"{PODS}?resourceVersionMatch=Some&resourceVersion=1", None, {}, 422, '"Exact", "NotOlderThan"'),
        ("GET", f"{PODS}?resourceVersionMatch=Exact&resourceVersion=0", None, {}, 422, 'forbidden for resourceVersion "0"'),
        ("GET", f"{PODS}?sendInitialEvents=true", None, {}, 422, "sendInitialEvents is forbidden for list"),
        ("GET", f"{PODS}?watch=1&sendInitialEvents=true", None, {}, 422, "setting resourceVersionMatch to NotOlderThan"),
        ("GET", f"{PODS}?watch=1&resourceVersionMatch=Exact", None, {}, 422, "forbidden for watch"),
        ("GET", PODS, None, {"Accept": "text/html"}, 406, "application/json"),
        ("DELETE", f"{PODS}/x?propagationPolicy=No", None, {}, 422, "propagationPolicy: Unsupported value"),
        ("DELETE", f"{PODS}/x?propagationPolicy=Orphan&orphanDependents=true", None, {}, 422, "cannot be both set"),
        ("DELETE", f"{PODS}/x", '{"dryRun": ["Some"]}', {}, 422, 'dryRun: Unsupported value: ["Some"]'),
        ("DELETE", f"{PODS}/x?dryRun=Some", None, {}, 422, 'dryRun: Unsupported value: ["Some"]'),
        ("DELETE", f"{PODS}/x", '{"gracePeriodSeconds": 99999999999999999999}', {}, 400, "must be of type int64"),
        ("DELETE", "/api/v1/pods", None, {}, 405, "does not allow this method"),
        ("POST", "/api/v1/pods", "{}", {}, 405, "does not allow this method"),
        ("PATCH", f"{PODS}/x", "{}", {"Content_Type": "application/apply-patch+yaml"}, 422, "fieldManager: Required value"),
        (
            "PATCH",
            f"{PODS}/x?force=true",
            "{}",
            {"Content_Type": "application/merge-patch+json"},
            422,
            "force: Forbidden: may not be specified for non-apply patch",
        ),
        ("POST", f"{REVIEWS}accessreviews", '{"spec": {}}', {}, 422, "exactly one of nonResourceAttributes"),
        ("POST", f"{REVIEWS}rulesreviews", '{"spec": {}}', {}, 400, "no namespace on request"),
        ("POST", TOKENS, '{"spec": {"audiences": [], "expirationSeconds": 60}}', {}, 422, "less than 10 minutes"),
        ("POST", TOKENS, '{"spec": {"audiences": [], "expirationSeconds": 9999999999}}', {}, 422, "larger than 2^32"),
        ("POST", f"{PODS}/x", "{}", {}, 405, "does not allow this method"),
        ("POST", PODS, b"k8s\0\xff", {"Content_Type": "application/vnd.kubernetes.protobuf"}, 400, "protobuf"),
    ],
)
def test_bad_requests_are_refused_with_the_reason(
    http: Http, method: str, path: str, body: Any, headers: dict[str, str], code: int, message: str
) -> None:
    answered, status = http(method, path, body, **headers)
    assert (answered, status["kind"]) == (code, "Status")
    assert message in status["message"]


def test_objects_have_no_head_method(http: Http) -> None:
    """As on a real API server, which answers HEAD for its documents alone."""
    for path in (PODS, f"{PODS}/x", f"{PODS}/x/log"):
        assert http("HEAD", path)[0] == 405
    assert http("HEAD", "/version")[0] == 200
