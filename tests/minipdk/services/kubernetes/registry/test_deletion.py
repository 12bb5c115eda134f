"""Deletion: dependents, finalizers, namespaces, and the grace period of pods."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.minipdk.services.kubernetes.conftest import config_map, inference_service, pod

from minipdk.services.kubernetes.api.options import delete_options
from minipdk.services.kubernetes.errors import ApiError, ConflictError, ForbiddenError, NotFoundError
from minipdk.services.kubernetes.kinds.builtin.events import EVENTS
from minipdk.services.kubernetes.kinds.builtin.namespaces import NAMESPACES
from minipdk.services.kubernetes.kinds.table import RESOURCES
from minipdk.services.kubernetes.model import Object, Target
from minipdk.services.kubernetes.registry import managed_fields
from minipdk.services.kubernetes.registry import registry as registry_module
from minipdk.services.kubernetes.registry.deletion import DeleteOptions
from minipdk.services.kubernetes.registry.registry import Registry, WriteOptions
from minipdk.services.kubernetes.times import parse, written

KINDS = {resource.kind: resource for resource in RESOURCES} | {"Event": EVENTS}
OPTIONS = WriteOptions(manager="test")


def create(registry: Registry, body: Object) -> Object:
    resource = KINDS[body["kind"]]
    return registry.create(resource, body["metadata"].get("namespace", ""), body, OPTIONS)


def target(item: Object) -> Target:
    metadata = item["metadata"]
    return Target(KINDS[item["kind"]], metadata.get("namespace", ""), metadata["name"])


def event(name: str, **fields: str) -> Object:
    about = {"kind": "Pod", "namespace": "models", "name": "gone"}
    metadata = {"name": name, "namespace": "models"}
    return {"apiVersion": "v1", "kind": "Event", "metadata": metadata, "involvedObject": about, **fields}


def exists(registry: Registry, item: Object) -> bool:
    try:
        return bool(registry.get(target(item))["metadata"]["uid"] == item["metadata"]["uid"])
    except NotFoundError:
        return False


def owned_by(*owners: Object, blocking: bool = False) -> dict[str, Any]:
    return {
        "ownerReferences": [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                **({"blockOwnerDeletion": True} if blocking else {}),
            }
            for owner in owners
        ]
    }


def test_dependents_are_deleted_with_their_owner(in_process: Registry) -> None:
    service = create(in_process, inference_service("churn"))
    worker = create(in_process, pod("worker", **owned_by(service)))
    settings = create(in_process, config_map("settings", **owned_by(worker)))
    in_process.delete(target(service), DeleteOptions())
    assert not any(exists(in_process, item) for item in (service, worker, settings))


def test_a_dependent_with_another_owner_stays(in_process: Registry) -> None:
    first, second = create(in_process, inference_service("first")), create(in_process, inference_service("second"))
    shared = create(in_process, config_map("shared", **owned_by(first, second)))
    in_process.delete(target(first), DeleteOptions())
    owners = in_process.get(target(shared))["metadata"]["ownerReferences"]
    assert [owner["name"] for owner in owners] == ["second"]


def test_orphans_stay_and_lose_their_owner(in_process: Registry) -> None:
    service = create(in_process, inference_service("churn"))
    worker = create(in_process, pod("worker", **owned_by(service)))
    in_process.delete(target(service), DeleteOptions(policy="Orphan"))
    assert "ownerReferences" not in in_process.get(target(worker))["metadata"]


def test_an_object_made_after_its_owner_was_deleted_is_deleted_too(in_process: Registry) -> None:
    service = create(in_process, inference_service("churn"))
    in_process.delete(target(service), DeleteOptions())
    late = create(in_process, pod("late", **owned_by(service)))
    assert not exists(in_process, late)


def test_an_owner_in_another_namespace_or_of_another_name_is_none(in_process: Registry) -> None:
    service = create(in_process, inference_service("churn"))
    elsewhere = create(in_process, config_map("elsewhere", namespace="default", **owned_by(service)))
    renamed = {**service, "metadata": {**service["metadata"], "name": "other"}}
    misnamed = create(in_process, config_map("misnamed", **owned_by(renamed)))
    assert not any(exists(in_process, item) for item in (elsewhere, misnamed))
    given_away = create(in_process, config_map("given-away"))
    in_process.change(
        target(given_away), lambda item: {**item, "metadata": {**item["metadata"], **owned_by(renamed)}}, OPTIONS
    )
    assert not exists(in_process, given_away)
    assert exists(in_process, service)


def test_a_finalizer_keeps_an_object_until_it_is_removed(in_process: Registry) -> None:
    kept = create(in_process, config_map("kept", finalizers=["example.com/clean"]))
    deleted, gone = in_process.delete(target(kept), DeleteOptions())
    assert not gone
    assert deleted["metadata"]["deletionTimestamp"]

    def add(item: Object) -> Object:
        return {**item, "metadata": {**item["metadata"], "finalizers": ["example.com/clean", "example.com/more"]}}

    with pytest.raises(ApiError, match="no new finalizers can be added if the object is being deleted"):
        in_process.change(target(kept), add, OPTIONS)
    in_process.change(target(kept), lambda item: {**item, "metadata": {**item["metadata"], "finalizers": []}}, OPTIONS)
    assert not exists(in_process, kept)


def test_a_foreground_deletion_waits_for_blocking_dependents(in_process: Registry) -> None:
    service = create(in_process, inference_service("churn"))
    worker = create(in_process, pod("worker", finalizers=["example.com/stop"], **owned_by(service, blocking=True)))
    _, gone = in_process.delete(target(service), DeleteOptions(policy="Foreground"))
    assert not gone
    assert in_process.get(target(worker))["metadata"]["deletionTimestamp"]
    in_process.change(target(worker), lambda item: {**item, "metadata": {**item["metadata"], "finalizers": []}}, OPTIONS)
    assert not exists(in_process, worker)
    assert not exists(in_process, service)


def test_a_new_dependent_of_an_owner_in_foreground_deletion_is_deleted_immediately(in_process: Registry) -> None:
    service = create(in_process, inference_service("churn"))
    settings = config_map("settings", **owned_by(service, blocking=True))
    settings["metadata"]["finalizers"] = ["example.com/hold"]
    create(in_process, settings)
    in_process.delete(target(service), DeleteOptions(policy="Foreground"))
    late = create(in_process, pod("late", **owned_by(service, blocking=True)))
    assert exists(in_process, service)
    assert not exists(in_process, late)


def test_a_namespace_takes_its_contents_and_waits_for_the_last(in_process: Registry) -> None:
    team = create(in_process, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
    create(in_process, config_map("a", namespace="team"))
    kept = create(in_process, config_map("kept", namespace="team", finalizers=["example.com/clean"]))
    in_process.delete(target(team), DeleteOptions())
    assert in_process.get(target(team))["status"]["phase"] == "Terminating"
    with pytest.raises(ForbiddenError, match="because it is being terminated"):
        create(in_process, config_map("late", namespace="team"))
    in_process.change(target(kept), lambda item: {**item, "metadata": {**item["metadata"], "finalizers": []}}, OPTIONS)
    assert not exists(in_process, team)


def test_the_default_namespace_may_not_be_deleted(in_process: Registry) -> None:
    with pytest.raises(ForbiddenError, match="this namespace may not be deleted"):
        in_process.delete(Target(NAMESPACES, "", "default"), DeleteOptions())


@pytest.mark.parametrize("options", [DeleteOptions(uid="another"), DeleteOptions(version="1")])
def test_a_failed_precondition_is_a_conflict(in_process: Registry, options: DeleteOptions) -> None:
    made = create(in_process, config_map("guarded"))
    with pytest.raises(ConflictError, match="Precondition failed"):
        in_process.delete(target(made), options)
    assert exists(in_process, made)


def test_every_kind_has_its_own_key_in_the_store() -> None:
    stored = [resource for resource in RESOURCES if not resource.stored_as]
    assert len({resource.key for resource in stored}) == len(stored)


@pytest.fixture
def on_node(in_process: Registry) -> Object:
    """A pod that a node runs, with half a minute of grace."""
    made = create(in_process, pod("worker"))
    in_process.bind(target(made), {"target": {"kind": "Node", "name": "minipdk"}}, OPTIONS)
    return in_process.get(target(made))


def ends(item: Object) -> datetime:
    return parse(item["metadata"]["deletionTimestamp"])


def test_a_pod_stays_until_its_node_has_ended_it(in_process: Registry, on_node: Object) -> None:
    deleted, gone = in_process.delete(target(on_node), DeleteOptions())
    assert (gone, deleted["metadata"]["deletionGracePeriodSeconds"]) == (False, 30)
    assert ends(deleted) > datetime.now(UTC)
    with pytest.raises(ConflictError, match="UID in precondition: another"):
        in_process.delete(target(on_node), DeleteOptions(grace=0, uid="another"))
    in_process.delete(target(on_node), DeleteOptions(grace=0, uid=on_node["metadata"]["uid"]))
    assert not exists(in_process, on_node)


def test_a_pods_grace_can_only_be_shortened(in_process: Registry, on_node: Object) -> None:
    first, _ = in_process.delete(target(on_node), DeleteOptions(grace=600))
    shorter, _ = in_process.delete(target(on_node), DeleteOptions(grace=60))
    assert ends(first) - ends(shorter) == timedelta(seconds=540)
    for later in (DeleteOptions(), DeleteOptions(grace=600)):
        assert in_process.delete(target(on_node), later) == (shorter, False)
    in_process.change(target(on_node), lambda item: item | {"status": {}}, OPTIONS)
    assert exists(in_process, on_node)


@pytest.mark.parametrize(("requested", "given"), [("-1", 1), ("9" * 18, (1 << 31) - 1)])
def test_an_impossible_grace_period_becomes_the_nearest_possible(
    in_process: Registry, on_node: Object, requested: str, given: int
) -> None:
    options = delete_options({}, {"gracePeriodSeconds": requested})
    marked, _ = in_process.delete(target(on_node), options)
    assert marked["metadata"]["deletionGracePeriodSeconds"] == given
    again, _ = in_process.delete(target(on_node), DeleteOptions(grace=0))
    assert again["metadata"]["uid"] == on_node["metadata"]["uid"]


def test_a_pod_that_runs_nowhere_is_deleted_immediately(in_process: Registry, on_node: Object) -> None:
    nowhere = create(in_process, pod("nowhere"))
    in_process.delete(target(nowhere), DeleteOptions())
    assert not exists(in_process, nowhere)
    in_process.change(
        Target(KINDS["Pod"], "models", "worker", "status"), lambda item: item | {"status": {"phase": "Failed"}}, OPTIONS
    )
    in_process.delete(target(on_node), DeleteOptions())
    assert not exists(in_process, on_node)


def test_a_pod_on_a_node_outlives_its_owner_and_keeps_its_namespace(in_process: Registry) -> None:
    team = create(in_process, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
    service = create(in_process, {**inference_service("churn"), "metadata": {"name": "churn", "namespace": "team"}})
    create(in_process, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "team"}})
    worker = create(in_process, pod("worker", **{**owned_by(service), "namespace": "team"}))
    in_process.bind(target(worker), {"target": {"name": "minipdk"}}, OPTIONS)
    in_process.delete(target(service), DeleteOptions())
    assert (exists(in_process, service), exists(in_process, worker)) == (False, True)
    assert in_process.get(target(worker))["metadata"]["deletionGracePeriodSeconds"] == 30
    in_process.delete(target(team), DeleteOptions())
    assert exists(in_process, team)
    in_process.delete(target(worker), DeleteOptions(grace=0))
    assert not exists(in_process, team)


def test_a_finalizer_keeps_a_pod_that_its_node_has_ended(in_process: Registry) -> None:
    kept = create(in_process, pod("kept", finalizers=["example.com/clean"]))
    in_process.bind(target(kept), {"target": {"name": "minipdk"}}, OPTIONS)
    in_process.delete(target(kept), DeleteOptions())
    deleted, gone = in_process.delete(target(kept), DeleteOptions(grace=0))
    assert (gone, deleted["metadata"]["deletionGracePeriodSeconds"]) == (False, 0)
    in_process.change(target(kept), lambda item: {**item, "metadata": {**item["metadata"], "finalizers": []}}, OPTIONS)
    assert not exists(in_process, kept)


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ({"target": {"name": "another"}}, 'pod worker is already assigned to node "minipdk"'),
        ({"target": {"kind": "Pod", "name": "a"}}, 'target.kind: Unsupported value: "Pod"'),
        ({"target": {}}, "target.name: Required value"),
        ({"metadata": {"name": "another"}, "target": {"name": "a"}}, "does not match the name on the URL"),
    ],
)
def test_a_pod_is_bound_to_one_node_once(in_process: Registry, on_node: Object, binding: Object, message: str) -> None:
    with pytest.raises(ApiError, match=message):
        in_process.bind(target(on_node), binding, OPTIONS)
    conditions = in_process.get(target(on_node))["status"]["conditions"]
    assert [(condition["type"], condition["status"]) for condition in conditions] == [("PodScheduled", "True")]


def test_an_event_expires_an_hour_after_it_was_written_last(in_process: Registry) -> None:
    """Whether or not its object exists, and regardless of the times that a client puts into it."""
    made = create(in_process, event("made"))
    future = create(in_process, event("future", lastTimestamp="2999-01-01T00:00:00Z"))
    an_hour_later = parse(made["metadata"]["creationTimestamp"]) + timedelta(minutes=61)
    for stored in (made, future):
        for entry in stored["metadata"]["managedFields"]:
            assert parse(entry["time"]) < an_hour_later
    in_process.expiry.remove_old(an_hour_later - timedelta(minutes=5))
    assert exists(in_process, made)
    in_process.expiry.remove_old(an_hour_later)
    assert not exists(in_process, made)
    assert not exists(in_process, future)


def test_an_event_that_is_counted_lives_on(in_process: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create(in_process, event("counted"))
    later = datetime.now(UTC) + timedelta(minutes=59)
    for module in (registry_module, managed_fields):
        monkeypatch.setattr(module, "now", lambda: written(later))
    in_process.change(target(made), lambda item: {**item, "count": 2}, OPTIONS)
    in_process.expiry.remove_old(datetime.now(UTC) + timedelta(minutes=90))
    assert exists(in_process, made)
