"""Kinds that are kept and that nothing here runs, and how a client is told so.

On a real cluster a controller would take up a Deployment. Here nobody does, and that is said where people look: a warning
when it is made, an event for `kubectl describe`, and a status that waits in vain for nobody.
"""

from __future__ import annotations

import time

from minipdk.services.kubernetes.model import Object, Resource
from minipdk.services.kubernetes.times import now

NOT_RUN = {
    "Deployment": ("NotSupported", "minipdk keeps Deployments but does not run them"),
    "SeldonDeployment": ("NotSupported", "minipdk keeps SeldonDeployments but does not serve them"),
}


def why(resource: Resource, found: Object) -> str:
    """Why an object that no controller made will not be taken up; "" for any other."""
    if resource.kind not in NOT_RUN or found["metadata"].get("ownerReferences"):
        return ""
    return NOT_RUN[resource.kind][1]


def event(resource: Resource, created: Object) -> Object:
    """The event about ``created`` that says so."""
    metadata = created["metadata"]
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


def status(resource: Resource, found: Object) -> Object:
    """What the status of ``found`` says of it; nothing for an object that is run."""
    message = why(resource, found)
    if resource.kind == "Deployment" and message:
        at = {"lastUpdateTime": now(), "lastTransitionTime": now()}
        # the reason that ends `kubectl rollout status`, which would wait for ever
        conditions = [
            {"type": "Available", "status": "False", "reason": "NotSupported", "message": message, **at},
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": message, **at},
        ]
        return {"observedGeneration": found["metadata"]["generation"], "conditions": conditions}
    if resource.kind == "SeldonDeployment" and message:
        return {"state": "Failed", "description": message}
    return {}
