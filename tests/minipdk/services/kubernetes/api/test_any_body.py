"""No body is answered with an internal error, neither as an object nor as a patch."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.minipdk.services.kubernetes.conftest import CONTAINER, PODS, Http

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


FIELDS = ("metadata", "spec", "data", "stringData", "type", "status", "secrets", "involvedObject", "subsets", "finalizers")


BODIES = st.dictionaries(
    st.sampled_from(FIELDS), JSON | st.dictionaries(st.sampled_from(("name", "labels", "containers")), JSON)
)


PATHS = [f"/api/v1/namespaces/models/{kind}" for kind in ("pods", "secrets", "configmaps", "events", "services")]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PATHS), BODIES)
def test_no_body_causes_an_internal_error(http: Http, path: str, body: Any) -> None:
    code, _ = http("POST", f"{path}?dryRun=All", json.dumps(body))
    assert code == 201 or 400 <= code < 500


PATCHED = st.sampled_from([f"{PODS}/patched", "/api/v1/namespaces/models/serviceaccounts/default"])


MERGES = st.sampled_from(["merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(f"{PODS}/patched", "merge-patch+json", {"metadata": None})
@example(f"{PODS}/patched", "strategic-merge-patch+json", {"metadata": {"finalizers": [{}, []]}})
@given(PATCHED, MERGES, BODIES)
def test_no_patch_causes_an_internal_error(http: Http, path: str, kind: str, body: Any) -> None:
    http("POST", PODS, json.dumps({"metadata": {"name": "patched"}, "spec": {"containers": [CONTAINER]}}))
    options = "&fieldManager=me&force=true" if kind == "apply-patch+yaml" else ""
    code, _ = http("PATCH", f"{path}?dryRun=All{options}", json.dumps(body), Content_Type=f"application/{kind}")
    assert code == 200 or 400 <= code < 500
