"""Patches of each type: their effects, and the patches that are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.minipdk.services.kubernetes.conftest import MAPS, Http, Kubectl, config_map

from minipdk.services.kubernetes.registry.patches import strategic_merge_patch

MERGE, STRATEGIC, JSON_PATCH = "merge-patch+json", "strategic-merge-patch+json", "json-patch+json"
WRONG_METADATA: list[Any] = [[], "", 0]
WRONG_PLACES: list[dict[str, Any]] = [
    *({"path": 1}, {"path": None}, {"path": ["data"]}),
    *({"from": 1}, {"from": {}}, {"from": "data"}),
]


@pytest.fixture(scope="module")
def kept(http: Http) -> str:
    """The path of an object with labels and a finalizer."""
    http("POST", MAPS, json.dumps(config_map("kept", {"a": "1"}, labels={"a": "b"}, finalizers=["example.com/keep"])))
    return f"{MAPS}/kept"


@pytest.mark.parametrize(
    ("kind", "patch", "message"),
    [
        (MERGE, {"metadata": None}, "the name of the object (kept based on URL) was undeterminable: name must be provided"),
        (STRATEGIC, {"metadata": None}, "name must be provided"),
        (STRATEGIC, {"$retainKeys": ["data"], "data": {}}, "name must be provided"),
        (JSON_PATCH, [{"op": "remove", "path": "/metadata"}], "name must be provided"),
        (JSON_PATCH, [{"op": "replace", "path": "/metadata", "value": []}], "metadata in body must be of type object"),
        *((kind, {"metadata": wrong}, "must be of type object") for kind in (MERGE, STRATEGIC) for wrong in WRONG_METADATA),
        (MERGE, {"metadata": {"name": "other"}}, "does not match the name on the URL (kept)"),
    ],
)
def test_no_patch_removes_an_objects_metadata(http: Http, kept: str, kind: str, patch: Any, message: str) -> None:
    before = http("GET", kept)
    code, status = http.patch(kept, patch, kind)
    assert (code, message in status["message"]) == (400, True)
    assert http("GET", kept) == before


IMPOSSIBLE = "the server rejected our request due to an error in our request"


@pytest.mark.parametrize(
    ("kind", "patch", "code", "message"),
    [
        *(
            (JSON_PATCH, [{"op": "move", "path": "/data/a", "from": "/data/a"} | wrong], 422, IMPOSSIBLE)
            for wrong in WRONG_PLACES
        ),
        (
            JSON_PATCH,
            [{"op": "add", "path": "/data/x", "value": json.loads("[" * 300 + "]" * 300)}],
            400,
            "nested more than 200 levels deep",
        ),
        (STRATEGIC, {"data": {"$patch": "x"}}, 400, 'unknown patch type: x in map: {"$patch": "x"}'),
        (STRATEGIC, {"metadata": {"$patch": ["delete"]}}, 400, "unknown patch type"),
        (STRATEGIC, {"$retainKeys": 1}, 400, "Invalid patch format of retainKeys"),
        (STRATEGIC, {"$retainKeys": [1]}, 400, "Invalid patch format of retainKeys"),
        (STRATEGIC, {"metadata": {"$setElementOrder/finalizers": 1}}, 400, "Invalid patch format of setElementOrder list"),
        (STRATEGIC, {"metadata": {"$setElementOrder/labels": []}}, 400, "names labels, which is none"),
        (
            STRATEGIC,
            {"metadata": {"$deleteFromPrimitiveList/finalizers": "x"}},
            400,
            "Invalid patch format of primitive list",
        ),
        (STRATEGIC, {"metadata": {"$deleteFromPrimitiveList/name": ["x"]}}, 400, "names name, which is none"),
    ],
)
def test_an_impossible_patch_is_refused(http: Http, kept: str, kind: str, patch: Any, code: int, message: str) -> None:
    answered, status = http.patch(kept, patch, kind)
    assert (answered, message in status["message"]) == (code, True)


def test_copies_of_copies_are_limited(http: Http, kept: str) -> None:
    patch = [{"op": "copy", "from": "/data", "path": f"/data/{index}"} for index in range(30)]
    code, status = http.patch(kept, patch, JSON_PATCH)
    assert (code, "exceeding the limit 3145728" in status["message"]) == (422, True)


def test_the_operations_of_a_json_patch_are_limited(http: Http, kept: str) -> None:
    operations = [{"op": "test", "path": "/kind", "value": "ConfigMap"}] * 10_001
    code, status = http.patch(kept, operations, "json-patch+json")
    why = "The allowed maximum operations in a JSON patch is 10000, got 10001"
    assert (code, status["reason"], status["message"]) == (413, "RequestEntityTooLarge", why)


def test_kubectl_prints_why_a_json_patch_failed(kubectl: Kubectl, kept: str) -> None:
    patch = '[{"op":"test","path":"/data/a","value":"2"}]'
    said = kubectl("patch", "cm", "kept", "--type=json", "-p", patch, fails=True).stderr
    assert "The request is invalid" in said
    assert "the test failed" in said


def test_a_failed_json_patch_names_its_reason_as_a_cause(http: Http, kept: str) -> None:
    """kubectl before 1.27 prints the cause alone."""
    status = http.patch(kept, [{"op": "remove", "path": "/x"}], JSON_PATCH)[1]
    assert [cause["reason"] for cause in status["details"]["causes"]] == ["UnexpectedServerResponse"]


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ("ab", {"secrets": "c"}, "cab"),  # new items come first
        ("abc", {"secrets": "cb"}, "acb"),  # items of the patch have its order; the others keep their places
        ("abc", {"secrets": "dc"}, "dabc"),
        ("abc", {"$setElementOrder/secrets": "cab"}, "cab"),
        ("abc", {"$setElementOrder/secrets": "ca"}, "bca"),
        ("ab", {"$setElementOrder/secrets": "bda", "secrets": "d"}, "bda"),
    ],
)
def test_a_strategic_merge_orders_lists_as_kubernetes_does(before: str, patch: dict[str, str], after: str) -> None:
    def items(names: str) -> list[dict[str, str]]:
        return [{"name": name} for name in names]

    expected = {field: items(names) for field, names in patch.items()}
    assert strategic_merge_patch({"secrets": items(before)}, expected)["secrets"] == items(after)
