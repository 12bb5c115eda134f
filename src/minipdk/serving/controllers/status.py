"""An InferenceService's status, as KServe writes it over Knative: conditions, model states, revisions, addresses.

KServe derives it from the newest revision's Pod: https://kserve.github.io/website/0.14/modelserving/control_plane/
"""

from __future__ import annotations

from dataclasses import dataclass, field

from minipdk.serving.api import Object
from minipdk.serving.errors import InvalidSpecError
from minipdk.serving.events import now
from minipdk.serving.gateway.routes import CLUSTER_DOMAIN, DOMAIN, PREDICTOR_SUFFIX
from minipdk.serving.kubelet.status import CRASH_LOOP

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
# Model states and transitions.
PENDING, LOADING, LOADED, FAILED = "Pending", "Loading", "Loaded", "FailedToLoad"
UP_TO_DATE, IN_PROGRESS, BLOCKED, INVALID = "UpToDate", "InProgress", "BlockedByFailedLoad", "InvalidSpec"
LOAD_FAILED = "ModelLoadFailed"


@dataclass(frozen=True)
class Revision:
    """A revision's name, its Pod's status, and whether its server takes requests."""

    name: str
    pod_status: Object
    ready: bool


@dataclass(frozen=True)
class Standing:
    """Where a service stands: the newest revision, the one that serves, and why its spec is refused, if it is."""

    latest: Revision | None
    serving: Revision | None
    refusal: InvalidSpecError | None = None
    reason: str = ""

    @property
    def is_up_to_date(self) -> bool:
        return self.refusal is None and self.latest is not None and self.latest.ready


@dataclass(frozen=True)
class ModelState:
    """How the newest revision's model is: its state, and what went wrong or is being waited for."""

    state: str
    message: str = ""
    failure: Object = field(default_factory=dict)


def model_state(revision: Revision | None) -> ModelState:
    """The state of the model in ``revision``."""
    if revision is None:
        return ModelState(PENDING)
    if revision.ready:
        return ModelState(LOADED)
    containers = [*revision.pod_status.get("initContainerStatuses", []), *revision.pod_status.get("containerStatuses", [])]
    failure: Object = {}
    for container in containers:
        state, waiting = container["state"], container["state"].get("waiting", {})
        ended = state.get("terminated") or container.get("lastState", {}).get("terminated") or {}
        if ended.get("exitCode"):
            failure = _failure(container["name"], revision.name, ended)
            if "terminated" in state or waiting.get("reason") == CRASH_LOOP:
                return ModelState(FAILED, f"{container['name']} failed: {failure['message']}", failure)
        if waiting.get("message"):
            return ModelState(PENDING, f"{container['name']}: {waiting['message']}", failure)
    initialized = next(one for one in revision.pod_status["conditions"] if one["type"] == "Initialized")
    running = any("running" in container["state"] for container in containers)
    message = initialized.get("message") or "the model server is starting"
    if failure:
        message += f" (tried again after {failure['message']})"
    return ModelState(LOADING if running else PENDING, message, failure)


def _failure(container: str, revision: str, ended: Object) -> Object:
    """KServe's lastFailureInfo. It stays, while the container is tried again, until the model is loaded."""
    return {
        "reason": LOAD_FAILED,
        "message": ended.get("message", ""),
        "exitCode": ended["exitCode"],
        "location": container,
        "modelRevisionName": revision,
        "time": ended["finishedAt"],
    }


def inference_service_status(isvc: Object, standing: Standing) -> Object:
    """The whole status of ``isvc``; what has not changed keeps its times."""
    old = isvc.get("status") or {}
    model = model_state(standing.latest)
    status: Object = {
        "observedGeneration": isvc["metadata"].get("generation", 1),
        "conditions": _conditions(old.get("conditions", []), standing, model),
        "modelStatus": _model_status(old.get("modelStatus") or {}, standing, model),
        "components": {"predictor": _predictor_status(isvc, old, standing)},
    }
    # As with KServe, the addresses appear when the service is first ready.
    if standing.serving or "url" in old:
        status["url"] = f"http://{_host(isvc, DOMAIN)}"
        status["address"] = {"url": f"http://{_host(isvc, CLUSTER_DOMAIN)}"}
    return status


