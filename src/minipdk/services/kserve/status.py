"""An InferenceService's status, as KServe writes it over Knative: conditions, model states, revisions, addresses.

KServe derives it from the newest revision's Pods: https://kserve.github.io/website/0.15/modelserving/control_plane/
"""

from __future__ import annotations

from dataclasses import dataclass, field

from minipdk.controller.events import now
from minipdk.controller.objects import Object
from minipdk.controller.pods import CRASH_LOOP, IMAGE_ERROR
from minipdk.services.kserve.errors import InvalidSpecError
from minipdk.services.kserve.hosts import CLUSTER_DOMAIN, DOMAIN, PREDICTOR_SUFFIX, host

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
# Model states and transitions.
PENDING, LOADING, LOADED, FAILED = "Pending", "Loading", "Loaded", "FailedToLoad"
UP_TO_DATE, IN_PROGRESS, BLOCKED, INVALID = "UpToDate", "InProgress", "BlockedByFailedLoad", "InvalidSpec"
LOAD_FAILED = "ModelLoadFailed"

Condition = tuple[str, str, str]
"""A condition's status, reason and message."""


@dataclass(frozen=True)
class Revision:
    """A revision: its name, its Pods' statuses, the number of Pods that take requests, and whether that is enough."""

    name: str
    pods: tuple[Object, ...]
    ready_replicas: int
    ready: bool


@dataclass(frozen=True)
class Standing:
    """The progress of a service.

    ``latest`` is the newest revision, ``state`` the roll-out's state (see `traffic`), ``refusal`` the fault in the spec, if
    there is one. ``serving``: some revision answers requests; ``settled``: every revision in the traffic does.
    """

    latest: Revision | None
    state: Object
    serving: bool
    settled: bool
    refusal: InvalidSpecError | None = None


@dataclass(frozen=True)
class ModelState:
    """The state of a revision's model, with its failure or the reason for which it waits."""

    state: str
    message: str = ""
    failure: Object = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether the revision counts as failed: after any failure, until it is ready."""
        return bool(self.failure)


def model_state(revision: Revision | None) -> ModelState:
    """The state of the model in ``revision``: the worst of its Pods' states."""
    if revision is None:
        return ModelState(PENDING)
    if revision.ready:
        return ModelState(LOADED)
    states = [_model_state(revision.name, pod) for pod in revision.pods]
    return min(states, key=lambda model: (FAILED, PENDING, LOADING).index(model.state), default=ModelState(PENDING))


def _model_state(revision: str, pod: Object) -> ModelState:
    inits, mains = pod.get("initContainerStatuses", []), pod.get("containerStatuses", [])
    failure: Object = {}
    for container in [*inits, *mains]:
        state, waiting = container["state"], container["state"].get("waiting", {})
        ended = state.get("terminated") or container.get("lastState", {}).get("terminated") or {}
        if waiting.get("reason") == IMAGE_ERROR:
            failure = _failure(container["name"], revision, waiting)
            return ModelState(FAILED, f"{container['name']}: {failure['message']}", failure)
        if ended and (ended["exitCode"] or container in mains):  # a server must not end at all
            failure = _failure(container["name"], revision, ended)
            if "terminated" in state or waiting.get("reason") == CRASH_LOOP:
                return ModelState(FAILED, f"{container['name']} failed: {failure['message']}", failure)
        if waiting.get("message"):
            return ModelState(PENDING, f"{container['name']}: {waiting['message']}", failure)
    messages = {condition["type"]: condition.get("message") for condition in pod.get("conditions", [])}
    message = messages.get("PodScheduled") or messages.get("Initialized") or "the model server is starting"
    if failure:
        message += f" (tried again after {failure['message']})"
    running = any("running" in container["state"] for container in [*inits, *mains])
    return ModelState(LOADING if running else PENDING, message, failure)


def _failure(container: str, revision: str, state: Object) -> Object:
    """KServe's lastFailureInfo for a container's terminated or waiting ``state``.

    It stays, while the container is tried again, until the model is loaded.
    """
    message = state.get("message") or f"ended with status {state['exitCode']}: a model server has to go on"
    failure = {"reason": LOAD_FAILED, "message": message, "location": container, "modelRevisionName": revision}
    return failure | ({"exitCode": state["exitCode"], "time": state["finishedAt"]} if "exitCode" in state else {})


def inference_service_status(isvc: Object, standing: Standing) -> Object:
    """The whole status of ``isvc``; unchanged conditions keep their times."""
    old = isvc.get("status") or {}
    model = model_state(standing.latest)
    status: Object = {
        "observedGeneration": isvc["metadata"].get("generation", 1),
        "conditions": _conditions(old.get("conditions", []), standing, model),
        "modelStatus": _model_status(old.get("modelStatus") or {}, standing, model),
        "components": {"predictor": _predictor_status(isvc, standing)},
    }
    # As with KServe, the addresses appear when the service is first ready.
    if standing.serving or "url" in old:
        status["url"] = f"http://{_host(isvc, DOMAIN)}"
        status["address"] = {"url": f"http://{_host(isvc, CLUSTER_DOMAIN)}"}
    return status


