"""An InferenceService's status, as KServe writes it over Knative: conditions, model states, revisions, addresses.

A reconciliation that ends early leaves the rest of the status as it was: of a refused spec, for example, the model's status
alone tells. Rules:
https://github.com/kserve/kserve/blob/master/pkg/apis/serving/v1beta1/inference_service_status.go
"""

from __future__ import annotations

from minipdk.controller.objects import Object
from minipdk.services.kserve.conditions import (
    FALSE,
    TRUE,
    UNKNOWN,
    Condition,
    Standing,
    conditions,
    stopped,
    written,
    written_one,
)
from minipdk.services.kserve.errors import InvalidSpecError, ReconcileError, ServiceError
from minipdk.services.kserve.hosts import CLUSTER_DOMAIN, PREDICTOR_SUFFIX, domain_of, host
from minipdk.services.kserve.model_state import FAILED, LOADED, PENDING, ModelState, Revision, load_state, progress
from minipdk.services.kserve.traffic import CREATED, READY

UP_TO_DATE, IN_PROGRESS, BLOCKED, INVALID = "UpToDate", "InProgress", "BlockedByFailedLoad", "InvalidSpec"
DEPLOYMENT_MODE = {"deploymentMode": "Knative"}
RUNTIME_NAMES = ("clusterServingRuntimeName", "servingRuntimeName")
"""The fields that name the runtime that serves the model."""


def inference_service_status(isvc: Object, standing: Standing, runtime: Object) -> Object:
    """The whole status of ``isvc``. ``runtime`` are the fields that name its ServingRuntime, if it has one."""
    old = isvc.get("status") or {}
    refused = isinstance(standing.refusal, InvalidSpecError | ReconcileError)
    rows = conditions(isvc, standing)
    status: Object = {
        "conditions": written(isvc, rows),
        "modelStatus": _model_status(old.get("modelStatus") or {}, standing, rows),
        **DEPLOYMENT_MODE,
        **(runtime or {name: old[name] for name in RUNTIME_NAMES if name in old}),
    }
    if refused:
        kept = ("observedGeneration", "components", "url", "address")
        return {**{name: old[name] for name in kept if name in old}, **status}
    status |= {"observedGeneration": isvc["metadata"].get("generation", 1)}
    status |= {"components": {"predictor": predictor_status(isvc, standing)}}
    # As with KServe, the addresses appear when the service is first ready.
    if standing.serving or "url" in old:
        status["url"] = f"http://{_host(isvc, domain_of(isvc))}"
        status["address"] = {"url": f"http://{_host(isvc, CLUSTER_DOMAIN)}"}
    return status


def stopped_status(isvc: Object) -> Object:
    """The status of a service that its annotation stops: nothing of it runs, and nothing is known of its model."""
    return {"conditions": written(isvc, stopped()), "modelStatus": {"transitionStatus": ""}, **DEPLOYMENT_MODE}


def revision_status(revision: Object, standing: Revision, *, in_use: bool, desired: int) -> Object:
    """The status of a Revision, as Knative writes it. An unused revision keeps its Ready condition."""
    old = revision.get("status") or {}
    before = {condition["type"]: condition for condition in old.get("conditions", [])}
    seen = progress(standing)
    ready = Condition(TRUE) if standing.ready else Condition(UNKNOWN, "Deploying", seen.message)
    if seen.failed:
        reason = "ContainerMissing" if seen.exit_code is None else f"ExitCode{seen.exit_code}"
        ready = Condition(FALSE, reason, seen.message)
    rows = {"Active": Condition(TRUE), "Ready": ready}
    if not in_use:
        rows["Active"] = Condition(FALSE, "NoTraffic", "The target is not receiving traffic.")
        known = before.get("Ready", {})
        rows["Ready"] = Condition(known.get("status", UNKNOWN), known.get("reason", ""), known.get("message", ""))
    return {
        "observedGeneration": revision["metadata"].get("generation", 1),
        "conditions": [written_one(kind, row, before.get(kind), info=kind == "Active") for kind, row in rows.items()],
        "actualReplicas": standing.ready_replicas,
        "desiredReplicas": desired if in_use else 0,
    }


def not_true(status: Object) -> str:
    """The conditions that are False, as KServe's event names them."""
    return ", ".join(condition["type"] for condition in status["conditions"] if condition["status"] == FALSE)


def _host(isvc: Object, domain: str, suffix: str = "", prefix: str = "") -> str:
    return host(isvc["metadata"]["namespace"], f"{prefix}{isvc['metadata']['name']}{suffix}", domain)


def _model_status(old: Object, standing: Standing, rows: dict[str, Condition]) -> Object:
    if isinstance(standing.refusal, InvalidSpecError | ReconcileError):
        return _refused_model_status(old, standing.refusal)
    active, target = (old.get("states") or {}).get("activeModelState", ""), _load_state(old, standing, rows)
    ready = standing.latest.ready_replicas if standing.latest else 0
    failure = target.failure or old.get("lastFailureInfo")  # it stays when the model has been loaded since
    return {
        "transitionStatus": {LOADED: UP_TO_DATE, FAILED: BLOCKED}.get(target.state, IN_PROGRESS),
        "states": {"activeModelState": LOADED if target.state == LOADED else active, "targetModelState": target.state},
        "copies": {"failedCopies": 0, **({"totalCopies": ready} if ready else {})},
        **({"lastFailureInfo": failure} if failure else {}),
    }


def _load_state(old: Object, standing: Standing, rows: dict[str, Condition]) -> ModelState:
    newest_is_ready = bool(standing.latest) and standing.state.get(CREATED) == standing.state.get(READY)
    if rows["Ready"].status == TRUE and newest_is_ready:
        return ModelState(LOADED)
    if standing.latest is None or not standing.latest.pods:
        return ModelState(FAILED if rows["PredictorConfigurationReady"].status == FALSE else PENDING)
    return load_state(standing.latest, (old.get("states") or {}).get("targetModelState") or PENDING)


def _refused_model_status(old: Object, refusal: ServiceError) -> Object:
    if not refusal.reason:
        return {"transitionStatus": "", **old}
    active = (old.get("states") or {}).get("activeModelState", "")
    return {
        **old,
        "transitionStatus": INVALID,
        "states": {"activeModelState": active, "targetModelState": FAILED},
        "lastFailureInfo": {"reason": refusal.reason, "message": refusal.summary},
    }


def predictor_status(isvc: Object, standing: Standing) -> Object:
    """The part of the status that tells of the predictor's revisions, their shares and addresses."""
    status = dict(standing.state)
    if standing.serving:
        status["url"] = f"http://{_host(isvc, domain_of(isvc), PREDICTOR_SUFFIX)}"
        status["address"] = {"url": f"http://{_host(isvc, CLUSTER_DOMAIN, PREDICTOR_SUFFIX)}"}
    if traffic := status.get("traffic"):
        status["traffic"] = [_with_url(isvc, target) for target in traffic]
    return status


def _with_url(isvc: Object, target: Object) -> Object:
    """A traffic target, with a URL if it has a tag, which gives it a separate host name."""
    if "tag" not in target:
        return target
    return {**target, "url": f"http://{_host(isvc, domain_of(isvc), PREDICTOR_SUFFIX, prefix=target['tag'] + '-')}"}
