"""Server-side apply, and the managers of fields."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from tests.minipdk.services.kubernetes.conftest import CONTAINER, MAPS, PODS, SERVICES, Http, Kubectl, config_map, pod

from minipdk.services.kubernetes.kinds.builtin.configuration import CONFIG_MAPS
from minipdk.services.kubernetes.model import Target
from minipdk.services.kubernetes.registry import managed_fields
from minipdk.services.kubernetes.registry.registry import Registry, WriteOptions


def test_an_applied_list_that_names_an_item_twice_is_refused(http: Http) -> None:
    twice = pod("twice")
    twice["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    code, status = http.apply(f"{PODS}/twice", twice)
    why = '.spec.containers[name="main"].env: duplicate entries for key [name="A"]'
    assert (code, status["message"]) == (500, f"failed to create typed patch object (models/twice; /v1, Kind=Pod): {why}")


def test_applying_the_same_again_changes_nothing(in_process: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    target, options = Target(CONFIG_MAPS, "models", "applied"), WriteOptions(manager="me")
    first, _ = in_process.apply(target, config_map("applied", {"a": "1"}), options)
    monkeypatch.setattr(managed_fields, "now", lambda: "2099-01-01T00:00:00Z")
    again, created = in_process.apply(target, config_map("applied", {"a": "1"}), options)
    assert (again, created) == (first, False)


def test_an_update_manages_objects_and_an_apply_their_fields(http: Http) -> None:
    def fields(answer: tuple[int, Any]) -> Any:
        return answer[1]["metadata"]["managedFields"][0]["fieldsV1"]

    settings = config_map("managed", {"a": "1"})
    assert fields(http("POST", f"{MAPS}?dryRun=All", json.dumps(settings))) == {"f:data": {".": {}, "f:a": {}}}
    assert fields(http.apply(f"{MAPS}/managed?dryRun=All", settings)) == {"f:data": {"f:a": {}}}
    web = {"metadata": {"name": "web", "labels": {"a": "b"}}, "spec": {"selector": {"app": "x"}, "ports": [{"port": 80}]}}
    made = fields(http("POST", f"{SERVICES}?dryRun=All", json.dumps(web)))
    assert made["f:metadata"] == {"f:labels": {".": {}, "f:a": {}}}
    assert (made["f:spec"]["f:selector"], "." in made["f:spec"]) == ({}, False)
    assert {".", "f:port"} <= made["f:spec"]["f:ports"]['k:{"port":80,"protocol":"TCP"}'].keys()


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"uid": None}, "uid mismatch: the provided object specified uid"),
        ({"resourceVersion": "1"}, "the object may have been deleted"),
    ],
)
def test_applying_a_former_object_is_a_conflict(http: Http, metadata: Any, message: str) -> None:
    """A copy of an object, applied under another name, must not take that one's place."""
    name = f"original-{next(iter(metadata)).lower()}"
    made = http("POST", MAPS, json.dumps(config_map(name)))[1]
    given = {key: value or made["metadata"][key] for key, value in metadata.items()}
    code, status = http.apply(f"{MAPS}/copied", config_map("copied", **given))
    assert (code, status["reason"], message in status["message"]) == (409, "Conflict", True)
    assert http("GET", f"{MAPS}/{name}") == (200, made)
    assert http("GET", f"{MAPS}/copied")[0] == 404


def test_system_fields_are_not_applied(http: Http) -> None:
    past = "2001-01-01T00:00:00Z"
    system = {"creationTimestamp": past, "deletionTimestamp": past, "generation": 7, "resourceVersion": "0"}
    for expected in (201, 200):
        code, applied = http.apply(f"{MAPS}/systematic", config_map("systematic", {"n": str(expected)}, **system))
        assert code == expected
        assert not {"deletionTimestamp", "generation"} & applied["metadata"].keys()
        assert applied["metadata"]["creationTimestamp"] > past


def test_the_store_never_replaces_another_object(in_process: Registry) -> None:
    made = in_process.create(CONFIG_MAPS, "models", config_map("mine"), WriteOptions())
    other = {**made, "metadata": {**made["metadata"], "name": "other"}}
    with pytest.raises(sqlite3.IntegrityError), in_process.writing():
        in_process.store.put(CONFIG_MAPS, other, None)
    assert in_process.store.get(CONFIG_MAPS, "models", "mine") == made


def test_an_applied_secret_is_stored_encoded_as_a_created_one(http: Http) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "applied"}, "stringData": {"a": "b"}}
    code, made = http.apply("/api/v1/namespaces/models/secrets/applied", secret)
    assert (code, made["data"], "stringData" in made) == (201, {"a": "Yg=="}, False)


