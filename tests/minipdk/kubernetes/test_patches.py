"""Patches: what each kind of them may say, and what none may take away."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.minipdk.kubernetes.conftest import MAPS, Http, config_map

MERGE, STRATEGIC, JSON_PATCH = "merge-patch+json", "strategic-merge-patch+json", "json-patch+json"


@pytest.fixture(scope="module")
def kept(http: Http) -> str:
    """The path of an object with labels and a finalizer."""
    http("POST", MAPS, json.dumps(config_map("kept", {"a": "1"}, labels={"a": "b"}, finalizers=["example.com/keep"])))
    return f"{MAPS}/kept"


@pytest.mark.parametrize(
    ("kind", "patch", "told"),
    [
        (MERGE, {"metadata": None}, "the name of the object (kept based on URL) was undeterminable: name must be provided"),
        (STRATEGIC, {"metadata": None}, "name must be provided"),
        (STRATEGIC, {"$retainKeys": ["data"], "data": {}}, "name must be provided"),
        (JSON_PATCH, [{"op": "remove", "path": "/metadata"}], "name must be provided"),
        (JSON_PATCH, [{"op": "replace", "path": "/metadata", "value": []}], "metadata in body must be of type object"),
        *((kind, {"metadata": wrong}, "must be of type object") for kind in (MERGE, STRATEGIC) for wrong in ([], "", 0)),
        (MERGE, {"metadata": {"name": "other"}}, "does not match the name on the URL (kept)"),
    ],
)
def test_no_patch_takes_an_objects_metadata_away(http: Http, kept: str, kind: str, patch: Any, told: str) -> None:
    before = http("GET", kept)
    code, status = http.patch(kept, patch, kind)
    assert (code, told in status["message"]) == (400, True)
    assert http("GET", kept) == before
