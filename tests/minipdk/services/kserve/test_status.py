"""The status of an InferenceService from its first revision to a failure, as KServe's own controller wrote it."""

from __future__ import annotations

from typing import Any

import pytest

from minipdk.services.kserve.conditions import Standing
from minipdk.services.kserve.errors import InvalidSpecError, NotSupportedError, ServingRuntimeError, SourceError
from minipdk.services.kserve.hosts import address, domain_of
from minipdk.services.kserve.model_state import Revision
from minipdk.services.kserve.status import inference_service_status, not_true, stopped_status

NAME = "churn-predictor-00001"
CREATED = {"latestCreatedRevision": NAME}
READY = {**CREATED, "latestReadyRevision": NAME}
RUNTIME = {"clusterServingRuntimeName": "kserve-sklearnserver"}
ENDED = {"exitCode": 3, "reason": "Error", "message": "no weights"}
FETCHED = {"name": "storage-initializer", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
FAILURE = {"reason": "ModelLoadFailed", "exitCode": 3, "message": "no weights"}
NO_INGRESS = "Predictor ingress not created"


def service(status: dict[str, Any] | None = None, labels: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {"name": "churn", "namespace": "models", "generation": 1, "labels": labels or {}}
    return {"metadata": metadata, "spec": {"predictor": {}}, **({"status": status} if status else {})}


def pod(server: dict[str, Any] | None = None, initializer: dict[str, Any] | None = None) -> dict[str, Any]:
    """A Pod's status, whose containers have these states."""
    first = {"name": "storage-initializer", **initializer} if initializer else FETCHED
    mains = [{"name": "kserve-container", **server}] if server else []
    return {"initContainerStatuses": [first], "containerStatuses": mains}


def standing(*pods: dict[str, Any], ready: bool = False, was_ready: bool = False, **fields: Any) -> Standing:
    latest = Revision(NAME, pods, int(ready), ready=ready)
    state = {**READY} if ready or was_ready else {**CREATED}
    return Standing(latest, state, **{"serving": ready, "settled": ready, **fields})


def written(progress: Standing, isvc: dict[str, Any] | None = None) -> dict[str, Any]:
    return inference_service_status(isvc or service(), progress, RUNTIME)


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {row["type"]: (row["status"], row.get("reason", "")) for row in status["conditions"]}


def waiting_or_failed(state: str, configuration: str) -> dict[str, tuple[str, str]]:
    """The conditions of a service that has never been ready."""
    return {
        "IngressReady": (state, NO_INGRESS),
        "LatestDeploymentReady": (state, "PredictorConfigurationReady not ready"),
        "PredictorConfigurationReady": (state, configuration),
        "PredictorReady": (state, configuration or "RevisionMissing"),
        "PredictorRouteReady": (state, "RevisionMissing"),
        "Ready": (state, NO_INGRESS),
        "RoutesReady": (state, "PredictorRouteReady not ready"),
        "Stopped": ("False", ""),
    }


IMAGE = {"waiting": {"reason": "ErrImagePull", "message": "there is no image"}}
CRASHED = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": ENDED}}


@pytest.mark.parametrize(
    ("pods", "failed", "target", "transition", "failure"),
    [
        ([], False, "Pending", "InProgress", None),
        ([pod(initializer={"state": {"running": {}}})], False, "Loading", "InProgress", None),
        ([pod({"state": {"running": {}}})], False, "Pending", "InProgress", None),
        ([pod({"state": IMAGE})], True, "Pending", "InProgress", None),
        ([pod({"state": {"terminated": ENDED}})], True, "FailedToLoad", "BlockedByFailedLoad", FAILURE),
        ([pod(CRASHED)], True, "FailedToLoad", "BlockedByFailedLoad", FAILURE),
        ([pod(initializer={"state": {"terminated": ENDED}})], True, "FailedToLoad", "BlockedByFailedLoad", FAILURE),
        ([pod({"state": {"running": {}}, "lastState": {"terminated": ENDED}})], True, "Pending", "InProgress", None),
    ],
    ids=["no-pod", "fetches", "starts", "no-image", "failed", "crashes", "no-model", "tries-again"],
)
def test_before_it_is_ready_a_service_waits_or_has_failed(
    pods: list[dict[str, Any]], failed: bool, target: str, transition: str, failure: dict[str, Any] | None
) -> None:
    status = written(standing(*pods))
    assert conditions(status) == waiting_or_failed(*(("False", "RevisionFailed") if failed else ("Unknown", "")))
    model = status["modelStatus"]
    assert model["states"] == {"activeModelState": "", "targetModelState": target}
    assert (model["transitionStatus"], model.get("lastFailureInfo")) == (transition, failure)
    assert model["copies"] == {"failedCopies": 0}
    assert (status["deploymentMode"], status["clusterServingRuntimeName"]) == ("Knative", "kserve-sklearnserver")
    assert "url" not in status


def test_a_ready_service_keeps_its_last_failure_and_its_address_when_it_fails_again() -> None:
    failed = written(standing(pod(CRASHED)))
    ready = written(standing(pod({"state": {"running": {}}}), ready=True), service(failed))
    assert {state for kind, (state, _) in conditions(ready).items() if kind != "Stopped"} == {"True"}
    assert ready["modelStatus"] == {
        "transitionStatus": "UpToDate",
        "states": {"activeModelState": "Loaded", "targetModelState": "Loaded"},
        "copies": {"failedCopies": 0, "totalCopies": 1},
        "lastFailureInfo": FAILURE,
    }
    again = written(standing(pod(CRASHED), was_ready=True), service(ready))
    rows = conditions(again)
    assert rows["IngressReady"] == rows["PredictorRouteReady"] == rows["RoutesReady"] == ("True", "")
    assert rows["Ready"] == rows["PredictorReady"] == ("False", "RevisionFailed")
    assert again["modelStatus"]["states"] == {"activeModelState": "Loaded", "targetModelState": "FailedToLoad"}
    assert again["url"] == "http://churn.models.example.com"
    named = "LatestDeploymentReady, PredictorConfigurationReady, PredictorReady, Ready, Stopped"
    assert not_true(again) == named


REFUSALS = [
    (ServingRuntimeError("none", reason="NoSupportingRuntime", summary="no runtime"), "NoSupportingRuntime"),
    (InvalidSpecError("no container"), "InvalidPredictorSpec"),
]


@pytest.mark.parametrize(("refusal", "reason"), REFUSALS, ids=["runtime", "spec"])
def test_a_refused_spec_changes_the_models_status_alone(refusal: Any, reason: str) -> None:
    first = written(Standing(None, {}, serving=False, settled=False, refusal=refusal))
    assert conditions(first) == dict.fromkeys(("IngressReady", "PredictorReady", "Ready"), ("Unknown", ""))
    assert first["modelStatus"]["states"] == {"activeModelState": "", "targetModelState": "FailedToLoad"}
    assert (first["modelStatus"]["transitionStatus"], first["modelStatus"]["lastFailureInfo"]["reason"]) == (
        "InvalidSpec",
        reason,
    )
    ready = written(standing(pod({"state": {"running": {}}}), ready=True))
    later = written(standing(ready=True, refusal=refusal), service(ready))
    assert later["conditions"] == ready["conditions"]
    assert later["modelStatus"]["states"] == {"activeModelState": "Loaded", "targetModelState": "FailedToLoad"}


def test_what_knative_and_kubernetes_refuse_is_false() -> None:
    refused = written(Standing(None, {}, serving=False, settled=False, refusal=NotSupportedError("spec.batcher")))
    failed = ("False", "ReconcileFailed")
    assert conditions(refused) == {"IngressReady": ("Unknown", ""), "PredictorReady": failed, "Ready": failed}
    lost = written(standing(refusal=SourceError("no such account")))
    assert conditions(lost) == waiting_or_failed("False", "RevisionFailed")
    assert lost["modelStatus"]["states"]["targetModelState"] == "FailedToLoad"
    assert "lastFailureInfo" not in lost["modelStatus"]


def test_of_a_stopped_service_nothing_is_known() -> None:
    ready = written(standing(pod({"state": {"running": {}}}), ready=True))
    status = stopped_status(service(ready))
    stopped = ("False", "Stopped")
    assert conditions(status) == {
        **dict.fromkeys(("IngressReady", "PredictorReady", "Ready"), stopped),
        "Stopped": ("True", ""),
    }
    assert {name: value for name, value in status.items() if name != "conditions"} == {
        "modelStatus": {"transitionStatus": ""},
        "deploymentMode": "Knative",
    }


def test_a_cluster_local_service_has_the_clusters_names_alone() -> None:
    isvc = service(labels={"networking.knative.dev/visibility": "cluster-local"})
    status = written(standing(pod({"state": {"running": {}}}), ready=True), isvc)
    assert status["url"] == "http://churn.models.svc.cluster.local"
    assert status["components"]["predictor"]["url"] == "http://churn-predictor.models.svc.cluster.local"
    where = address("models", "churn", domain_of(isvc))
    assert (where.hosts, where.path) == (("churn.models.svc.cluster.local",), "")
    assert where.aliases == ("churn-predictor.models.svc.cluster.local",)
