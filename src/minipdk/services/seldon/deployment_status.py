"""A Deployment's status, which `kubectl rollout status` and `kubectl get deploy` read.

Rules: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from minipdk.controller.events import now
from minipdk.controller.objects import Object

TRUE, FALSE = "True", "False"
DEFAULT_DEADLINE = 600
DEADLINE_EXCEEDED, COMPLETE = "ProgressDeadlineExceeded", "NewReplicaSetAvailable"
CLOCK_SECONDS = 1.0
"""The precision of times in conditions."""


@dataclass(frozen=True)
class Counts:
    """How many Pods a Deployment wants, has, has of its current template, and has ready for requests.

    ``dispensable`` ones may be missing during a roll-out.
    """

    desired: int
    total: int
    updated: int
    ready: int
    dispensable: int

    @property
    def complete(self) -> bool:
        return self.updated == self.total == self.ready == self.desired


def deployment_status(deployment: Object, counts: Counts, template_hash: str) -> Object:
    """The whole status; it is the old one if nothing has changed."""
    old = deployment.get("status") or {}
    unavailable = max(0, max(counts.desired, counts.total) - counts.ready)
    numbers = {
        "replicas": counts.total,
        "updatedReplicas": counts.updated,
        "readyReplicas": counts.ready,
        "availableReplicas": counts.ready,
        "unavailableReplicas": unavailable,
    }
    known = {condition["type"]: condition for condition in old.get("conditions") or ()}
    if counts.ready >= counts.desired - counts.dispensable:
        available = (TRUE, "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        available = (FALSE, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    progressing, moved = _progressing(deployment, counts, f"{deployment['metadata']['name']}-{template_hash}")
    return {
        "observedGeneration": deployment["metadata"]["generation"],
        **{name: number for name, number in numbers.items() if number},
        "conditions": [
            _condition("Available", available, known.get("Available")),
            _condition("Progressing", progressing, known.get("Progressing"), moved=moved),
        ],
    }


def _progressing(deployment: Object, counts: Counts, replica_set: str) -> tuple[tuple[str, str, str], bool]:
    """The condition Progressing, and whether there was progress now. ``replica_set`` names the current Pods."""
    old = deployment.get("status") or {}
    known = next((it for it in old.get("conditions") or () if it["type"] == "Progressing"), None)
    subject = f'ReplicaSet "{replica_set}"'
    if counts.complete:
        return (TRUE, COMPLETE, f"{subject} has successfully progressed."), False
    if known is None or replica_set not in known["message"]:
        return (TRUE, "NewReplicaSetCreated", f'Created new replica set "{replica_set}"'), True
    before = {name: old.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")}
    moved = (
        counts.updated > before["updatedReplicas"]
        or counts.ready > before["readyReplicas"]
        or counts.total - counts.updated < before["replicas"] - before["updatedReplicas"]
    )
    if moved:
        return (TRUE, "ReplicaSetUpdated", f"{subject} is progressing."), True
    if known["reason"] == DEADLINE_EXCEEDED:
        return (FALSE, DEADLINE_EXCEEDED, known["message"]), False
    deadline = deployment["spec"].get("progressDeadlineSeconds", DEFAULT_DEADLINE)
    if known["reason"] != COMPLETE and _seconds_since(known["lastUpdateTime"]) > deadline:
        return (FALSE, DEADLINE_EXCEEDED, f"{subject} has timed out progressing."), False
    return (known["status"], known["reason"], known["message"]), False


def seconds_left(deployment: Object) -> float | None:
    """The seconds until the roll-out times out; None if it is complete or has."""
    conditions = (deployment.get("status") or {}).get("conditions") or ()
    known = next((it for it in conditions if it["type"] == "Progressing"), None)
    if known is None or known["status"] == FALSE or known["reason"] == COMPLETE:
        return None
    deadline = deployment["spec"].get("progressDeadlineSeconds", DEFAULT_DEADLINE)
    return max(0.0, float(deadline) - _seconds_since(known["lastUpdateTime"])) + CLOCK_SECONDS


def _condition(kind: str, row: tuple[str, str, str], known: Object | None, *, moved: bool = False) -> Object:
    status, reason, message = row
    fields = {"type": kind, "status": status, "reason": reason, "message": message}
    if known and not moved and fields == {name: known.get(name) for name in fields}:
        return known
    since = known["lastTransitionTime"] if known and known["status"] == status else now()
    return {**fields, "lastUpdateTime": now(), "lastTransitionTime": since}


def _seconds_since(time: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()
