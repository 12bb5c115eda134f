"""Ask the churn endpoint, with the request that notebook 05 writes out, and find out why an endpoint has failed."""

from __future__ import annotations

from typing import Any

import requests

from course.profile import Profile

SERVICE = "customer-churn"
MODEL = "customer-churn"
TIMEOUT_SECONDS = 30
NOT_FOUND = 404


class EndpointError(RuntimeError):
    """An InferenceService does not exist or cannot become ready; the message has the reason and the next command."""


def failure(service: dict[str, Any]) -> str:
    """The reason for which the newest revision of ``service`` has failed; empty while it is ready or may become so.

    Knative sets the condition of a Configuration to False only when its newest revision has failed. KServe sets the
    transition to InvalidSpec when it refuses the spec, and the reason ReconcileFailed when Knative does. A model that could
    not be fetched yet (BlockedByFailedLoad) is fetched again.
    """
    status = service.get("status", {})
    if status.get("observedGeneration") not in (None, service["metadata"].get("generation")):
        return ""
    conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
    configuration, model = conditions.get("PredictorConfigurationReady", {}), status.get("modelStatus", {})
    if configuration.get("status") == "False":
        return str(configuration.get("message") or configuration.get("reason") or "the predictor's revision failed")
    if (predictor := conditions.get("PredictorReady", {})).get("reason") == "ReconcileFailed":
        return str(predictor.get("message") or "Knative refuses the spec")
    if model.get("transitionStatus") == "InvalidSpec":
        return str(model.get("lastFailureInfo", {}).get("message") or "KServe refuses the spec")
    return ""


def find(profile: Profile, name: str = SERVICE) -> dict[str, Any] | None:
    """The InferenceService ``name``; None if there is none. Other errors of the API server are raised as they are."""
    try:
        return dict(profile.kserve.get(name, namespace=profile["KSERVE_NAMESPACE"]))
    except RuntimeError as error:  # KServeClient raises it for every status, from the ApiException that has the status
        if getattr(error.__context__, "status", None) != NOT_FOUND:
            raise
        return None


def hostname(profile: Profile, name: str = SERVICE) -> str:
    """The Host by which the ingress routes to the InferenceService: the host of its status.url."""
    service = profile.kserve.get(name, namespace=profile["KSERVE_NAMESPACE"])
    url: str = service.get("status", {}).get("url", "")
    if not url:
        raise RuntimeError(f"the InferenceService {name} has no URL yet: wait until it is Ready (kubectl get isvc {name})")
    return url.split("/")[2]


def predict(profile: Profile, data: dict[str, Any], name: str = SERVICE) -> list[int]:
    """The predictions (1 for churn) for ``data``, a column -> {row: value} mapping.

    Raises RuntimeError with the endpoint's own message if it answers with an error.
    """
    response = requests.post(
        f"{profile.ingress}/v1/models/{MODEL}:predict",
        json={"instances": [{"data": data}]},
        headers={"Host": hostname(profile, name)},
        timeout=TIMEOUT_SECONDS,
    )
    if not response.ok:
        raise RuntimeError(f"the endpoint answered {response.status_code}: {response.text}")
    return [int(row[0]) for row in response.json()["predictions"]]
