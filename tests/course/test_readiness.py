"""The reason for which an InferenceService is not ready, from the reports of KServe and Kubernetes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from course import Profile, readiness

UNKNOWN = {"PredictorReady": {"status": "Unknown"}}
WAITING = {
    "PredictorConfigurationReady": {"status": "Unknown"},
    "PredictorReady": {"status": "Unknown", "message": 'Configuration "c" is waiting for a Revision to become ready.'},
}
NEWER, OLDER = "2026-01-01T00:00:02Z", "2026-01-01T00:00:01Z"


class Cluster:
    """Events and Pods of a namespace, as the Kubernetes client gives them."""

    def __init__(self, events: list[Any], pods: list[Any]) -> None:
        self._events, self._pods = events, pods

    def list_namespaced_event(self, _namespace: str, field_selector: str) -> SimpleNamespace:
        assert field_selector == "involvedObject.name=churn,reason=InternalError"
        return SimpleNamespace(items=self._events)

    def list_namespaced_pod(self, _namespace: str, label_selector: str) -> SimpleNamespace:
        assert label_selector == "serving.kserve.io/inferenceservice=churn"
        return SimpleNamespace(items=self._pods)


def event(message: str, last: str = OLDER, uid: str = "1") -> SimpleNamespace:
    return SimpleNamespace(message=message, last_timestamp=last, involved_object=SimpleNamespace(uid=uid))


def pod(message: str, created: str, *, waits: bool = True) -> SimpleNamespace:
    waiting = SimpleNamespace(message=message if waits else None)
    container = SimpleNamespace(name="kserve-container", state=SimpleNamespace(waiting=waiting))
    condition = SimpleNamespace(status="False", message=message)
    status = SimpleNamespace(init_container_statuses=None, container_statuses=[container], conditions=[condition])
    return SimpleNamespace(metadata=SimpleNamespace(creation_timestamp=created), status=status)


def reason(conditions: dict[str, Any], model: dict[str, Any], events: list[Any], pods: list[Any]) -> str:
    status = {"conditions": [{"type": kind, **found} for kind, found in conditions.items()], "modelStatus": model}
    service = {"metadata": {"name": "churn", "namespace": "models", "uid": "1"}, "status": status}
    profile = cast("Profile", SimpleNamespace(kubernetes=Cluster(events, pods)))
    return readiness.reason(profile, service)


NO_RUNTIME = {"states": {"targetModelState": "FailedToLoad"}, "lastFailureInfo": {"message": "No runtime found"}}
OLD_FAILURE = {"states": {"targetModelState": "Pending"}, "lastFailureInfo": {"message": "no weights"}}


@pytest.mark.parametrize(
    ("conditions", "model", "events", "pods", "said"),
    [
        ({"PredictorReady": {"status": "False", "reason": "Stopped"}}, {}, [], [], "Stopped"),
        ({"PredictorReady": {"status": "False", "message": "it failed"}}, NO_RUNTIME, [], [], "it failed"),
        (UNKNOWN, NO_RUNTIME, [event("also here")], [], "No runtime found"),
        (UNKNOWN, {}, [event("first"), event("then", NEWER), event("of another", NEWER, "2")], [], "then"),
        (WAITING, OLD_FAILURE, [event("before")], [pod("old", OLDER), pod("new", NEWER)], "kserve-container: new"),
        (WAITING, OLD_FAILURE, [], [pod("no room", OLDER, waits=False)], "no room"),
        (WAITING, {}, [], [], "not ready yet"),
        ({}, {}, [], [], "not ready yet"),
    ],
)
def test_the_reason_is_found_where_the_cluster_has_it(
    conditions: dict[str, Any], model: dict[str, Any], events: list[Any], pods: list[Any], said: str
) -> None:
    assert reason(conditions, model, events, pods) == said