def revision_status(revision: Object, standing: Revision, *, in_use: bool, desired: int) -> Object:
    """The status of a Revision, as Knative writes it. An unused revision keeps its Ready condition."""
    old = revision.get("status") or {}
    before = {condition["type"]: condition for condition in old.get("conditions", [])}
    model = model_state(standing)
    ready = (TRUE, "", "") if standing.ready else (UNKNOWN, "Deploying", model.message)
    if model.failed:
        code = model.failure.get("exitCode")
        ready = FALSE, "ContainerMissing" if code is None else f"ExitCode{code}", model.message
    rows: dict[str, Condition] = {"Active": (TRUE, "", ""), "Ready": ready}
    if not in_use:
        rows["Active"] = FALSE, "NoTraffic", "The target is not receiving traffic."
        known = before.get("Ready", {})
        rows["Ready"] = known.get("status", UNKNOWN), known.get("reason", ""), known.get("message", "")
    return {
        "observedGeneration": revision["metadata"].get("generation", 1),
        "conditions": [_condition(kind, values, kind == "Active", before.get(kind)) for kind, values in rows.items()],
        "actualReplicas": standing.ready_replicas,
        "desiredReplicas": desired if in_use else 0,
    }


def _host(isvc: Object, domain: str, suffix: str = "", prefix: str = "") -> str:
    return host(isvc["metadata"]["namespace"], f"{prefix}{isvc['metadata']['name']}{suffix}", domain)


def _conditions(old: list[Object], standing: Standing, model: ModelState) -> list[Object]:
    configuration = _configuration(standing, model)
    route = _route(standing, configuration)
    predictor = configuration if configuration[0] != TRUE else route
    ingress = (predictor[0], "" if predictor[0] == TRUE else "Predictor ingress not created", "")
    rows: dict[str, tuple[Condition, bool]] = {
        "IngressReady": (ingress, False),
        "LatestDeploymentReady": (_across("PredictorConfigurationReady", configuration), True),
        "PredictorConfigurationReady": (configuration, True),
        "PredictorReady": (predictor, False),
        "PredictorRouteReady": (route, True),
        "Ready": (predictor, False),
        "RoutesReady": (_across("PredictorRouteReady", route), True),
    }
    before = {condition["type"]: condition for condition in old}
    return [_condition(kind, values, info, before.get(kind)) for kind, (values, info) in rows.items()]


def _across(kind: str, component: Condition) -> Condition:
    """The condition across all components: it names the component that is not ready, whose own condition has the reason."""
    return component if component[0] == TRUE else (component[0], f"{kind} not ready", "")


def _configuration(standing: Standing, model: ModelState) -> Condition:
    """Whether the newest revision is ready."""
    if standing.refusal:
        return FALSE, standing.refusal.reason, str(standing.refusal)
    if standing.latest and standing.latest.ready:
        return TRUE, "", ""
    name = standing.latest.name if standing.latest else ""
    if model.failed:
        return FALSE, "RevisionFailed", f'Revision "{name}" failed with message: {model.message}.'
    return UNKNOWN, "Deploying", model.message


def _route(standing: Standing, configuration: Condition) -> Condition:
    """Whether requests go to the revisions that should answer them."""
    if standing.serving and standing.settled:
        return TRUE, "", ""
    if configuration[0] == TRUE:
        return UNKNOWN, "RevisionMissing", "waiting for a revision that is to have requests to be ready"
    return configuration[0], "RevisionMissing", configuration[2]


def _condition(kind: str, values: Condition, info: bool, before: Object | None) -> Object:
    status, reason, message = values
    since = before["lastTransitionTime"] if before and before["status"] == status else now()
    condition: Object = {"lastTransitionTime": since, "status": status, "type": kind}
    if info:
        condition["severity"] = "Info"
    return condition | {key: value for key, value in (("reason", reason), ("message", message)) if value}


def _model_status(old: Object, standing: Standing, model: ModelState) -> Object:
    states = {"targetModelState": FAILED if standing.refusal else model.state}
    if standing.serving:
        states["activeModelState"] = LOADED
    elif active := (old.get("states") or {}).get("activeModelState"):
        states["activeModelState"] = active if model.state != FAILED else FAILED
    failure, transition = model.failure, {LOADED: UP_TO_DATE, FAILED: BLOCKED}.get(model.state, IN_PROGRESS)
    if standing.refusal:
        failure = {"reason": standing.refusal.reason, "message": standing.refusal.summary}
        transition = INVALID
    copies = {
        "failedCopies": int(model.state == FAILED),
        "totalCopies": len(standing.latest.pods) if standing.latest else 0,
    }
    return {"transitionStatus": transition, "states": states, "copies": copies} | (
        {"lastFailureInfo": failure} if failure else {}
    )


def _predictor_status(isvc: Object, standing: Standing) -> Object:
    status = dict(standing.state)
    if standing.serving:
        status["url"] = f"http://{_host(isvc, DOMAIN, PREDICTOR_SUFFIX)}"
        status["address"] = {"url": f"http://{_host(isvc, CLUSTER_DOMAIN, PREDICTOR_SUFFIX)}"}
    if traffic := status.get("traffic"):
        status["traffic"] = [_with_url(isvc, target) for target in traffic]
    return status


def _with_url(isvc: Object, target: Object) -> Object:
    """A traffic target, with a URL if it has a tag, which gives it a separate host name."""
    if "tag" not in target:
        return target
    return {**target, "url": f"http://{_host(isvc, DOMAIN, PREDICTOR_SUFFIX, prefix=target['tag'] + '-')}"}