@pytest.mark.parametrize(
    "body", ["", "{}", '{"metadata": {"name": "nameless"}}', '{"kind": "ConfigMap"}', '{"apiVersion": "v1"}']
)
def test_an_applied_object_needs_its_kind_and_version(http: Http, body: str) -> None:
    path = f"{MAPS}/nameless?fieldManager=me"
    code, status = http("PATCH", path, body, Content_Type="application/apply-patch+yaml")
    assert (code, status["reason"]) == (400, "BadRequest")
    assert http("GET", path)[0] == 404


def managed(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"managedFields": list(entries)}}


WRONG_TREES: list[Any] = [
    *([1], "x", {"data": {}}, {"f:data": 1}),
    *({"f:x": {"k:[]": {}}}, {"k:{": {}}, {"i:x": {}}, {"v:": {}}),
]
ENTRY = {"manager": "a", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}}


def test_a_manager_without_a_time_stays_without(http: Http) -> None:
    http("POST", MAPS, json.dumps(config_map("timeless")))
    assert http.patch(f"{MAPS}/timeless", managed(ENTRY))[1]["metadata"]["managedFields"] == [ENTRY]
    code, patched = http.patch(f"{MAPS}/timeless", {"metadata": {"labels": {"a": "b"}}})
    assert (code, patched["metadata"]["managedFields"][0]) == (200, ENTRY)


@pytest.mark.parametrize(
    ("wrong", "code", "message"),
    [
        ({"operation": "Own"}, 422, 'managedFields[0].operation: Invalid value: "Own": must be `Apply` or `Update`'),
        ({"fieldsType": "FieldsV2"}, 422, 'managedFields[0].fieldsType: Invalid value: "FieldsV2": must be `FieldsV1`'),
        ({"manager": "a" * 129}, 422, "managedFields[0].manager: Too long: may not be more than 128 bytes"),
        ({"time": ""}, 400, "metadata.managedFields[0].time"),
        *(({"fieldsV1": tree}, 422, "managedFields[0].fieldsV1: Invalid value") for tree in WRONG_TREES),
    ],
)
def test_invalid_managers_are_refused(http: Http, wrong: Any, code: int, message: str) -> None:
    http("POST", MAPS, json.dumps(config_map("managed")))
    answered, status = http.patch(f"{MAPS}/managed", managed(ENTRY | wrong))
    assert (answered, message in status["message"]) == (code, True)


def test_an_applied_index_without_a_list_is_dropped(http: Http) -> None:
    made = pod("indexed")
    http("POST", PODS, json.dumps(made))
    entry = ENTRY | {"operation": "Apply", "manager": "me", "fieldsV1": {"f:spec": {"f:containers": {"i:0": {}}}}}
    assert http.patch(f"{PODS}/indexed", managed(entry))[0] == 200
    code, applied = http.apply(f"{PODS}/indexed", made)
    assert (code, applied["spec"]["containers"][0]["image"]) == (200, CONTAINER["image"])


def test_a_status_does_not_write_managers(http: Http) -> None:
    """As through any subresource, because a client that writes a status sends the object that it read, which may be old."""
    made = http("POST", PODS, json.dumps(pod("reported")))[1]
    status = managed(ENTRY) | {"status": {"phase": "Pending"}}
    assert http.patch(f"{PODS}/reported/status", status)[1]["metadata"]["managedFields"] == made["metadata"]["managedFields"]


@pytest.mark.parametrize("flags", [(), ("--server-side", "--field-manager=other", "--force-conflicts")])
def test_a_diff_of_an_unchanged_object_is_empty(kubectl: Kubectl, flags: tuple[str, ...]) -> None:
    made = config_map("unchanged", {"a": "1"})
    kubectl("apply", "-f", "-", stdin=made)
    assert kubectl("diff", *flags, "-f", "-", stdin=made).stdout == ""


def test_a_dry_run_leaves_the_version_as_it_is(http: Http) -> None:
    path = f"{MAPS}/dry-version"
    created = http("POST", f"{MAPS}?dryRun=All", json.dumps(config_map("dry-version")))[1]
    assert "resourceVersion" not in created["metadata"]
    made = http("POST", MAPS, json.dumps(config_map("dry-version", finalizers=["example.com/keep"])))[1]
    changed = config_map("dry-version", {"a": "1"})
    for code, answer in (
        http("PUT", f"{path}?dryRun=All", json.dumps(changed)),
        http.patch(f"{path}?dryRun=All", changed),
        http.apply(f"{path}?dryRun=All", changed),
    ):
        assert (code, answer["data"], answer["metadata"]["resourceVersion"]) == (
            *(200, {"a": "1"}),
            made["metadata"]["resourceVersion"],
        )
