"""A SeldonDeployment's status, as Seldon's operator writes it, and the reason of its state Failed.

The operator waits for a Deployment's deadline of ten minutes before it calls a SeldonDeployment Failed, and gives no reason.
Here it is Failed as soon as no Pod serves and a Pod has failed, with that Pod's reason; it is Creating or Available again
when the Pod has recovered.
Rules: operator/apis/machinelearning.seldon.io/v1/seldon_deployment_status.go of
https://github.com/SeldonIO/seldon-core/tree/v1.17.1
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from minipdk.controller.events import now
from minipdk.controller.objects import Object
from minipdk.controller.progress import Obstacle, obstacle
from minipdk.services.seldon.components import PREDICTIONS, Component, endpoints, service_host
from minipdk.services.seldon.deployment_status import FALSE, TRUE

CREATING, AVAILABLE, FAILED = "Creating", "Available", "Failed"
NO_PROGRESS = "Deployment is no longer progressing and not available."
SETTLED = {
    "AmbassadorMappingsReady": "No Ambassador Mappaings defined",
    "HpasReady": "No HPAs defined",
    "KedaReady": "No KEDA resources defined",
    "PdbsReady": "No PDBs defined",
    "istioVirtualServicesReady": "No VirtualServices defined",
}
"""Conditions of kinds that are never made here, in the operator's words."""
STUCK = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "InvalidImageName")
MOUNT = "MountVolume.SetUp failed"
MISSING = re.compile(r"(secret|configmap|persistentvolumeclaim) \"[^\"]*\" not found$")


@dataclass(frozen=True)
class Condition:
    """A condition's status, reason and message."""

    status: str
    reason: str = ""
    message: str = ""


def failure_of(pods: Iterable[tuple[str, Object]]) -> str:
    """The first failure that does not pass by itself, of ``pods``, pairs of a name and a status; "" if there is none."""
    for name, status in pods:
        seen = obstacle(status, "a model's server")
        if seen.failed or seen.reason in STUCK or seen.message.startswith(MOUNT):
            return f"pod {name}: {_words(seen)}"
    return ""


def _words(seen: Obstacle) -> str:
    if seen.exit_code is not None:
        return f"container {seen.container} ended with status {seen.exit_code}: {seen.message}"
    remedy = ": create it in the same namespace" if MISSING.search(seen.message) else ""
    return f"container {seen.container}: {seen.message}{remedy}"


def is_ready(deployment: Object) -> bool:
    """Whether the operator calls a Deployment ready."""
    status = deployment.get("status") or {}
    current = status.get("observedGeneration") == deployment["metadata"]["generation"]
    return current and bool(status.get("readyReplicas")) and not status.get("unavailableReplicas")


def seldon_status(
    sdep: Object, components: list[Component], deployments: list[Object], *, state: str, description: str
) -> Object:
    """The whole status, with the Deployments' numbers. A refused SeldonDeployment has no known ``components``."""
    old = sdep.get("status") or {}
    ready = bool(deployments) and all(map(is_ready, deployments))
    rows = {**{kind: Condition(TRUE, reason) for kind, reason in SETTLED.items()}}
    rows["ServicesReady"] = (
        Condition(TRUE, "All services created") if ready else Condition(FALSE, "Not all services created")
    )
    rows["DeploymentsReady"] = _deployments_ready(deployments)
    rows["Ready"] = next(
        (rows[kind] for kind in ("DeploymentsReady", "ServicesReady") if rows[kind].status != TRUE), Condition(TRUE)
    )
    counts = {it["metadata"]["name"]: _replicas(it) for it in deployments}
    status: Object = {
        "state": state,
        **({"description": description} if description else {}),
        "conditions": _written(old, rows),
        "deploymentStatus": counts,
        "replicas": next(iter(counts.values()), {}).get("replicas", 0),
    }
    if components:
        first = components[0]
        status["address"] = {"url": f"http://{service_host(sdep, first.app)}:{first.http}{PREDICTIONS}"}
        status["serviceStatus"] = {
            service["metadata"]["name"]: endpoints(component, service)
            for component in components
            for service in component.services
        }
    else:
        status |= {name: old[name] for name in ("address", "serviceStatus") if name in old}
    return status


def _deployments_ready(deployments: list[Object]) -> Condition:
    """The condition Available of the first Deployment that is not ready, else of the first."""
    chosen = next((it for it in deployments if not is_ready(it)), deployments[0] if deployments else None)
    conditions = ((chosen or {}).get("status") or {}).get("conditions") or ()
    available = next((it for it in conditions if it["type"] == "Available"), None)
    if available is None:
        return Condition("Unknown")
    return Condition(available["status"], available["reason"], available["message"])


def has_timed_out(deployment: Object) -> bool:
    """Whether a Deployment neither progresses nor serves."""
    conditions = {it["type"]: it["status"] for it in (deployment.get("status") or {}).get("conditions") or ()}
    return conditions.get("Progressing") == FALSE and conditions.get("Available") == FALSE


def _replicas(deployment: Object) -> Object:
    status = deployment.get("status") or {}
    return {name: status[name] for name in ("replicas", "availableReplicas") if status.get(name)}


def _written(old: Object, rows: dict[str, Condition]) -> list[Object]:
    """The conditions by type; the time of one changes with its status, reason or message."""
    known = {condition["type"]: condition for condition in old.get("conditions") or ()}
    written = []
    for kind, row in sorted(rows.items()):
        fields = {"type": kind, "status": row.status}
        fields |= {name: value for name, value in (("reason", row.reason), ("message", row.message)) if value}
        before = known.get(kind, {})
        same = {name: value for name, value in before.items() if name != "lastTransitionTime"} == fields
        written.append({**fields, "lastTransitionTime": before["lastTransitionTime"] if same else now()})
    return written
