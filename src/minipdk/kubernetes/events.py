"""Events that the API server itself writes, and how long events are kept.

On a real cluster a scheduler or a controller would take up a bare pod or a Deployment. Here nobody does, and an event
says so where people look: `kubectl describe`, `kubectl get events`.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from minipdk.kubernetes.resources import EVENTS, Object, Resource
from minipdk.kubernetes.store import ObjectStore
from minipdk.kubernetes.times import now, parse

KEPT = timedelta(hours=1)
LOOK_EVERY = 60.0
NOT_RUN = {
    "Pod": ("FailedScheduling", "0/1 nodes are available: minipdk runs no bare pods, only those that its controllers make"),
    "Deployment": ("NotSupported", "minipdk keeps Deployments but does not run them"),
    "SeldonDeployment": ("NotSupported", "minipdk keeps SeldonDeployments but does not serve them"),
}


def nobody_runs(resource: Resource, created: Object) -> Object | None:
    """The event for an object that no controller made and none will take up; None for any other."""
    metadata = created["metadata"]
    spec = created.get("spec")
    bound = isinstance(spec, dict) and bool(spec.get("nodeName"))
    if resource.kind not in NOT_RUN or metadata.get("ownerReferences") or bound:
        return None
    reason, message = NOT_RUN[resource.kind]
    about = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "resourceVersion": metadata["resourceVersion"],
    }
    return {
        "metadata": {"name": f"{metadata['name'][:230]}.{time.time_ns():x}", "namespace": metadata["namespace"]},
        "involvedObject": about,
        "reason": reason,
        "message": message,
        "type": "Warning",
        "source": {"component": "minipdk"},
        "firstTimestamp": now(),
        "lastTimestamp": now(),
        "count": 1,
    }


class EventExpiry:
    """Forgets events after an hour, as a real API server does."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._looked = 0.0

    def forget_old(self) -> None:
        """Called within a transaction whenever an event is written; looks at most once a minute."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return
        self._looked = time.monotonic()
        oldest = datetime.now(UTC) - KEPT
        for event in self._store.select(EVENTS, "")[0]:
            seen = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
            if parse(seen) < oldest:
                self._store.remove(EVENTS, event)