def _host(isvc: Object, domain: str, suffix: str = "") -> str:
    return f"{isvc['metadata']['name']}{suffix}.{isvc['metadata']['namespace']}.{domain}"


def _conditions(old: list[Object], standing: Standing, model: ModelState) -> list[Object]:
    if standing.is_up_to_date:
        latest = route = (TRUE, "", "")
    else:
        latest = _not_ready(standing, model)
        route = (TRUE, "", "") if standing.serving else (latest[0], "RevisionMissing", latest[2])
    ingress = (route[0], "" if route[0] == TRUE else "Predictor ingress not created", route[2])
    rows = {
        "IngressReady": (ingress, False),
        "LatestDeploymentReady": (latest, True),
        "PredictorConfigurationReady": (latest, True),
        "PredictorReady": (latest, False),
        "PredictorRouteReady": (route, True),
        "Ready": (latest, False),
        "RoutesReady": (route, True),
    }
    before = {condition["type"]: condition for condition in old}
    return [_condition(kind, values, info, before.get(kind)) for kind, (values, info) in rows.items()]


def _not_ready(standing: Standing, model: ModelState) -> tuple[str, str, str]:
    """Status, reason and message of a predictor whose newest revision does not serve."""
    if standing.refusal:
        return FALSE, standing.refusal.reason, str(standing.refusal)
    name = standing.latest.name if standing.latest else ""
    if model.state == FAILED:
        return FALSE, "RevisionFailed", f'Revision "{name}" failed with message: {model.message}.'
    return UNKNOWN, "Deploying", model.message or standing.reason


def _condition(kind: str, values: tuple[str, str, str], info: bool, before: Object | None) -> Object:
    status, reason, message = values
    since = before["lastTransitionTime"] if before and before["status"] == status else now()
    condition: Object = {"lastTransitionTime": since, "status": status, "type": kind}
    if info:
        condition["severity"] = "Info"
    return condition | {key: value for key, value in (("reason", reason), ("message", message)) if value}


def _model_status(old: Object, standing: Standing, model: ModelState) -> Object:
    states = {"targetModelState": model.state}
    if standing.serving:
        states["activeModelState"] = LOADED
    elif active := (old.get("states") or {}).get("activeModelState"):
        states["activeModelState"] = active if model.state != FAILED else FAILED
    failure = model.failure
    if standing.refusal:
        transition = INVALID
        reason = standing.refusal.reason
        failure = {"reason": reason, "message": str(standing.refusal)}
    else:
        transition = {LOADED: UP_TO_DATE, FAILED: BLOCKED}.get(model.state, IN_PROGRESS)
    copies = {"failedCopies": int(model.state == FAILED), "totalCopies": int(standing.latest is not None)}
    return {"transitionStatus": transition, "states": states, "copies": copies} | (
        {"lastFailureInfo": failure} if failure else {}
    )


def _predictor_status(isvc: Object, old: Object, standing: Standing) -> Object:
    known = (old.get("components") or {}).get("predictor") or {}
    status = {
        key: known[key]
        for key in ("latestCreatedRevision", "latestReadyRevision", "latestRolledoutRevision")
        if key in known
    }
    if standing.latest:
        status["latestCreatedRevision"] = standing.latest.name
    if standing.serving:
        status["latestReadyRevision"] = status["latestRolledoutRevision"] = standing.serving.name
        status["traffic"] = [{"latestRevision": True, "percent": 100, "revisionName": standing.serving.name}]
        status["url"] = f"http://{_host(isvc, DOMAIN, PREDICTOR_SUFFIX)}"
        status["address"] = {"url": f"http://{_host(isvc, CLUSTER_DOMAIN, PREDICTOR_SUFFIX)}"}
    return status
