"""An InferenceService that cannot become ready is known by its status."""

from __future__ import annotations

from typing import Any

import pytest

from course.endpoint import failure

MESSAGE = 'Revision "churn-predictor-00002" failed with message: image churn:2.0 is not here.'


def service(configuration: str, transition: str = "InProgress", *, observed: int = 2) -> dict[str, Any]:
    """An InferenceService of generation 2 with the status of its PredictorConfigurationReady and its model's transition."""
    conditions = [{"type": "Ready", "status": "False"}, {"type": "PredictorConfigurationReady", "status": configuration}]
    conditions[1] |= {"message": MESSAGE} if configuration == "False" else {}
    model = {"transitionStatus": transition, "lastFailureInfo": {"message": "spec.predictor is empty"}}
    status = {"observedGeneration": observed, "conditions": conditions, "modelStatus": model}
    return {"metadata": {"generation": 2}, "status": status}


RECONCILE_FAILED = {"type": "PredictorReady", "status": "False", "reason": "ReconcileFailed"}
REFUSED_BY_KNATIVE = {
    "metadata": {"generation": 1},
    "status": {"conditions": [RECONCILE_FAILED | {"message": "spec.predictor.batcher is not supported"}]},
}


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (service("False"), MESSAGE),
        (service("Unknown", "InvalidSpec"), "spec.predictor is empty"),
        (service("Unknown"), ""),
        (service("True", "UpToDate"), ""),
        (service("Unknown", "BlockedByFailedLoad"), ""),
        (service("False", observed=1), ""),
        (REFUSED_BY_KNATIVE, "spec.predictor.batcher is not supported"),
        ({"metadata": {"generation": 1}}, ""),
    ],
    ids=[
        "failed",
        "refused",
        "starting",
        "ready",
        "fetched again",
        "of the previous generation",
        "refused by Knative",
        "new",
    ],
)
def test_only_a_failed_revision_or_a_refused_spec_ends_the_wait(found: dict[str, Any], reason: str) -> None:
    assert failure(found) == reason
