"""Say why an InferenceService is not ready, from everything that tells of it on a cluster.

KServe spreads the reason: a revision that fails is in the conditions, a spec that no runtime serves in the model's status, a
spec that it refuses for another reason in an event alone, and the obstacle of a new revision in its Pods.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from course.profile import Profile

SERVICE_LABEL = "serving.kserve.io/inferenceservice"


def conditions(service: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The conditions of ``service`` by type."""
    return {condition["type"]: condition for condition in service.get("status", {}).get("conditions", [])}


def reason(profile: Profile, service: dict[str, Any]) -> str:
    """A sentence about the obstacle or the failure of ``service``; "not ready yet" if nothing is known."""
    return _of_status(service) or _refusal(profile, service) or _pods(profile, service) or "not ready yet"


def _of_status(service: dict[str, Any]) -> str:
    """The reason that the service's own status has; "" if it has none."""
    status = service.get("status", {})
    predictor, model = conditions(service).get("PredictorReady", {}), status.get("modelStatus", {})
    if predictor.get("status") == "False":
        return str(predictor.get("message") or predictor.get("reason") or "")
    if model.get("states", {}).get("targetModelState") == "FailedToLoad":  # an older failure stays in a later status
        return str(model.get("lastFailureInfo", {}).get("message", ""))
    return ""


def _refusal(profile: Profile, service: dict[str, Any]) -> str:
    """The latest event of a service of whose predictor no condition tells: KServe has refused its spec."""
    if "PredictorConfigurationReady" in conditions(service):
        return ""
    metadata = service["metadata"]
    selector = f"involvedObject.name={metadata['name']},reason=InternalError"
    events = profile.kubernetes.list_namespaced_event(metadata["namespace"], field_selector=selector).items
    own = [event for event in events if event.involved_object.uid == metadata["uid"]]
    return str(max(own, key=lambda event: str(event.last_timestamp)).message) if own else ""


def _pods(profile: Profile, service: dict[str, Any]) -> str:
    """The obstacle of the newest Pod."""
    namespace, label = service["metadata"]["namespace"], f"{SERVICE_LABEL}={service['metadata']['name']}"
    pods = profile.kubernetes.list_namespaced_pod(namespace, label_selector=label).items
    newest = max(pods, key=lambda pod: str(pod.metadata.creation_timestamp), default=None)
    return next(_waits(newest), "") if newest else ""


def _waits(pod: Any) -> Iterator[str]:
    status = pod.status
    for container in [*(status.init_container_statuses or []), *(status.container_statuses or [])]:
        waiting = container.state.waiting if container.state else None
        if waiting and waiting.message:
            yield f"{container.name}: {waiting.message}"
    for condition in status.conditions or []:
        if condition.status == "False" and condition.message:
            yield condition.message
