"""The conditions of an InferenceService, as KServe sets them from the Knative Service of its predictor.

`Ready` depends on `PredictorReady` and `IngressReady`; the others only inform.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from minipdk.controller.events import now
from minipdk.controller.objects import Object
from minipdk.services.kserve.errors import InvalidSpecError, PodError, ReconcileError, ServiceError
from minipdk.services.kserve.hosts import PREDICTOR_SUFFIX
from minipdk.services.kserve.model_state import Revision, progress
from minipdk.services.kserve.traffic import READY

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
STOPPED = "Stopped"
DEPENDENTS = ("PredictorReady", "IngressReady")
NO_INGRESS = "Predictor ingress not created"


class Condition(NamedTuple):
    """A condition's status, reason and message."""

    status: str
    reason: str = ""
    message: str = ""


@dataclass(frozen=True)
class Standing:
    """The progress of a service.

    ``latest`` is the newest revision, ``state`` the roll-out's state (see `traffic`), ``refusal`` why it cannot be served,
    if it cannot. ``serving``: some revision answers requests; ``settled``: every revision in the traffic does.
    """

    latest: Revision | None
    state: Object
    serving: bool
    settled: bool
    refusal: ServiceError | None = None


def conditions(isvc: Object, standing: Standing) -> dict[str, Condition]:
    """The conditions of ``isvc`` by type."""
    refusal = standing.refusal
    if isinstance(refusal, InvalidSpecError):
        return known(isvc) or dict.fromkeys((*DEPENDENTS, "Ready"), Condition(UNKNOWN))
    if isinstance(refusal, ReconcileError):
        before = known(isvc) or {"IngressReady": Condition(UNKNOWN)}
        failed = Condition(FALSE, "ReconcileFailed", str(refusal))
        return {**before, "PredictorReady": failed, "Ready": failed}
    return _of_predictor(isvc, standing)


def stopped() -> dict[str, Condition]:
    """The conditions of a service that its annotation stops."""
    return {**dict.fromkeys((*DEPENDENTS, "Ready"), Condition(FALSE, STOPPED)), STOPPED: Condition(TRUE)}


def known(isvc: Object) -> dict[str, Condition]:
    """The conditions that the service's status has."""
    return {
        row["type"]: Condition(row["status"], row.get("reason", ""), row.get("message", ""))
        for row in (isvc.get("status") or {}).get("conditions", [])
    }


def written(isvc: Object, rows: Mapping[str, Condition]) -> list[Object]:
    """The conditions as the API has them; those whose status is unchanged keep their times."""
    before = {row["type"]: row for row in (isvc.get("status") or {}).get("conditions", [])}
    return [
        written_one(kind, rows[kind], before.get(kind), info=kind not in (*DEPENDENTS, "Ready")) for kind in sorted(rows)
    ]


def written_one(kind: str, condition: Condition, before: Object | None, *, info: bool) -> Object:
    since = before["lastTransitionTime"] if before and before["status"] == condition.status else now()
    details = {"severity": "Info" if info else "", "reason": condition.reason, "message": condition.message}
    details = {name: value for name, value in details.items() if value}
    return {"lastTransitionTime": since, "status": condition.status, "type": kind, **details}


def _of_predictor(isvc: Object, standing: Standing) -> dict[str, Condition]:
    configuration = _configuration(standing)
    route = _route(f"{isvc['metadata']['name']}{PREDICTOR_SUFFIX}", standing, configuration)
    predictor = configuration if configuration.status == FALSE or route.status == TRUE else route
    has_url = standing.serving or "url" in (isvc.get("status") or {})
    ingress = Condition(TRUE) if has_url else Condition(predictor.status, NO_INGRESS)
    return {
        "IngressReady": ingress,
        "LatestDeploymentReady": _across("PredictorConfigurationReady", configuration),
        "PredictorConfigurationReady": configuration,
        "PredictorReady": predictor,
        "PredictorRouteReady": route,
        "Ready": predictor if ingress.status == TRUE else ingress,
        "RoutesReady": _across("PredictorRouteReady", route),
        STOPPED: Condition(FALSE),
    }


def _across(kind: str, component: Condition) -> Condition:
    """The condition across all components: it names the component that is not ready, whose own condition has the reason."""
    return component if component.status == TRUE else Condition(component.status, f"{kind} not ready")


def _configuration(standing: Standing) -> Condition:
    """Whether the newest revision is ready."""
    if standing.latest and standing.latest.ready:
        return Condition(TRUE)
    if isinstance(standing.refusal, PodError):
        return _failed(standing, str(standing.refusal))
    seen = progress(standing.latest)
    return _failed(standing, seen.message) if seen.failed else Condition(UNKNOWN)


def _failed(standing: Standing, message: str) -> Condition:
    name = standing.latest.name if standing.latest else ""
    return Condition(FALSE, "RevisionFailed", f'Revision "{name}" failed with message: {message}.')


def _route(configuration_name: str, standing: Standing, configuration: Condition) -> Condition:
    """Whether requests go to the revisions that should answer them: it stays so when such a revision fails later."""
    if standing.state.get(READY) and (standing.settled or configuration.status == FALSE):
        return Condition(TRUE)
    name = f'Configuration "{configuration_name}"'
    if configuration.status == FALSE:
        return Condition(FALSE, "RevisionMissing", f"{name} does not have any ready Revision.")
    return Condition(UNKNOWN, "RevisionMissing", f"{name} is waiting for a Revision to become ready.")
